//! Delivers the outbox.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;
use ctops_slice::Job;
use ctops_slice::mail::{DELIVERY_JOB, Letter, seal_name};
use futures_util::stream::{self, StreamExt};

use super::store::{DueLetter, Ending};
use super::{letter, relay, smtp, store};
use crate::Deps;

/// Letters taken at once.
const BATCH: i64 = 20;
/// Deliveries at once.
const AT_ONCE: usize = 4;
/// Nobody else takes a letter for this long: more than one run of the batch takes.
const CLAIM: TimeDelta = TimeDelta::minutes(5);
/// How often letters without a relay look for one; with the rhythm of the job they find it within a minute.
const WITHOUT_RELAY: TimeDelta = TimeDelta::seconds(30);
/// First pause after a failure; doubles each time.
const FIRST_PAUSE_S: i64 = 30;
/// Longest pause.
const LONGEST_PAUSE_S: i64 = 3600;
/// Rows of letters that ended are kept this long, without the letters.
const TRACE: TimeDelta = TimeDelta::days(7);

/// Delivers mail that waits in the outbox: at once what is new, as whoever sends wakes the job, and what failed when it is
/// due again.
#[derive(Clone)]
pub struct DeliverMail {
    deps: Deps,
}

impl DeliverMail {
    /// With these parts.
    pub fn new(deps: Deps) -> Self {
        Self { deps }
    }

    async fn try_one(&self, due: DueLetter, now: DateTime<Utc>) -> Result<(), Problem> {
        let opened = self.deps.seal.open(&seal_name(due.id), &due.sealed).ok();
        let opened: Option<Letter> = opened.and_then(|plain| serde_json::from_slice(&plain).ok());
        let ending = match opened {
            Some(opened) => self.attempt(&due, &opened, now).await?,
            None => Ending::Refused("the letter was sealed with another install key".to_owned()),
        };
        store::end_attempt(&self.deps.pool, due.id, &ending, now).await.map_err(Problem::internal)
    }

    async fn attempt(&self, due: &DueLetter, opened: &Letter, now: DateTime<Utc>) -> Result<Ending, Problem> {
        let Some(relay) = relay::relay_of(&self.deps, due.org_id).await? else {
            if due.attempts == 0 {
                announce(due, opened);
            }
            return Ok(Ending::Later("there is no mail relay".to_owned(), now + WITHOUT_RELAY));
        };
        let name = &self.deps.server_name;
        let message = match letter::message(&relay.page, opened, due.id, name, now) {
            Ok(message) => message,
            Err(error) => return Ok(Ending::Refused(error.to_string())),
        };
        let mut steps = Vec::new();
        match smtp::deliver(&self.deps.egress, &relay, name, &message, &mut steps).await {
            Ok(()) => {
                tracing::debug!(mail.id = %due.id, mail.kind = %due.kind, "mail was delivered to the relay");
                Ok(Ending::Sent)
            }
            Err(error) if error.permanent && error.step == smtp::StepName::Accepted => {
                tracing::warn!(mail.id = %due.id, mail.kind = %due.kind, "mail was refused by the relay: {error}");
                Ok(Ending::Refused(error.to_string()))
            }
            Err(error) => {
                tracing::warn!(mail.id = %due.id, mail.kind = %due.kind, "mail will be tried again: {error}");
                Ok(Ending::Later(error.to_string(), now + pause_after(due.attempts)))
            }
        }
    }
}

/// Without a relay the log is one of two places where an operator finds the link (auth 8).
fn announce(due: &DueLetter, opened: &Letter) {
    tracing::warn!(
        mail.id = %due.id,
        mail.kind = %due.kind,
        mail.to = %opened.to,
        mail.link = opened.link.as_deref().unwrap_or_default(),
        "there is no mail relay; this mail waits in Settings, Pending mail for 24 h: {}",
        opened.subject
    );
}

/// 30 s, 1 min, 2 min, up to 1 h.
fn pause_after(attempts: i32) -> TimeDelta {
    let doubled = FIRST_PAUSE_S << attempts.clamp(0, 8);
    TimeDelta::seconds(doubled.min(LONGEST_PAUSE_S))
}

#[async_trait]
impl Job for DeliverMail {
    fn name(&self) -> &'static str {
        DELIVERY_JOB
    }

    fn every(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn run(&self) -> Result<(), Problem> {
        let (pool, now) = (&self.deps.pool, self.deps.clock.now());
        let expired = store::expire(pool, now, now - TRACE).await.map_err(Problem::internal)?;
        if expired > 0 {
            tracing::warn!(expired, "mail that no relay took within 24 h was given up");
        }
        loop {
            // Those that were tried are due later, so this comes to an end.
            let due = store::take_due(pool, now, now + CLAIM, BATCH).await.map_err(Problem::internal)?;
            if due.is_empty() {
                return Ok(());
            }
            let outcomes: Vec<_> = stream::iter(due.into_iter().map(|due| self.try_one(due, now)))
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            outcomes.into_iter().collect::<Result<(), Problem>>()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let seconds: Vec<_> = [0, 1, 2, 6, 7, 20, i32::MAX].map(|n| pause_after(n).num_seconds()).into();
        assert_eq!(seconds, [30, 60, 120, 1920, 3600, 3600, 3600]);
    }
}
