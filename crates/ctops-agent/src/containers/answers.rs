//! The parts of the engine's answers that are used (Docker Engine API, version 1.24 and later). Fields that an engine
//! leaves out, or writes as `null`, are absent.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// `GET /version`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Version {
    #[serde(deserialize_with = "or_default")]
    pub(super) version: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) api_version: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) components: Vec<Component>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Component {
    #[serde(deserialize_with = "or_default")]
    pub(super) name: String,
}

/// One entry of `GET /containers/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Listed {
    #[serde(deserialize_with = "or_default")]
    pub(super) id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) names: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) image: String,
    #[serde(rename = "ImageID", deserialize_with = "or_default")]
    pub(super) image_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) created: i64,
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) state: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) status: String,
}

/// `GET /containers/{id}/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Inspected {
    #[serde(deserialize_with = "or_default")]
    pub(super) restart_count: i32,
    #[serde(deserialize_with = "or_default")]
    pub(super) state: RunState,
    #[serde(deserialize_with = "or_default")]
    pub(super) host_config: HostConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct RunState {
    #[serde(deserialize_with = "or_default")]
    pub(super) started_at: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) finished_at: String,
}

/// Limits of the processor, in the three ways an engine knows.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct HostConfig {
    #[serde(deserialize_with = "or_default")]
    pub(super) nano_cpus: i64,
    #[serde(deserialize_with = "or_default")]
    pub(super) cpu_quota: i64,
    #[serde(deserialize_with = "or_default")]
    pub(super) cpu_period: i64,
    #[serde(deserialize_with = "or_default")]
    pub(super) cpuset_cpus: String,
}

/// `GET /containers/{id}/stats`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stats {
    #[serde(deserialize_with = "or_default")]
    pub(super) cpu_stats: CpuStats,
    #[serde(deserialize_with = "or_default")]
    pub(super) precpu_stats: CpuStats,
    #[serde(deserialize_with = "or_default")]
    pub(super) memory_stats: MemoryStats,
    #[serde(deserialize_with = "or_default")]
    pub(super) networks: BTreeMap<String, NetworkStats>,
    #[serde(deserialize_with = "or_default")]
    pub(super) blkio_stats: BlockStats,
    #[serde(deserialize_with = "or_default")]
    pub(super) pids_stats: PidStats,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CpuStats {
    #[serde(deserialize_with = "or_default")]
    pub(super) cpu_usage: CpuUsage,
    #[serde(deserialize_with = "or_default")]
    pub(super) system_cpu_usage: u64,
    #[serde(deserialize_with = "or_default")]
    pub(super) online_cpus: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CpuUsage {
    #[serde(deserialize_with = "or_default")]
    pub(super) total_usage: u64,
    #[serde(deserialize_with = "or_default")]
    pub(super) percpu_usage: Vec<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MemoryStats {
    #[serde(deserialize_with = "or_default")]
    pub(super) usage: u64,
    #[serde(deserialize_with = "or_default")]
    pub(super) limit: u64,
    #[serde(deserialize_with = "or_default")]
    pub(super) stats: MemoryDetail,
}

/// `cache` exists in control groups of version 1 only, the other two are named so in version 2 (and counted without
/// children in version 1).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MemoryDetail {
    pub(super) cache: Option<u64>,
    #[serde(deserialize_with = "or_default")]
    pub(super) active_file: u64,
    #[serde(deserialize_with = "or_default")]
    pub(super) inactive_file: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NetworkStats {
    #[serde(deserialize_with = "or_default")]
    pub(super) rx_bytes: u64,
    #[serde(deserialize_with = "or_default")]
    pub(super) tx_bytes: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BlockStats {
    #[serde(deserialize_with = "or_default")]
    pub(super) io_service_bytes_recursive: Vec<BlockEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BlockEntry {
    #[serde(deserialize_with = "or_default")]
    pub(super) op: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) value: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PidStats {
    #[serde(deserialize_with = "or_default")]
    pub(super) current: u64,
}

/// `null` is what Go writes for an empty list.
fn or_default<'d, D: Deserializer<'d>, T: Deserialize<'d> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
