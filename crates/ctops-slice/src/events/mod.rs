//! Live views: server-sent events with resume (api-conventions 10).
//!
//! Slices publish to named topics; each browser stream follows a few topics of its own organisation. Recent events
//! stay in a buffer, so that a reconnecting browser continues where it was, or is told to start again (`reset`).

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{Clock, Problem};
use futures_util::Stream;
use tokio::sync::broadcast;
use tokio::time::Instant;
use uuid::Uuid;

use crate::actor::{Actor, Authenticator};

/// Streams one user may hold at a time.
pub const MAX_STREAMS_PER_USER: usize = 8;
/// Age up to which events can be resumed.
const BUFFER_AGE: TimeDelta = TimeDelta::minutes(5);
/// Events kept at most, whatever their age: bounds memory when a fleet is busy.
const BUFFER_EVENTS: usize = 4096;
/// Events a slow browser may lag behind before it is reset.
const CHANNEL_EVENTS: usize = 1024;
/// Comment ping.
const PING: Duration = Duration::from_secs(15);
/// How often a stream looks whether it may go on: changed rights act within 10 s (host-groups 18), ended credentials
/// within 5 s (users-teams-rbac 5).
const LOOK: Duration = Duration::from_secs(4);

/// Something that happened, as it goes to browsers.
#[derive(Clone, Debug)]
pub struct Event {
    seq: u64,
    at: DateTime<Utc>,
    topic: Arc<str>,
    org_id: Uuid,
    name: &'static str,
    data: Arc<str>,
    ends_stream: bool,
}

/// Whether what a stream shows may still be shown; asked as often as the credential behind it.
#[async_trait]
pub trait StillVisible: Send + Sync {
    /// False ends the stream, also when it cannot be found out.
    async fn is_visible(&self, actor: &Actor) -> bool;
}

/// Where slices publish and browser streams subscribe. Cloning shares the hub.
#[derive(Clone)]
pub struct EventHub(Arc<Hub>);

struct Hub {
    boot: Uuid,
    clock: Clock,
    sender: broadcast::Sender<Event>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    seq: u64,
    recent: VecDeque<Event>,
    watchers: HashMap<(Uuid, Arc<str>), usize>,
    per_user: HashMap<Uuid, usize>,
}

impl EventHub {
    /// A hub without events.
    pub fn new(clock: Clock) -> Self {
        let hub = Hub {
            boot: Uuid::new_v4(),
            clock,
            sender: broadcast::channel(CHANNEL_EVENTS).0,
            inner: Mutex::default(),
        };
        Self(Arc::new(hub))
    }

    /// Sends `data` (JSON text) to everybody of the organisation who follows `topic`.
    pub fn publish(&self, org_id: Uuid, topic: &str, name: &'static str, data: &str) {
        self.send(org_id, topic, name, data, false);
    }

    /// Like [`EventHub::publish`], and ends the streams that receive it.
    pub fn publish_last(&self, org_id: Uuid, topic: &str, name: &'static str, data: &str) {
        self.send(org_id, topic, name, data, true);
    }

    fn send(&self, org_id: Uuid, topic: &str, name: &'static str, data: &str, ends_stream: bool) {
        let now = self.0.clock.now();
        let mut inner = self.lock();
        inner.seq += 1;
        let event = Event {
            seq: inner.seq,
            at: now,
            topic: topic.into(),
            org_id,
            name,
            data: data.into(),
            ends_stream,
        };
        while inner.recent.len() >= BUFFER_EVENTS
            || inner.recent.front().is_some_and(|oldest| oldest.at < now - BUFFER_AGE)
        {
            inner.recent.pop_front();
        }
        inner.recent.push_back(event.clone());
        // Sent under the lock, so that a subscriber sees each event exactly once: in the buffer or on the channel.
        let _nobody_listens = self.0.sender.send(event);
    }

    /// Topics with this prefix that somebody follows right now, with their organisations.
    pub fn watched(&self, prefix: &str) -> Vec<(Uuid, Arc<str>)> {
        self.lock().watchers.keys().filter(|(_, topic)| topic.starts_with(prefix)).cloned().collect()
    }

    /// A browser stream over `topics` for `actor`, resuming after the `Last-Event-ID` header.
    ///
    /// # Errors
    /// `rate_limited` when the user already holds [`MAX_STREAMS_PER_USER`] streams.
    pub fn stream(
        &self,
        actor: &Actor,
        topics: Vec<String>,
        headers: &HeaderMap,
        authenticator: Arc<dyn Authenticator>,
    ) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>> + use<>>, Problem> {
        self.stream_while(actor, topics, headers, authenticator, None)
    }

