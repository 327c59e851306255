//! A container in an inventory.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ctops_proto::agent::DockerContainerInventory;

use super::labels::{LabelPolicy, project};
use super::{bounded, moment};

/// Longest id, name, image, state and status, bytes (wire contract 9.3), and names of one container.
const MAX_ID_BYTES: usize = 128;
const MAX_NAME_BYTES: usize = 256;
const MAX_IMAGE_BYTES: usize = 512;
const MAX_STATE_BYTES: usize = 64;
const MAX_STATUS_BYTES: usize = 512;
const MAX_NAMES: usize = 16;
/// Characters of an id that stand for a name when there is none.
const SHORT_ID: usize = 12;

/// One container as its engine lists it, within the bounds of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::containers) struct Item {
    pub(in crate::containers) container_id: String,
    pub(in crate::containers) names: Vec<String>,
    pub(in crate::containers) image: String,
    pub(in crate::containers) image_id: String,
    pub(in crate::containers) labels: BTreeMap<String, String>,
    pub(in crate::containers) project: Option<String>,
    pub(in crate::containers) state: String,
    pub(in crate::containers) status: String,
    pub(in crate::containers) health: Option<&'static str>,
    pub(in crate::containers) exit_code: Option<i32>,
    pub(in crate::containers) restart_count: i32,
    pub(in crate::containers) created_at: Option<DateTime<Utc>>,
    pub(in crate::containers) started_at: Option<DateTime<Utc>>,
    pub(in crate::containers) finished_at: Option<DateTime<Utc>>,
    /// When the engine was asked; the arrival when the agent's clock cannot be right.
    pub(in crate::containers) observed_at: DateTime<Utc>,
}

impl Item {
    /// Cleans and bounds what an agent sent; none without an id.
    pub(in crate::containers) fn from_wire(
        item: &DockerContainerInventory,
        labels: &LabelPolicy<'_>,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let container_id = bounded(&item.docker_container_id, MAX_ID_BYTES);
        if container_id.is_empty() {
            return None;
        }
        let names = item.names.iter().map(|name| bounded(name, MAX_NAME_BYTES));
        let names: Vec<String> = names.filter(|name| !name.is_empty()).take(MAX_NAMES).collect();
        let labels = labels.apply(&item.labels);
        let status = bounded(&item.status, MAX_STATUS_BYTES);
        Some(Self {
            container_id,
            names,
            image: bounded(&item.image, MAX_IMAGE_BYTES),
            image_id: bounded(&item.image_id, MAX_IMAGE_BYTES),
            project: project(&labels),
            labels,
            state: bounded(&item.state, MAX_STATE_BYTES).to_lowercase(),
            health: health(&status),
            exit_code: exit_code(&status),
            status,
            restart_count: item.restart_count.max(0),
            created_at: moment(item.created_at_unix, now),
            started_at: moment(item.started_at_unix, now),
            finished_at: moment(item.finished_at_unix, now),
            observed_at: moment(item.observed_at_unix, now).unwrap_or(now).min(now),
        })
    }

    /// The name to show.
    pub(in crate::containers) fn primary_name(&self) -> String {
        let id = &self.container_id;
        self.names.first().cloned().unwrap_or_else(|| id[..id.floor_char_boundary(SHORT_ID)].to_owned())
    }
}

/// Whether a container in this state runs.
pub(in crate::containers) fn is_running(state: &str) -> bool {
    matches!(state, "running" | "restarting" | "paused")
}

/// The engine writes the outcome of the last run into the status text: `Exited (137) 2 hours ago`.
fn exit_code(status: &str) -> Option<i32> {
    let rest = status.strip_prefix("Exited (").or_else(|| status.strip_prefix("Restarting ("))?;
    rest.split_once(')')?.0.parse().ok()
}

/// And the outcome of the health check: `Up 5 minutes (healthy)`, `Up 1 second (health: starting)`.
fn health(status: &str) -> Option<&'static str> {
    if status.contains("(healthy)") {
        Some("healthy")
    } else if status.contains("(unhealthy)") {
        Some("unhealthy")
    } else if status.contains("(health: starting)") {
        Some("starting")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(item: &DockerContainerInventory) -> Option<Item> {
        Item::from_wire(item, &LabelPolicy { prefixes: &[] }, DateTime::from_timestamp(1_000_000, 0).unwrap())
    }

    #[test]
    fn item_of_hostile_text_is_cleaned_and_cut() {
        let item = parse(&DockerContainerInventory {
            docker_container_id: "a".repeat(500),
            names: (0..40).map(|n| format!("{n}{}", "ü".repeat(300))).collect(),
            image: "i\u{1b}[31m".repeat(500),
            state: "RUNNING".into(),
            observed_at_unix: i64::MAX,
            restart_count: -3,
            started_at_unix: -62_135_596_800,
            ..DockerContainerInventory::default()
        })
        .unwrap();
        assert_eq!((item.container_id.len(), item.names.len(), item.image.len()), (128, 16, 512));
        assert!(item.names.iter().all(|name| name.len() <= 256) && !item.image.contains('\u{1b}'));
        assert_eq!((item.state.as_str(), item.restart_count, item.started_at), ("running", 0, None));
        assert_eq!(item.observed_at.timestamp(), 1_000_000);
        assert_eq!(parse(&DockerContainerInventory::default()), None, "no id is no container");
    }

    #[test]
    fn item_without_a_name_is_called_by_its_id() {
        let named = |names: &[&str]| {
            let item = DockerContainerInventory {
                docker_container_id: "0123456789abcdef".into(),
                names: names.iter().map(|&name| name.to_owned()).collect(),
                ..DockerContainerInventory::default()
            };
            parse(&item).unwrap().primary_name()
        };
        assert_eq!(named(&["web", "alias"]), "web");
        assert_eq!(named(&[]), "0123456789ab");
    }

    /// Spec: containers 15
    #[test]
    fn exit_code_and_health_are_read_from_the_status_text() {
        assert_eq!(exit_code("Exited (137) 2 hours ago"), Some(137));
        assert_eq!(exit_code("Restarting (1) 3 seconds ago"), Some(1));
        assert_eq!(exit_code("Up 3 minutes"), None);
        assert_eq!(exit_code("Exited (x"), None);
        assert_eq!(health("Up 5 minutes (healthy)"), Some("healthy"));
        assert_eq!(health("Up 5 minutes (unhealthy)"), Some("unhealthy"));
        assert_eq!(health("Up 1 second (health: starting)"), Some("starting"));
        assert_eq!(health("Up 1 second"), None);
    }
}
