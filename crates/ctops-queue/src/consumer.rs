//! Applies records to PostgreSQL, each exactly once.
//!
//! A batch, the offset after it and the letters it put aside are one transaction. The offset is moved first and only if
//! it still is what this consumer believes, so two consumers of a group can never apply the same record, and a commit
//! whose answer was lost is recognised.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ctops_base::clock::Clock;
use ctops_pg::Pool;
use metrics::{counter, gauge};
use tokio_util::sync::CancellationToken;

use crate::handler::{Handler, HandlerError, Parked, guarded};
use crate::measure;
use crate::offsets::{self, Place};
use crate::queue::{Batch, BatchLimits, Delivery, Origin, Position, Queue, QueueError, Record, Subscription};
use crate::topic::Topic;

/// First wait after a failure; doubles with each further one.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
/// Longest wait between two attempts.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(10);

/// Runs one consumer until `shutdown` or until the queue is closed. A transaction that is under way is finished first.
/// Failures are retried for ever with growing pauses (100 ms to 10 s) and nothing is skipped.
pub async fn run_consumer(
    queue: Arc<dyn Queue>,
    pool: Pool,
    clock: Clock,
    handler: Arc<dyn Handler>,
    shutdown: CancellationToken,
) {
    let mut runner = Runner::new(pool, clock, handler, shutdown);
    // Boxed: the future holds a transaction and whatever the handler needs.
    Box::pin(runner.run(queue.as_ref())).await;
}

/// The runner is to stop.
struct Stop;

/// Why a transaction was not committed.
enum Failure {
    Handler(HandlerError),
    /// The stored offset is not the one this consumer knows.
    Moved,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Handler(error.into())
    }
}

/// A part of a batch that is committed in one transaction.
struct Piece {
    range: Range<usize>,
    /// Set when the one record of the piece is known to be poison.
    poison: Option<String>,
}

struct Runner {
    pool: Pool,
    clock: Clock,
    handler: Arc<dyn Handler>,
    shutdown: CancellationToken,
    group: &'static str,
    topic: Topic,
    /// What the database holds for each assigned partition, as far as this consumer knows.
    known: HashMap<u32, Option<Position>>,
    back_off: Duration,
}

impl Runner {
    fn new(pool: Pool, clock: Clock, handler: Arc<dyn Handler>, shutdown: CancellationToken) -> Self {
        let (group, topic) = (handler.group(), handler.topic());
        Self { pool, clock, handler, shutdown, group, topic, known: HashMap::new(), back_off: FIRST_BACK_OFF }
    }

