//! Snap packages and Flatpak applications, which any distribution may have beside its own packages.

use std::time::Duration;

use ctops_proto::agent::SoftwarePackage;

use super::Packages;
use crate::work::program::Programs;

const CALL: Duration = Duration::from_secs(60);
/// Of a list, bytes.
const MAX_OUTPUT: usize = 4 * 1024 * 1024;

/// Installed snaps.
pub(super) async fn snaps(programs: &Programs) -> Result<Packages, String> {
    Ok(listed(programs, "snap", &["list", "--color=never", "--unicode=never"])
        .await?
        .lines()
        .skip(1)
        .filter_map(snap)
        .collect())
}

/// Applications and runtimes installed for the whole system.
pub(super) async fn flatpaks(programs: &Programs) -> Result<Packages, String> {
    let arguments = ["list", "--system", "--columns=application,version,arch,origin,branch"];
    Ok(listed(programs, "flatpak", &arguments).await?.lines().filter_map(flatpak).collect())
}

async fn listed(programs: &Programs, program: &str, arguments: &[&str]) -> Result<String, String> {
    let output =
        programs.output(program, arguments, CALL, MAX_OUTPUT).await.map_err(|error| error.to_string())?;
    if output.code != 0 || output.cut {
        return Err(format!("{program} ended with {} or said too much", output.code));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `core22  20240111  1122  latest/stable  canonical**  base`
fn snap(line: &str) -> Option<SoftwarePackage> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let [name, version, revision, tracking, publisher, ..] = columns[..] else { return None };
    Some(SoftwarePackage {
        name: name.to_owned(),
        version: version.to_owned(),
        publisher: publisher.trim_end_matches('*').to_owned(),
        package_release: revision.to_owned(),
        repository: tracking.to_owned(),
        ..SoftwarePackage::default()
    })
}

/// Columns separated by tabs. What has no version is known by its branch.
fn flatpak(line: &str) -> Option<SoftwarePackage> {
    let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
    let [name, version, architecture, origin, branch] = columns[..] else { return None };
    let version = if version.is_empty() { branch } else { version };
    Some(SoftwarePackage {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: architecture.to_owned(),
        repository: origin.to_owned(),
        origin: origin.to_owned(),
        ..SoftwarePackage::default()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Spec: software-inventory 1
    #[test]
    fn lines_of_snap_and_flatpak_when_read_then_give_packages() {
        let core = snap("core22  20240111  1122  latest/stable  canonical**  base").unwrap();
        assert_eq!((core.name.as_str(), core.publisher.as_str()), ("core22", "canonical"));
        let app = flatpak("org.gimp.GIMP\t2.10.36\tx86_64\tflathub\tstable").unwrap();
        assert_eq!((app.version.as_str(), app.repository.as_str()), ("2.10.36", "flathub"));
        let runtime = flatpak("org.gnome.Platform\t\tx86_64\tflathub\t45").unwrap();
        assert_eq!(runtime.version, "45");
        assert_eq!(flatpak("nonsense"), None);
    }
}
