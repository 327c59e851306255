//! The containers of the host, all or none (containers 13, wire contract 9.4).

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use ctops_base::text;
use ctops_proto::agent::DockerContainerInventory;
use futures_util::StreamExt;
use futures_util::stream;

use super::answers::{HostConfig, Inspected, Listed};
use super::engine::{Engine, EngineError, is_id};
use super::{Facts, Orders, cut, labels};

/// For one question to the engine.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions under way at once.
pub(super) const AT_ONCE: usize = 8;
/// Containers reported of one host.
const MAX_CONTAINERS: usize = 20_000;
const MAX_NAMES: usize = 16;
const MAX_NAME_BYTES: usize = 256;
const MAX_IMAGE_BYTES: usize = 512;
const MAX_STATE_BYTES: usize = 64;
const MAX_STATUS_BYTES: usize = 512;

/// Everything the engine listed at one moment.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) containers: Vec<DockerContainerInventory>,
    /// What samples need to know of each container.
    pub(super) facts: Vec<(Arc<str>, Facts)>,
}

/// Lists all containers, stopped ones too, and inspects each. One that went away in between, or that cannot be
/// inspected, is reported with what the list says.
///
/// # Errors
/// When the list cannot be had: then nothing can be said of any container.
pub(super) async fn take(engine: &Engine, orders: &Orders, now: i64) -> Result<Inventory, EngineError> {
    let listed: Vec<Listed> = engine.get("/containers/json?all=1", PATIENCE).await?;
    let listed = listed.into_iter().filter(|container| is_id(&container.id)).take(MAX_CONTAINERS);
    let mut inspected = stream::iter(listed)
        .map(|container| async move {
            let path = format!("/containers/{}/json", container.id);
            let details = engine.get::<Inspected>(&path, PATIENCE).await;
            (container, details.unwrap_or_default())
        })
        .buffered(AT_ONCE);
    let mut all = Inventory::default();
    while let Some((container, details)) = inspected.next().await {
        let cores_centi = cores_centi(&details.host_config);
        let facts = Facts { restart_count: details.restart_count.max(0), cores_centi };
        all.facts.push((Arc::from(container.id.as_str()), facts));
        all.containers.push(entry(container, &details, orders, now));
    }
    Ok(all)
}

fn entry(container: Listed, details: &Inspected, orders: &Orders, now: i64) -> DockerContainerInventory {
    let names = container.names.iter().take(MAX_NAMES);
    DockerContainerInventory {
        names: names.map(|name| bounded(name.trim_start_matches('/'), MAX_NAME_BYTES)).collect(),
        image: bounded(&container.image, MAX_IMAGE_BYTES),
        image_id: bounded(&container.image_id, MAX_IMAGE_BYTES),
        labels: labels::collected(&container.labels, orders),
        state: bounded(&container.state, MAX_STATE_BYTES),
        status: bounded(&container.status, MAX_STATUS_BYTES),
        created_at_unix: container.created.max(0),
        started_at_unix: unix(&details.state.started_at),
        finished_at_unix: unix(&details.state.finished_at),
        observed_at_unix: now,
        restart_count: details.restart_count.max(0),
        docker_container_id: container.id,
    }
}

fn bounded(text: &str, bytes: usize) -> String {
    cut(&text::clean(text, bytes), bytes)
}

/// Seconds of an RFC 3339 time; 0 for the year 1, which is how engines write "never".
fn unix(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).map_or(0, |time| time.timestamp().max(0))
}

/// Cores a container may use, in hundredths: the smallest of its limits; 0 when it has none.
pub(super) fn cores_centi(config: &HostConfig) -> u32 {
    let nano = (config.nano_cpus > 0).then_some(config.nano_cpus / 10_000_000);
    let period = if config.cpu_period > 0 { config.cpu_period } else { 100_000 };
    let quota = (config.cpu_quota > 0).then(|| config.cpu_quota.saturating_mul(100) / period);
    let set = cpuset_size(&config.cpuset_cpus).map(|cores| cores.saturating_mul(100));
    // A limit below a hundredth is still a limit.
    let least = [nano, quota, set].into_iter().flatten().min().map_or(0, |least| least.max(1));
    u32::try_from(least).unwrap_or(u32::MAX)
}

/// Number of processors in a list such as `0-2,5` (cpuset(7)).
fn cpuset_size(set: &str) -> Option<i64> {
    let mut size: i64 = 0;
    for part in set.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (i64, i64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        size = size.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    (size > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Spec: containers 8
    #[test]
    fn cores_when_limited_then_are_the_smallest_of_all_limits() {
        let config = |nano_cpus, cpu_quota, cpu_period, set: &str| HostConfig {
            nano_cpus,
            cpu_quota,
            cpu_period,
            cpuset_cpus: set.to_owned(),
        };
        assert_eq!(cores_centi(&config(0, 0, 0, "")), 0);
        assert_eq!(cores_centi(&config(1_500_000_000, 0, 0, "")), 150);
        assert_eq!(cores_centi(&config(0, 50_000, 0, "")), 50);
        assert_eq!(cores_centi(&config(0, 200_000, 50_000, "0-2,5")), 400);
        assert_eq!(cores_centi(&config(0, -1, 0, "0-2,5")), 400);
        assert_eq!(cores_centi(&config(1_500_000_000, 100_000, 100_000, "0-7")), 100);
        assert_eq!(cores_centi(&config(0, 0, 0, "all")), 0);
    }

    #[test]
    fn time_when_it_is_the_year_one_or_damaged_then_is_never() {
        assert_eq!(unix("2026-06-01T00:00:00.123456789Z"), 1_780_272_000);
        assert_eq!(unix("2026-06-01T02:00:00+02:00"), 1_780_272_000);
        for never in ["0001-01-01T00:00:00Z", "", "soon"] {
            assert_eq!(unix(never), 0, "{never:?}");
        }
    }

    proptest! {
        #[test]
        fn any_limits_are_read_without_panic(nano: i64, quota: i64, period: i64, set in "[0-9,\\- ]{0,40}") {
            cores_centi(&HostConfig { nano_cpus: nano, cpu_quota: quota, cpu_period: period, cpuset_cpus: set });
        }
    }
}