    async fn run(&mut self, queue: &dyn Queue) {
        let shutdown = self.shutdown.clone();
        let mut subscription = loop {
            match queue.subscribe(self.group, self.topic).await {
                Ok(subscription) => break subscription,
                Err(error) => {
                    if self.queue_failed(&error).await.is_err() {
                        return;
                    }
                }
            }
        };
        let limits = self.handler.limits();
        let steady = BatchLimits { max_wait: limits.max_wait.max(self.handler.pace()), ..limits };
        let mut is_steady = false;
        loop {
            let limits = if is_steady { &steady } else { &limits };
            let delivery = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                delivery = subscription.next_batch(limits) => delivery,
            };
            is_steady = matches!(delivery, Ok(Delivery::Batch(_)));
            let done = match delivery {
                Ok(delivery) => self.take(subscription.as_mut(), delivery).await,
                Err(error) => self.queue_failed(&error).await,
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn take(&mut self, subscription: &mut dyn Subscription, delivery: Delivery) -> Result<(), Stop> {
        match delivery {
            Delivery::Batch(batch) => self.apply(subscription, &batch).await?,
            Delivery::Assigned(partitions) => {
                for partition in partitions {
                    self.go_to_stored(subscription, partition).await?;
                }
            }
            Delivery::Revoked(partitions) => {
                self.known.retain(|partition, _| !partitions.contains(partition));
            }
            Delivery::Idle => {}
        }
        self.report_lag(subscription);
        Ok(())
    }

    /// Continues a partition where the database says.
    async fn go_to_stored(
        &mut self,
        subscription: &mut dyn Subscription,
        partition: u32,
    ) -> Result<(), Stop> {
        loop {
            let stored = match offsets::load(&self.pool, self.place(partition)).await {
                Ok(stored) => stored,
                Err(error) => {
                    self.database_failed(&error).await?;
                    continue;
                }
            };
            match subscription.seek(partition, stored.as_ref()).await {
                Ok(started) => {
                    self.tell(partition, started.origin, started.position.next_offset);
                    self.known.insert(partition, stored);
                    return Ok(());
                }
                // Revoked in the meantime; the subscription will say so.
                Err(QueueError::NotAssigned { .. }) => return Ok(()),
                Err(error) => self.queue_failed(&error).await?,
            }
        }
    }

    /// Applies a batch piece by piece, in order. Usually the batch is one piece.
    async fn apply(&mut self, subscription: &mut dyn Subscription, batch: &Batch) -> Result<(), Stop> {
        let in_flight = gauge!(measure::IN_FLIGHT, "group" => self.group, "topic" => self.topic.name());
        let mut pieces = vec![Piece { range: 0..batch.records.len(), poison: None }];
        while let Some(piece) = pieces.pop() {
            in_flight.set((batch.records.len() - piece.range.start) as f64);
            let committed = self.commit(batch, &piece).await;
            if committed.is_err() {
                counter!(measure::FAILED, "group" => self.group, "topic" => self.topic.name()).increment(1);
            }
            match committed {
                Ok(next_offset) => {
                    self.back_off = FIRST_BACK_OFF;
                    // The queue only learns that it may drop records; it is told again by the next batch.
                    let _ = subscription.committed(batch.partition, next_offset).await;
                }
                Err(Failure::Moved) => {
                    tracing::warn!(
                        queue.group = self.group, queue.topic = %self.topic, queue.partition = batch.partition,
                        "The stored offset was moved by another transaction; continuing from there"
                    );
                    in_flight.set(0.0);
                    self.pause().await?;
                    return self.go_to_stored(subscription, batch.partition).await;
                }
                Err(Failure::Handler(HandlerError::Database(error))) => {
                    pieces.push(piece);
                    self.report_lag(subscription);
                    self.database_failed(&error).await?;
                }
                Err(Failure::Handler(HandlerError::Data(reason))) if piece.poison.is_none() => {
                    pieces.extend(narrow(&piece, reason));
                }
                Err(Failure::Handler(HandlerError::Data(reason))) => {
                    tracing::error!(
                        queue.group = self.group, queue.topic = %self.topic, reason,
                        "A record could not even be put aside; trying again"
                    );
                    pieces.push(piece);
                    self.pause().await?;
                }
            }
        }
        in_flight.set(0.0);
        Ok(())
    }

    /// One transaction: the offset, the records, the letters. Returns the new offset.
    async fn commit(&mut self, batch: &Batch, piece: &Piece) -> Result<u64, Failure> {
        let records = &batch.records[piece.range.clone()];
        let Some(last) = records.last() else {
            return Err(Failure::Moved);
        };
        let place = self.place(batch.partition);
        let next = Position { log_id: Arc::clone(&batch.log_id), next_offset: last.offset + 1 };
        let Some(known) = self.known.get(&batch.partition) else {
            return Err(Failure::Moved);
        };
        let now = self.clock.now();
        let mut tx = self.pool.begin().await?;
        if !offsets::claim(&mut tx, place, known.as_ref(), &next, now).await? {
            return Err(Failure::Moved);
        }
        let parked = match &piece.poison {
            Some(reason) => vec![Parked { offset: last.offset, reason: reason.clone() }],
            None => guarded(self.handler.as_ref(), &mut tx, records).await.map_err(Failure::Handler)?,
        };
        let letters = letters(records, parked).map_err(Failure::Handler)?;
        if !letters.is_empty() {
            offsets::park(&mut tx, place, &batch.log_id, &letters, now).await?;
        }
        tx.commit().await?;
        self.count(records.len(), &letters);
        let next_offset = next.next_offset;
        self.known.insert(batch.partition, Some(next));
        Ok(next_offset)
    }

    fn count(&self, records: usize, letters: &[(&Record, String)]) {
        let (group, topic) = (self.group, self.topic.name());
        counter!(measure::HANDLED, "group" => group, "topic" => topic)
            .increment((records - letters.len()) as u64);
        for (record, reason) in letters {
            counter!(measure::PARKED, "group" => group, "topic" => topic).increment(1);
            tracing::warn!(
                queue.group = group, queue.topic = topic, queue.offset = record.offset, reason = %reason,
                "A record was put aside because it cannot be applied"
            );
        }
    }

    fn report_lag(&self, subscription: &dyn Subscription) {
        let known = self.known.iter();
        let lag: u64 = known
            .map(|(partition, position)| {
                subscription.lag(*partition, position.as_ref().map_or(0, |position| position.next_offset))
            })
            .sum();
        gauge!(measure::LAG, "group" => self.group, "topic" => self.topic.name()).set(lag as f64);
    }

    fn tell(&self, partition: u32, origin: Origin, next_offset: u64) {
        let (group, topic) = (self.group, self.topic);
        match origin {
            Origin::Fresh | Origin::Resumed => tracing::debug!(
                queue.group = group, queue.topic = %topic, queue.partition = partition, queue.offset = next_offset,
                "The consumer has its position"
            ),
            Origin::OtherLog => tracing::warn!(
                queue.group = group, queue.topic = %topic, queue.partition = partition, queue.offset = next_offset,
                "The queue was replaced since the last commit; reading the new one from its beginning"
            ),
            Origin::BeyondEnd => tracing::warn!(
                queue.group = group, queue.topic = %topic, queue.partition = partition, queue.offset = next_offset,
                "The queue is older than the stored offset; reading it from its beginning, records may be applied twice"
            ),
            Origin::Expired { missing } => tracing::error!(
                queue.group = group, queue.topic = %topic, queue.partition = partition, queue.offset = next_offset,
                missing, "The database is older than the queue; records in between are gone"
            ),
        }
    }

    async fn database_failed(&mut self, error: &sqlx::Error) -> Result<(), Stop> {
        tracing::warn!(
            queue.group = self.group, queue.topic = %self.topic, %error,
            retry_ms = self.back_off.as_millis() as u64, "The database failed; the same records are tried again"
        );
        self.pause().await
    }

    async fn queue_failed(&mut self, error: &QueueError) -> Result<(), Stop> {
        if matches!(error, QueueError::Closed) {
            return Err(Stop);
        }
        tracing::error!(
            queue.group = self.group, queue.topic = %self.topic, %error,
            retry_ms = self.back_off.as_millis() as u64, "The queue cannot be read"
        );
        self.pause().await
    }

    /// Waits before the next attempt, longer each time.
    async fn pause(&mut self) -> Result<(), Stop> {
        let pause = self.back_off;
        self.back_off = (pause * 2).min(LONGEST_BACK_OFF);
        tokio::select! {
            () = self.shutdown.cancelled() => Err(Stop),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    fn place(&self, partition: u32) -> Place {
        Place { group: self.group, topic: self.topic, partition }
    }
}

/// Halves a piece with poison somewhere in it, last half first because the pieces are a stack. A single record is the
/// poison.
fn narrow(piece: &Piece, reason: String) -> Vec<Piece> {
    let Range { start, end } = piece.range.clone();
    if end - start <= 1 {
        return vec![Piece { range: start..end, poison: Some(reason) }];
    }
    let middle = start + (end - start) / 2;
    vec![Piece { range: middle..end, poison: None }, Piece { range: start..middle, poison: None }]
}

/// Finds the records that a handler parked.
fn letters(records: &[Record], parked: Vec<Parked>) -> Result<Vec<(&Record, String)>, HandlerError> {
    let find = |parked: Parked| {
        let found = records.binary_search_by_key(&parked.offset, |record| record.offset);
        found.map(|at| (&records[at], parked.reason)).map_err(|_| {
            HandlerError::Data(format!("the handler parked offset {}, which it was not given", parked.offset))
        })
    };
    parked.into_iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: u64) -> Record {
        Record { offset, key: bytes::Bytes::new(), payload: bytes::Bytes::new(), appended_at_ms: 0 }
    }

    #[test]
    fn piece_with_poison_is_halved_in_order_until_one_record_is_left() {
        let halves = narrow(&Piece { range: 4..9, poison: None }, "bad".into());
        let ranges: Vec<_> =
            halves.iter().map(|piece| (piece.range.clone(), piece.poison.is_some())).collect();
        assert_eq!(ranges, [(6..9, false), (4..6, false)], "the first half is on top of the stack");
        let single = narrow(&Piece { range: 4..5, poison: None }, "bad".into());
        assert_eq!(single.len(), 1);
        assert_eq!(single[0].poison.as_deref(), Some("bad"));
    }

    #[test]
    fn parked_offset_is_found_among_sparse_offsets_and_a_foreign_one_is_an_error() {
        let records = [record(3), record(7), record(20)];
        let parked = |offset| vec![Parked { offset, reason: "bad".into() }];
        let found = letters(&records, parked(7));
        assert!(found.is_ok_and(|letters| letters.len() == 1 && letters[0].0.offset == 7));
        assert!(matches!(letters(&records, parked(8)), Err(HandlerError::Data(_))));
    }
}
