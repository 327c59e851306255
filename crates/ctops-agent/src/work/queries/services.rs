//! `list_services`: running systemd services.

use std::time::Duration;

use ctops_base::text;
use ctops_proto::agent::ServiceInfo;

use super::MAX_ENTRIES;
use crate::collect::Sources;
use crate::work::program::Programs;

const CALL: Duration = Duration::from_secs(20);
/// Of the list, bytes.
const MAX_OUTPUT: usize = 1024 * 1024;
/// Longest unit name, characters (systemd.unit(5): 255).
const MAX_NAME: usize = 256;

/// The running services.
///
/// # Errors
/// In the words of the original.
pub(super) async fn list(sources: &Sources, programs: &Programs) -> Result<Vec<ServiceInfo>, String> {
    // As sd_booted(3) does.
    if !sources.run.join("systemd/system").is_dir() {
        return Err("systemd is not available on this host".to_owned());
    }
    let arguments =
        ["list-units", "--type=service", "--state=running", "--no-pager", "--no-legend", "--plain"];
    let output = programs
        .output("systemctl", &arguments, CALL, MAX_OUTPUT)
        .await
        .map_err(|error| format!("systemctl failed: {error}"))?;
    if output.code != 0 {
        let words = text::clean(output.stderr.lines().next().unwrap_or_default(), MAX_NAME);
        return Err(format!("systemctl failed: exit code {}: {words}", output.code));
    }
    let lines = String::from_utf8_lossy(&output.stdout);
    Ok(lines.lines().filter_map(service).take(MAX_ENTRIES).collect())
}

/// `cron.service loaded active running Regular background program processing daemon`
fn service(line: &str) -> Option<ServiceInfo> {
    let columns: Vec<&str> = line.split_whitespace().take(4).collect();
    let [name, load, _, sub] = columns[..] else { return None };
    let clean = |text| text::clean(text, MAX_NAME);
    Some(ServiceInfo { name: clean(name), load_state: clean(load), active_sub: clean(sub) })
}
