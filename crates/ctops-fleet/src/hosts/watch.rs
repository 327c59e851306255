//! Live views: follows `ctops_changes` and tells browsers (hosts 10, 28).
//!
//! The fleet's topic only says what kind of thing changed, at most once a second per organisation, and browsers fetch
//! what they show. Followed hosts get their new figures at once: one query per notice for all of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ctops_pg::notify::{CHANGES, Notice, Notifications};
use ctops_slice::AppState;
use ctops_slice::events::EventHub;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::changes::{EVERYTHING, Kinds, parse};
use super::http::HostUpdated;
use super::model::HostVitals;
use super::store;

/// Topic of the whole fleet.
pub(super) const FLEET: &str = "fleet";
/// Topics of single hosts begin with this.
pub(super) const HOST_PREFIX: &str = "host:";
/// Shortest pause between two events about the fleet of one organisation.
const FLEET_PAUSE: Duration = Duration::from_secs(1);
/// A topic is served this long after its last stream ended: as long as a browser may resume (api-conventions 10).
const LINGER: Duration = Duration::from_secs(5 * 60);
/// Pause before the vitals are asked for again when the database failed.
const RETRY: Duration = Duration::from_secs(1);

/// Follows the notifications until `shutdown`. They are subscribed to by this call, not by the first poll.
pub fn run(
    state: AppState,
    notifications: &Notifications,
    shutdown: CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let notices = notifications.subscribe();
    async move {
        let mut watch =
            Watch { state, fleet: Fleet::default(), hosts: FollowedHosts::default(), retry_at: None };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = watch.follow(notices) => {}
        }
    }
}

struct Watch {
    state: AppState,
    fleet: Fleet,
    hosts: FollowedHosts,
    retry_at: Option<Instant>,
}

impl Watch {
    async fn follow(&mut self, mut notices: Receiver<Notice>) {
        loop {
            let wake_at = [self.fleet.next_due(), self.retry_at].into_iter().flatten().min();
            let changes = tokio::select! {
                first = notices.recv() => match gather(first, &mut notices) {
                    Some(changes) => changes,
                    None => return,
                },
                () = sleep_until(wake_at) => Vec::new(),
            };
            let now = Instant::now();
            self.fleet.note(&changes, &self.state.events, now);
            self.fleet.publish_due(&self.state.events, now);
            if !changes.is_empty() || self.retry_at.is_some_and(|at| at <= now) {
                self.refresh_hosts(now).await;
            }
        }
    }

    async fn refresh_hosts(&mut self, now: Instant) {
        self.retry_at = None;
        let ids = self.hosts.followed(&self.state.events, now);
        if ids.is_empty() {
            return;
        }
        match store::vitals_of(&self.state.pool, &ids).await {
            Ok(current) => self.hosts.publish(&self.state.events, current),
            Err(error) => {
                tracing::warn!(%error, hosts = ids.len(), "vitals of followed hosts could not be read");
                self.retry_at = Some(now + RETRY);
            }
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The notice that arrived and all that wait behind it. None when there will be no more.
fn gather(
    first: Result<Notice, RecvError>,
    notices: &mut Receiver<Notice>,
) -> Option<Vec<(Kinds, Option<Uuid>)>> {
    let mut changes = vec![match first {
        Ok(notice) => change_of(&notice),
        Err(RecvError::Lagged(_)) => (EVERYTHING, None),
        Err(RecvError::Closed) => return None,
    }];
    loop {
        match notices.try_recv() {
            Ok(notice) => changes.push(change_of(&notice)),
            Err(TryRecvError::Lagged(_)) => changes.push((EVERYTHING, None)),
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    changes.retain(|(kinds, _)| !kinds.is_empty());
    Some(changes)
}

fn change_of(notice: &Notice) -> (Kinds, Option<Uuid>) {
    match notice {
        Notice::Message { channel, payload } if **channel == *CHANGES => parse(payload),
        Notice::Message { .. } => (Kinds::default(), None),
        // Something may have been missed.
        Notice::Reconnected => (EVERYTHING, None),
    }
}

/// What each organisation that looks at its fleet has not been told yet.
#[derive(Default)]
struct Fleet {
    organisations: HashMap<Uuid, Untold>,
}

struct Untold {
    kinds: Kinds,
    not_before: Instant,
    watched_at: Instant,
}

impl Fleet {
    fn note(&mut self, changes: &[(Kinds, Option<Uuid>)], events: &EventHub, now: Instant) {
        for (org, _) in events.watched(FLEET).into_iter().filter(|(_, topic)| **topic == *FLEET) {
            let untold = self.organisations.entry(org).or_insert(Untold {
                kinds: Kinds::default(),
                not_before: now,
                watched_at: now,
            });
            untold.watched_at = now;
        }
        self.organisations.retain(|_, untold| now < untold.watched_at + LINGER);
        for (org, untold) in &mut self.organisations {
            let concern = changes.iter().filter(|(_, only)| only.is_none_or(|only| only == *org));
            untold.kinds = concern.fold(untold.kinds, |all, (kinds, _)| all.and(*kinds));
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.organisations
            .values()
            .filter(|untold| !untold.kinds.is_empty())
            .map(|untold| untold.not_before)
            .min()
    }

    fn publish_due(&mut self, events: &EventHub, now: Instant) {
        let due = |untold: &Untold| !untold.kinds.is_empty() && untold.not_before <= now;
        for (org, untold) in self.organisations.iter_mut().filter(|(_, untold)| due(untold)) {
            let kinds = std::mem::take(&mut untold.kinds);
            untold.not_before = now + FLEET_PAUSE;
            events.publish(*org, FLEET, "fleet.changed", &json!({ "kinds": kinds.names() }).to_string());
        }
    }
}

/// The hosts whose pages are open, with what their browsers know.
#[derive(Default)]
struct FollowedHosts {
    hosts: HashMap<Uuid, Followed>,
}

struct Followed {
    org_id: Uuid,
    topic: Arc<str>,
    told: Option<HostVitals>,
    watched_at: Instant,
}

impl FollowedHosts {
    fn followed(&mut self, events: &EventHub, now: Instant) -> Vec<Uuid> {
        for (org_id, topic) in events.watched(HOST_PREFIX) {
            let Some(id) = topic.strip_prefix(HOST_PREFIX).and_then(|id| id.parse().ok()) else { continue };
            let followed =
                self.hosts.entry(id).or_insert(Followed { org_id, topic, told: None, watched_at: now });
            followed.watched_at = now;
        }
        self.hosts.retain(|_, followed| now < followed.watched_at + LINGER);
        self.hosts.keys().copied().collect()
    }

    fn publish(&mut self, events: &EventHub, current: Vec<HostVitals>) {
        let mut current: HashMap<Uuid, HostVitals> =
            current.into_iter().map(|vitals| (vitals.host_id, vitals)).collect();
        self.hosts.retain(|id, followed| {
            let found = current.remove(id).filter(|vitals| vitals.org_id == followed.org_id);
            let Some(vitals) = found else {
                let data = json!({ "id": id }).to_string();
                events.publish_last(followed.org_id, &followed.topic, "host.deleted", &data);
                return false;
            };
            if followed.told.as_ref() != Some(&vitals) {
                match serde_json::to_string(&HostUpdated::from(&vitals)) {
                    Ok(data) => events.publish(followed.org_id, &followed.topic, "host.updated", &data),
                    Err(error) => tracing::error!(%error, "an event could not be written"),
                }
                followed.told = Some(vitals);
            }
            true
        });
    }
}
