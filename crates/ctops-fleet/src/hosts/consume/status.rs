//! Topic `agent.status`.

use async_trait::async_trait;
use ctops_base::id::is_agent_id;
use ctops_pg::Tx;
use ctops_proto::limits::{DEFAULT_HEARTBEAT_INTERVAL_SECS, HEARTBEAT_INTERVAL_SECS};
use ctops_proto::queue::StatusChange;
use ctops_proto::queue::status_change::Kind;
use ctops_queue::{Handler, HandlerError, Parked, Record, Topic};
use prost::Message;

use super::{id, moment};
use crate::agents::{self, LeaseChange, LeaseEnd, LeaseEvent};
use crate::hosts::model::{HostStatus, StatusUpdate};
use crate::hosts::{changes, service};

/// Turns leases that began or ended into statuses of agents and hosts.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatusConsumer;

#[async_trait]
impl Handler for StatusConsumer {
    fn group(&self) -> &'static str {
        "events"
    }

    fn topic(&self) -> Topic {
        Topic::AGENT_STATUS
    }

    async fn apply(&self, tx: &mut Tx<'_>, records: &[Record]) -> Result<Vec<Parked>, HandlerError> {
        let mut parked = Vec::new();
        let mut leases = Vec::with_capacity(records.len());
        for record in records {
            match read(&record.payload) {
                Ok(change) => leases.push(change),
                Err(reason) => parked.push(Parked { offset: record.offset, reason }),
            }
        }
        write(tx, &leases).await?;
        Ok(parked)
    }
}

fn read(payload: &[u8]) -> Result<LeaseChange, String> {
    let change = StatusChange::decode(payload).map_err(|error| format!("not a status change: {error}"))?;
    let event = match change.kind() {
        Kind::LeaseBegan => LeaseEvent::Began { interval_seconds: interval(change.interval_seconds) },
        Kind::LeaseEnded => LeaseEvent::Ended(
            LeaseEnd::from_name(&change.reason).ok_or_else(|| "reason is not a known one".to_owned())?,
        ),
        Kind::Unspecified => return Err(format!("kind {} is not a known one", change.kind)),
    };
    if !is_agent_id(&change.agent_id) {
        return Err("agent_id has not the form of an agent id".to_owned());
    }
    Ok(LeaseChange {
        session_id: id("session_id", &change.session_id)?,
        node_id: id("node_id", &change.node_id)?,
        event,
        at: moment("at_ms", change.at_ms)?,
        agent_id: change.agent_id,
    })
}

fn interval(announced: u32) -> u32 {
    if announced == 0 {
        return DEFAULT_HEARTBEAT_INTERVAL_SECS;
    }
    announced.clamp(*HEARTBEAT_INTERVAL_SECS.start(), *HEARTBEAT_INTERVAL_SECS.end())
}

async fn write(tx: &mut Tx<'_>, leases: &[LeaseChange]) -> Result<(), sqlx::Error> {
    if leases.is_empty() {
        return Ok(());
    }
    let hosts = agents::apply_lease_changes(tx, leases).await?;
    let updates: Vec<StatusUpdate> = hosts
        .iter()
        .map(|host| StatusUpdate {
            host_id: host.host_id,
            status: if host.online { HostStatus::Online } else { HostStatus::Offline },
            at: host.at,
        })
        .collect();
    service::apply_statuses(tx, &updates).await?;
    if hosts.is_empty() {
        return Ok(());
    }
    service::announce(tx, changes::AGENTS, changes::only(hosts.iter().map(|host| host.org_id))).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use uuid::Uuid;

    use super::*;

    fn began() -> StatusChange {
        StatusChange {
            host_id: Uuid::from_u128(1).to_string(),
            org_id: Uuid::from_u128(2).to_string(),
            agent_id: "a".repeat(24),
            session_id: Uuid::from_u128(3).to_string(),
            node_id: Uuid::from_u128(4).to_string(),
            kind: Kind::LeaseBegan.into(),
            reason: String::new(),
            at_ms: 1_780_488_000_000,
            interval_seconds: 30,
        }
    }

    fn reason(change: impl FnOnce(&mut StatusChange)) -> String {
        let mut status = began();
        change(&mut status);
        read(&status.encode_to_vec()).err().unwrap_or_default()
    }

    #[test]
    fn read_takes_the_interval_within_its_bounds() {
        for (announced, taken) in [(0, 30), (1, 5), (5, 5), (300, 300), (3_600, 300)] {
            let change = StatusChange { interval_seconds: announced, ..began() };
            let event = read(&change.encode_to_vec()).unwrap().event;
            assert_eq!(event, LeaseEvent::Began { interval_seconds: taken }, "{announced}");
        }
    }

    #[test]
    fn read_of_an_end_knows_every_reason() {
        for end in LeaseEnd::ALL {
            let change =
                StatusChange { kind: Kind::LeaseEnded.into(), reason: end.as_str().into(), ..began() };
            assert_eq!(read(&change.encode_to_vec()).unwrap().event, LeaseEvent::Ended(end));
        }
        assert!(
            reason(|change| {
                change.kind = Kind::LeaseEnded.into();
                change.reason = "bored".into();
            })
            .contains("reason")
        );
    }

    #[test]
    fn read_of_what_cannot_be_applied_says_why() {
        assert_eq!(reason(|_| ()), "");
        assert!(reason(|change| change.kind = 0).contains("kind 0"));
        assert!(reason(|change| change.kind = 99).contains("kind 99"));
        assert!(reason(|change| change.agent_id.clear()).contains("agent_id"));
        assert!(reason(|change| change.session_id = "s".into()).contains("session_id"));
        assert!(reason(|change| change.node_id = "n".into()).contains("node_id"));
        assert!(reason(|change| change.at_ms = i64::MIN).contains("at_ms"));
        assert!(read(b"\xff").err().unwrap().starts_with("not a status change"));
    }
}
