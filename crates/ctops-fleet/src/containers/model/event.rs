//! What happened to a container between two inventories.

use chrono::{DateTime, Utc};

use super::{Item, is_running};

/// Kinds of events (containers 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::containers) enum EventKind {
    Started,
    Stopped,
    Restarted,
    Appeared,
    HealthChanged,
}

impl EventKind {
    pub(in crate::containers) fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Restarted => "restarted",
            Self::Appeared => "appeared",
            Self::HealthChanged => "health_changed",
        }
    }
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::containers) struct Event {
    pub(in crate::containers) kind: EventKind,
    pub(in crate::containers) at: DateTime<Utc>,
}

/// A container as it was before.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::containers) struct Known {
    pub(in crate::containers) container_id: String,
    pub(in crate::containers) state: String,
    pub(in crate::containers) health: Option<String>,
    pub(in crate::containers) restart_count: i32,
    pub(in crate::containers) started_at_source: Option<DateTime<Utc>>,
    pub(in crate::containers) finished_at_source: Option<DateTime<Utc>>,
    pub(in crate::containers) is_present: bool,
}

/// What happened between `before` and `item`. A container that nobody knew has appeared, unless this is the first
/// inventory of its host, which only says what has been there all along.
pub(in crate::containers) fn transitions(
    before: Option<&Known>,
    item: &Item,
    first_inventory: bool,
) -> Vec<Event> {
    let mut events = Vec::new();
    let mut push =
        |kind, at: Option<DateTime<Utc>>| events.push(Event { kind, at: at.unwrap_or(item.observed_at) });
    let Some(before) = before else {
        if !first_inventory {
            push(EventKind::Appeared, None);
            if is_running(&item.state) {
                push(EventKind::Started, item.started_at);
            }
        }
        return events;
    };
    if !before.is_present {
        push(EventKind::Appeared, None);
    }
    let newer = |new: Option<DateTime<Utc>>, old: Option<DateTime<Utc>>| new.is_some() && new > old;
    let restarted = item.restart_count > before.restart_count;
    match (is_running(&before.state), is_running(&item.state)) {
        (true, true) if restarted || newer(item.started_at, before.started_at_source) => {
            push(EventKind::Restarted, item.started_at);
        }
        (false, true) if restarted => push(EventKind::Restarted, item.started_at),
        (false, true) => push(EventKind::Started, item.started_at),
        (true, false) => push(EventKind::Stopped, item.finished_at),
        // It ran in between.
        (false, false) if newer(item.finished_at, before.finished_at_source) => {
            push(EventKind::Stopped, item.finished_at);
        }
        _ => {}
    }
    if item.health.is_some() && before.health.is_some() && item.health != before.health.as_deref() {
        push(EventKind::HealthChanged, None);
    }
    events
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::containers::model::LabelPolicy;
    use ctops_proto::agent::DockerContainerInventory;

    const NOW: i64 = 1_000_000;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn item(state: &str, started: i64, finished: i64, restarts: i32, status: &str) -> Item {
        let wire = DockerContainerInventory {
            docker_container_id: "c".into(),
            state: state.into(),
            status: status.into(),
            started_at_unix: started,
            finished_at_unix: finished,
            restart_count: restarts,
            observed_at_unix: NOW,
            ..DockerContainerInventory::default()
        };
        Item::from_wire(&wire, &LabelPolicy { prefixes: &[] }, at(NOW)).unwrap()
    }

    fn known(item: &Item, is_present: bool) -> Known {
        Known {
            container_id: item.container_id.clone(),
            state: item.state.clone(),
            health: item.health.map(str::to_owned),
            restart_count: item.restart_count,
            started_at_source: item.started_at,
            finished_at_source: item.finished_at,
            is_present,
        }
    }

    /// What is told when the first item, present or not, becomes the second.
    fn story(before: Option<(&Item, bool)>, item: &Item, first: bool) -> Vec<(&'static str, i64)> {
        let before = before.map(|(item, is_present)| known(item, is_present));
        let events = transitions(before.as_ref(), item, first);
        events.iter().map(|event| (event.kind.as_str(), event.at.timestamp())).collect()
    }

    /// Spec: containers 15
    #[test]
    fn transitions_tell_start_stop_and_restart_with_the_engines_times() {
        let up = item("running", 100, 0, 0, "Up 1 hour");
        let down = item("exited", 100, 200, 0, "Exited (137) 1 second ago");
        assert_eq!(story(Some((&up, true)), &up, false), [], "nothing changed");
        assert_eq!(story(Some((&up, true)), &down, false), [("stopped", 200)]);
        assert_eq!(story(Some((&down, true)), &item("running", 300, 200, 0, ""), false), [("started", 300)]);
        assert_eq!(story(Some((&up, true)), &item("running", 300, 0, 1, ""), false), [("restarted", 300)]);
        assert_eq!(story(Some((&up, true)), &item("running", 300, 0, 0, ""), false), [("restarted", 300)]);
        assert_eq!(story(Some((&down, true)), &item("running", 300, 0, 1, ""), false), [("restarted", 300)]);
        assert_eq!(story(Some((&down, true)), &item("exited", 300, 400, 0, ""), false), [("stopped", 400)]);
        assert_eq!(story(Some((&up, true)), &item("exited", 0, 0, 0, ""), false), [("stopped", NOW)]);
    }

    /// Spec: containers 15
    #[test]
    fn transitions_of_new_and_returned_containers_tell_that_they_appeared() {
        let up = item("running", 100, 0, 0, "");
        assert_eq!(story(None, &up, true), [], "the first inventory is no news");
        assert_eq!(story(None, &up, false), [("appeared", NOW), ("started", 100)]);
        assert_eq!(story(None, &item("created", 0, 0, 0, ""), false), [("appeared", NOW)]);
        assert_eq!(story(Some((&up, false)), &up, false), [("appeared", NOW)]);
    }

    /// Spec: containers 15
    #[test]
    fn transitions_of_health_are_told_when_both_states_are_known() {
        let healthy = item("running", 100, 0, 0, "Up (healthy)");
        let ill = item("running", 100, 0, 0, "Up (unhealthy)");
        let silent = item("running", 100, 0, 0, "Up");
        assert_eq!(story(Some((&healthy, true)), &ill, false), [("health_changed", NOW)]);
        assert_eq!(story(Some((&healthy, true)), &silent, false), []);
        assert_eq!(story(Some((&silent, true)), &ill, false), []);
    }
}
