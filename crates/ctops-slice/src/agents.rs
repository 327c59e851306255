//! How features reach agents and hear from them.
//!
//! A feature with work for agents implements [`AgentWork`] and calls [`announce_work`] in the transaction that makes the
//! work. Ingest asks it when a stream opens, after an announcement, and after announcements may have been missed; never
//! periodically. A feature that takes what agents deliver implements [`AgentEvents`]; [`EventsConsumer`] runs all of them
//! over the topic `events.raw`.
//!
//! Delivery is at least once: work stays pending in the feature's table until the agent's answer arrives, and on stream
//! open everything pending is sent again. Agents remember the ids they have seen.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ctops_base::Problem;
use ctops_base::id::is_agent_id;
use ctops_pg::Tx;
use ctops_pg::notify::{AGENTS, MAX_PAYLOAD, notify};
use ctops_proto::agent::HeartbeatResponse;
use ctops_proto::queue::AgentEvent;
use ctops_queue::{Handler, HandlerError, Parked, Record, Topic};
use prost::Message;
use uuid::Uuid;

/// Begins the payload of an announcement on the channel `ctops_agents`.
const WORK: &str = "work:";
/// Follows [`WORK`] when a whole organisation is meant.
const ORG: &str = "org:";
/// Follows [`WORK`] when everybody is meant.
const ALL: &str = "all";
/// Hosts named in one announcement, so that it fits into a payload: a UUID and a comma have 37 bytes.
const HOSTS_PER_NOTICE: usize = (MAX_PAYLOAD - WORK.len()) / 37;
/// The year 10000 in milliseconds: later moments do not fit into the database.
const YEAR_10000_MS: i64 = 253_402_300_800_000;

/// What an agent understands beyond the classic contract. Agents of the original product name nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u8);

impl Capabilities {
    /// Takes a configuration (`config`).
    pub const CONFIG: Self = Self(1);
    /// Takes the set of checks as complete, so that an empty one stops all (`checks_complete`), and runs checks once on
    /// demand.
    pub const CHECKS_COMPLETE: Self = Self(2);
    /// Remembers task ids, so that a task can be sent again (`tasks`).
    pub const TASKS: Self = Self(4);
    /// Verifies signed releases and updates itself (`update`).
    pub const UPDATE: Self = Self(8);

    /// The names as agents send them; unknown ones are those of newer agents and say nothing to this server.
    pub fn from_names<T: AsRef<str>>(names: &[T]) -> Self {
        names.iter().fold(Self::default(), |all, name| match name.as_ref() {
            "config" => all.and(Self::CONFIG),
            "checks_complete" => all.and(Self::CHECKS_COMPLETE),
            "tasks" => all.and(Self::TASKS),
            "update" => all.and(Self::UPDATE),
            _ => all,
        })
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether everything in `wanted` is understood.
    pub const fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// An agent of the original product, or one so old that it says nothing.
    pub const fn is_original(self) -> bool {
        self.0 == 0
    }
}

/// A connected agent, as far as those need to know who have work for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectedAgent {
    /// Its host.
    pub host_id: Uuid,
    /// The host's organisation.
    pub org_id: Uuid,
    /// The agent.
    pub agent_id: String,
    /// Version it reported, cleaned.
    pub version: String,
    /// Operating system it reported, cleaned (Go names: `linux`).
    pub os: String,
    /// Architecture it reported, cleaned (Go names: `amd64`).
    pub arch: String,
    /// What it understands.
    pub capabilities: Capabilities,
    /// Revision of the configuration it works with; 0 means none.
    pub config_revision: u64,
    /// Lower-case hex SHA-256 of the web certificate it has pinned, or empty.
    pub pinned_certificate: String,
}

/// Work that a feature has for agents.
#[async_trait]
pub trait AgentWork: Send + Sync {
    /// Name in logs and metrics.
    fn name(&self) -> &'static str;