    /// Like [`EventHub::stream`]; the stream also ends when `visible` says so.
    ///
    /// # Errors
    /// As [`EventHub::stream`].
    pub fn stream_while(
        &self,
        actor: &Actor,
        topics: Vec<String>,
        headers: &HeaderMap,
        authenticator: Arc<dyn Authenticator>,
        visible: Option<Arc<dyn StillVisible>>,
    ) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>> + use<>>, Problem> {
        let last_id = headers.get("last-event-id").and_then(|value| value.to_str().ok());
        let follower = self.follow(actor, topics, last_id)?;
        let first = std::iter::once(sse::Event::default().comment("open").retry(Duration::from_secs(2)));
        let state = StreamState {
            follower,
            authenticator,
            visible,
            actor: actor.clone(),
            next_look: Instant::now() + LOOK,
            first: Some(first.collect()),
        };
        let stream = futures_util::stream::unfold(state, next_event);
        Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(PING).text("ping")))
    }

    fn follow(&self, actor: &Actor, topics: Vec<String>, last_id: Option<&str>) -> Result<Follower, Problem> {
        let mut inner = self.lock();
        let streams = inner.per_user.entry(actor.user_id).or_default();
        if *streams >= MAX_STREAMS_PER_USER {
            return Err(Problem::limited(PING.as_secs()));
        }
        *streams += 1;
        let topics: Vec<Arc<str>> = topics.into_iter().map(Arc::from).collect();
        for topic in &topics {
            *inner.watchers.entry((actor.org_id, topic.clone())).or_default() += 1;
        }
        let matches = |event: &Event| event.org_id == actor.org_id && topics.contains(&event.topic);
        let (backlog, reset) = match last_id {
            None => (VecDeque::new(), false),
            Some(id) => match self.resume_point(id, &inner) {
                Some(seq) => {
                    (inner.recent.iter().filter(|e| e.seq > seq && matches(e)).cloned().collect(), false)
                }
                None => (VecDeque::new(), true),
            },
        };
        let receiver = self.0.sender.subscribe();
        drop(inner);
        Ok(Follower {
            hub: self.clone(),
            user_id: actor.user_id,
            org_id: actor.org_id,
            topics,
            backlog,
            reset,
            receiver,
            ended: false,
        })
    }

    /// The sequence number behind an event id, when everything after it is still in the buffer.
    fn resume_point(&self, id: &str, inner: &Inner) -> Option<u64> {
        let (boot, seq) = id.rsplit_once('.')?;
        let seq: u64 = seq.parse().ok()?;
        let is_ours = boot == self.0.boot.simple().to_string() && seq <= inner.seq;
        let first_kept = inner.recent.front().map_or(inner.seq + 1, |event| event.seq);
        (is_ours && seq + 1 >= first_kept).then_some(seq)
    }

    fn event_id(&self, seq: u64) -> String {
        format!("{}.{seq}", self.0.boot.simple())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One subscription; leaving is noticed when it is dropped.
struct Follower {
    hub: EventHub,
    user_id: Uuid,
    org_id: Uuid,
    topics: Vec<Arc<str>>,
    backlog: VecDeque<Event>,
    reset: bool,
    receiver: broadcast::Receiver<Event>,
    ended: bool,
}

impl Follower {
    /// The next event for the browser; `None` when the stream is over.
    async fn next(&mut self) -> Option<sse::Event> {
        if self.ended {
            return None;
        }
        if std::mem::take(&mut self.reset) {
            return Some(self.reset_event());
        }
        if let Some(event) = self.backlog.pop_front() {
            return Some(self.render(&event));
        }
        loop {
            match self.receiver.recv().await {
                Ok(event) if event.org_id == self.org_id && self.topics.contains(&event.topic) => {
                    return Some(self.render(&event));
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return Some(self.reset_event()),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    fn render(&mut self, event: &Event) -> sse::Event {
        self.ended = event.ends_stream;
        sse::Event::default().id(self.hub.event_id(event.seq)).event(event.name).data(&*event.data)
    }

    fn reset_event(&self) -> sse::Event {
        let seq = self.hub.lock().seq;
        sse::Event::default().id(self.hub.event_id(seq)).event("reset").data("{}")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut inner = self.hub.lock();
        if let Some(streams) = inner.per_user.get_mut(&self.user_id) {
            *streams -= 1;
            if *streams == 0 {
                inner.per_user.remove(&self.user_id);
            }
        }
        for topic in &self.topics {
            let key = (self.org_id, topic.clone());
            if let Some(count) = inner.watchers.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    inner.watchers.remove(&key);
                }
            }
        }
    }
}

struct StreamState {
    follower: Follower,
    authenticator: Arc<dyn Authenticator>,
    visible: Option<Arc<dyn StillVisible>>,
    actor: Actor,
    next_look: Instant,
    first: Option<Vec<sse::Event>>,
}

impl StreamState {
    async fn may_go_on(&self) -> bool {
        if !matches!(self.authenticator.is_alive(&self.actor).await, Ok(true)) {
            return false;
        }
        match &self.visible {
            Some(visible) => visible.is_visible(&self.actor).await,
            None => true,
        }
    }
}

/// The next event, looking every [`LOOK`] whether the credential behind the stream still lives, however busy it is.
async fn next_event(mut state: StreamState) -> Option<(Result<sse::Event, Infallible>, StreamState)> {
    if let Some(event) = state.first.take().and_then(|mut events| events.pop()) {
        return Some((Ok(event), state));
    }
    loop {
        tokio::select! {
            event = state.follower.next(), if Instant::now() < state.next_look => return event.map(|event| (Ok(event), state)),
            () = tokio::time::sleep_until(state.next_look) => {
                if !state.may_go_on().await {
                    return None;
                }
                state.next_look = Instant::now() + LOOK;
            }
        }
    }
}

#[cfg(test)]
mod tests;