    /// Everything that waits for these agents; it replaces what was answered before and has not been sent yet. Responses
    /// have only this feature's fields set (`ok` is set by ingest), are below 4 MiB encoded and sent in this order; an
    /// agent may get several. Asks the database once for all agents.
    ///
    /// # Errors
    /// Whatever stopped it. Ingest logs it and asks again soon.
    async fn pending(&self, agents: &[ConnectedAgent]) -> Result<Vec<(Uuid, HeartbeatResponse)>, Problem>;

    /// Whether an answer for a host that equals the one before on the same stream must be sent again. Usually it need not:
    /// a stream loses nothing, and a new stream gets everything.
    fn repeats(&self) -> bool {
        false
    }
}

/// Takes a feature's part of what agents delivered.
#[async_trait]
pub trait AgentEvents: Send + Sync {
    /// Name in logs and metrics.
    fn name(&self) -> &'static str;

    /// Applies events inside the transaction of their batch, in their order. Ids of hosts and organisations are UUIDs, and
    /// moments fit into the database; what agents say in them is bounded but otherwise unchecked: an id in a result may
    /// be unknown or another host's, which must change nothing.
    ///
    /// # Errors
    /// As for [`Handler::apply`].
    async fn apply(&self, tx: &mut Tx<'_>, events: &[AgentEvent]) -> Result<(), HandlerError>;
}

/// Says, when `tx` commits, that these hosts have work.
///
/// # Errors
/// Those of the database.
pub async fn announce_work(tx: &mut Tx<'_>, host_ids: &[Uuid]) -> Result<(), sqlx::Error> {
    for hosts in host_ids.chunks(HOSTS_PER_NOTICE) {
        let hosts: Vec<String> = hosts.iter().map(Uuid::to_string).collect();
        notify(&mut **tx, AGENTS, &format!("{WORK}{}", hosts.join(","))).await?;
    }
    Ok(())
}

/// Says, when `tx` commits, that any host of the organisation may have work.
///
/// # Errors
/// Those of the database.
pub async fn announce_work_for_org(tx: &mut Tx<'_>, org_id: Uuid) -> Result<(), sqlx::Error> {
    notify(&mut **tx, AGENTS, &format!("{WORK}{ORG}{org_id}")).await
}

/// Says, when `tx` commits, that any host may have work: something of the installation itself has changed.
///
/// # Errors
/// Those of the database.
pub async fn announce_work_for_all(tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    notify(&mut **tx, AGENTS, &format!("{WORK}{ALL}")).await
}

/// Who an announcement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkNotice {
    /// These hosts.
    Hosts(Vec<Uuid>),
    /// All hosts of an organisation.
    Org(Uuid),
    /// All hosts.
    All,
}

impl WorkNotice {
    /// Reads the payload of a notification; none when it is about something else.
    pub fn parse(payload: &str) -> Option<Self> {
        let rest = payload.strip_prefix(WORK)?;
        if rest == ALL {
            return Some(Self::All);
        }
        match rest.strip_prefix(ORG) {
            Some(org) => org.parse().ok().map(Self::Org),
            None => rest.split(',').map(|id| id.parse().ok()).collect::<Option<_>>().map(Self::Hosts),
        }
    }
}

/// The host of an event that [`EventsConsumer`] handed out.
pub fn host_of(event: &AgentEvent) -> Uuid {
    event.host_id.parse().unwrap_or_default()
}

/// The organisation of an event that [`EventsConsumer`] handed out.
pub fn org_of(event: &AgentEvent) -> Uuid {
    event.org_id.parse().unwrap_or_default()
}

/// The one consumer of `events.raw` (group `events`): hands every batch to all features.
pub struct EventsConsumer {
    features: Vec<Arc<dyn AgentEvents>>,
}

impl EventsConsumer {
    /// Runs `features` in this order; they share the transaction, so all take their locks in this order as well.
    pub fn new(features: Vec<Arc<dyn AgentEvents>>) -> Self {
        Self { features }
    }
}

impl fmt::Debug for EventsConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.features.iter().map(|feature| feature.name())).finish()
    }
}

#[async_trait]
impl Handler for EventsConsumer {
    fn group(&self) -> &'static str {
        "events"
    }

    fn topic(&self) -> Topic {
        Topic::EVENTS_RAW
    }

    async fn apply(&self, tx: &mut Tx<'_>, records: &[Record]) -> Result<Vec<Parked>, HandlerError> {
        let mut parked = Vec::new();
        let mut events = Vec::with_capacity(records.len());
        for record in records {
            match read(&record.payload) {
                Ok(event) => events.push(event),
                Err(reason) => parked.push(Parked { offset: record.offset, reason }),
            }
        }
        if !events.is_empty() {
            for feature in &self.features {
                feature.apply(tx, &events).await?;
            }
        }
        Ok(parked)
    }
}

fn read(payload: &[u8]) -> Result<AgentEvent, String> {
    let event = AgentEvent::decode(payload).map_err(|error| format!("not an event: {error}"))?;
    event.host_id.parse::<Uuid>().map_err(|_| "host_id is not a UUID".to_owned())?;
    event.org_id.parse::<Uuid>().map_err(|_| "org_id is not a UUID".to_owned())?;
    if !is_agent_id(&event.agent_id) {
        return Err("agent_id has not the form of an agent id".to_owned());
    }
    let moments = event.check_results.iter().map(|result| result.ran_at_ms);
    match moments.chain([event.received_at_ms]).find(|ms| !(0..YEAR_10000_MS).contains(ms)) {
        Some(ms) => Err(format!("the moment {ms} is not between the years 1970 and 9999")),
        None => Ok(event),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> AgentEvent {
        AgentEvent {
            host_id: Uuid::from_u128(1).to_string(),
            org_id: Uuid::from_u128(2).to_string(),
            agent_id: "a".repeat(24),
            received_at_ms: 1_780_488_000_000,
            ..AgentEvent::default()
        }
    }

    fn reason(change: impl FnOnce(&mut AgentEvent)) -> String {
        let mut event = event();
        change(&mut event);
        read(&event.encode_to_vec()).err().unwrap_or_default()
    }

    #[test]
    fn capabilities_of_unknown_names_say_nothing() {
        let all = Capabilities::from_names(&["config", "teleport", "tasks"]);
        assert!(all.has(Capabilities::CONFIG) && all.has(Capabilities::TASKS.and(Capabilities::CONFIG)));
        assert!(!all.has(Capabilities::UPDATE) && !all.has(Capabilities::CONFIG.and(Capabilities::UPDATE)));
        assert!(!all.is_original());
        assert!(Capabilities::from_names(&["teleport"]).is_original());
    }

    #[test]
    fn work_notice_of_other_payloads_is_none() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let parsed = WorkNotice::parse(&format!("work:{one},{two}"));
        assert_eq!(parsed, Some(WorkNotice::Hosts(vec![one, two])));
        assert_eq!(WorkNotice::parse(&format!("work:org:{two}")), Some(WorkNotice::Org(two)));
        assert_eq!(WorkNotice::parse("work:all"), Some(WorkNotice::All));
        for other in ["approved:abc", "work:", "work:org:", "work:x", "work:1,"] {
            assert_eq!(WorkNotice::parse(other), None, "{other}");
        }
    }

    #[test]
    fn announcement_of_as_many_hosts_as_allowed_fits_into_a_payload() {
        let hosts = vec![Uuid::nil().to_string(); HOSTS_PER_NOTICE];
        assert!(format!("{WORK}{}", hosts.join(",")).len() <= MAX_PAYLOAD);
    }

    #[test]
    fn read_of_events_that_nobody_could_apply_says_why() {
        assert_eq!(reason(|_| ()), "");
        assert!(reason(|e| e.host_id = "host".into()).contains("host_id"));
        assert!(reason(|e| e.org_id.clear()).contains("org_id"));
        assert!(reason(|e| e.agent_id = "A".repeat(24)).contains("agent_id"));
        assert!(reason(|e| e.received_at_ms = -1).contains("-1"));
        let late = ctops_proto::queue::CheckResult { ran_at_ms: i64::MAX, ..Default::default() };
        assert!(reason(|e| e.check_results = vec![late]).contains("years"));
        assert!(read(b"\xff\xff").err().unwrap_or_default().starts_with("not an event"));
    }
}
