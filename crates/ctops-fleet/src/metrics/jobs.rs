//! Aggregates, partitions and retention.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use ctops_base::{Clock, Problem};
use ctops_pg::Pool;
use ctops_pg::partitions::{drop_before, ensure_days};
use ctops_slice::Job;
use uuid::Uuid;

use super::model::{Engine, Level, Retention, Source, StoredAmount, families};
use super::rollup::bring_up_to_date;
use super::store::{keep, roll, timescale};

/// Pause between two aggregations. Twice a minute, so that no minute waits longer than one (monitoring 5).
const ROLL_EVERY: Duration = Duration::from_secs(30);
/// Pause between two retention runs (monitoring 15).
const KEEP_EVERY: Duration = Duration::from_secs(6 * 3600);
/// Days made at a time, beginning with yesterday, whose late samples still arrive: a server that stands still for a
/// week finds its partitions when it comes back.
const DAYS: u32 = 9;
/// Hosts whose old rows are deleted together.
const HOSTS_AT_ONCE: i64 = 200;

/// Makes the aggregates.
pub(super) struct RollUp {
    pool: Pool,
    clock: Clock,
}

impl RollUp {
    pub(super) fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }
}

#[async_trait]
impl Job for RollUp {
    fn name(&self) -> &'static str {
        "metric_aggregates"
    }

    fn every(&self) -> Duration {
        ROLL_EVERY
    }

    async fn run(&self) -> Result<(), Problem> {
        bring_up_to_date(&self.pool, self.clock.now()).await.map_err(Problem::internal)
    }
}

/// Chooses the engine, makes partitions before they are needed, drops what nobody keeps any longer and notes what is
/// left.
pub(super) struct KeepHistory {
    pool: Pool,
    clock: Clock,
}

impl KeepHistory {
    pub(super) fn new(pool: Pool, clock: Clock) -> Self {
        Self { pool, clock }
    }

    /// Moves to TimescaleDB if it is there. Only while there are no samples: afterwards the plain tables stay.
    async fn choose_engine(&self) -> Result<Engine, sqlx::Error> {
        let current = roll::progress(&self.pool).await?.storage;
        if current != Engine::Partitions {
            return Ok(current);
        }
        let Some(better) = timescale::best_engine(&self.pool).await? else { return Ok(current) };
        let mut tx = self.pool.begin().await?;
        if !timescale::is_empty(&mut tx).await? {
            // Given back at once: it keeps everybody from writing.
            tx.rollback().await?;
            tracing::info!(
                "TimescaleDB is there but metrics were kept without it; they stay in plain tables"
            );
            return Ok(current);
        }
        timescale::convert(&mut tx, better).await?;
        tx.commit().await?;
        tracing::info!(storage = better.as_str(), "metrics are kept with TimescaleDB");
        Ok(better)
    }

    async fn make_partitions(&self, now: DateTime<Utc>) -> Result<(), Problem> {
        let today = now.date_naive();
        let from = today.checked_sub_days(Days::new(1)).unwrap_or(today);
        for source in [Source::Samples, Source::Aggregates(Level::Minute), Source::Aggregates(Level::Hour)] {
            for family in families() {
                let (table, _) = source.table(family);
                ensure_days(&self.pool, &table, from, DAYS).await.map_err(Problem::internal)?;
            }
        }
        Ok(())
    }

    /// Drops what no organisation keeps.
    async fn drop_for_all(
        &self,
        engine: Engine,
        now: DateTime<Utc>,
        all: &[Retention],
    ) -> Result<(), Problem> {
        for source in Source::ALL {
            let longest = all.iter().map(|retention| retention.kept_days(source)).max();
            let before = begin_of_day(now, longest.unwrap_or(Retention::of(1).kept_days(source)));
            for family in families() {
                let (table, _) = source.table(family);
                let dropped = match (engine, source) {
                    (Engine::Partitions, Source::Aggregates(Level::Day)) => {
                        let mut dropped = 0;
                        loop {
                            let some = keep::delete_days(&self.pool, &table, before).await;
                            match some.map_err(Problem::internal)? {
                                0 => break dropped,
                                some => dropped += some.cast_signed(),
                            }
                        }
                    }
                    (Engine::Partitions, _) => {
                        let dropped = drop_before(&self.pool, &table, before.date_naive()).await;
                        i64::from(dropped.map_err(Problem::internal)?)
                    }
                    (Engine::Hypertables | Engine::Continuous, _) => {
                        timescale::drop_chunks(&self.pool, &table, before).await.map_err(Problem::internal)?
                    }
                };
                if dropped > 0 {
                    tracing::info!(table, dropped, %before, "dropped old metrics");
                }
            }
        }
        Ok(())
    }

    /// Deletes what one organisation does not keep although another does. Continuous aggregates cannot be deleted from;
    /// what they hold beyond an organisation's time is not shown and goes with the chunk.
    async fn delete_for_one(
        &self,
        engine: Engine,
        now: DateTime<Utc>,
        org_id: Uuid,
        own: Retention,
        all: &[Retention],
    ) -> Result<(), sqlx::Error> {
        for source in Source::ALL {
            let kept = own.kept_days(source);
            let others_keep_longer = all.iter().any(|other| other.kept_days(source) > kept);
            let is_view = engine == Engine::Continuous && source != Source::Samples;
            if !others_keep_longer || is_view {
                continue;
            }
            let before = begin_of_day(now, kept);
            let mut after = Uuid::nil();
            loop {
                let hosts = keep::hosts_of(&self.pool, org_id, after, HOSTS_AT_ONCE).await?;
                let Some(last) = hosts.last() else { break };
                after = *last;
                for family in families() {
                    let (table, time) = source.table(family);
                    while keep::delete_of_hosts(&self.pool, &table, time, &hosts, before).await? > 0 {}
                }
            }
        }
        Ok(())
    }

    /// Puts the hours of days that are over into the order of their hosts. They were written hour by hour, so that the
    /// rows of one host were as many pages apart as there are rows; afterwards a day of one host is a page or two, and
    /// the chart of a month reads a tenth of the pages.
    /// A partition is locked while it is rewritten.
    async fn put_in_order(&self, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let tables: Vec<String> = families().iter().map(|family| family.aggregates(Level::Hour)).collect();
        // Late samples are a day old at most.
        let before = (now - TimeDelta::days(2)).date_naive();
        for (partition, key) in keep::unordered_days(&self.pool, &tables, before).await? {
            keep::put_in_order(&self.pool, &partition, &key).await?;
        }
        Ok(())
    }

    async fn note_amounts(&self, engine: Engine, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let mut amounts = Vec::new();
        for source in Source::ALL {
            let tables: Vec<String> = families().iter().map(|family| source.table(family).0).collect();
            let (rows, bytes, oldest_at) = if engine == Engine::Partitions {
                let (_, time) = source.table(families()[0]);
                keep::amount(&self.pool, &tables, time).await?
            } else {
                timescale::amount(&self.pool, &tables).await?
            };
            amounts.push(StoredAmount {
                resolution: source.name().to_owned(),
                rows,
                bytes,
                oldest_at,
                measured_at: now,
            });
        }
        keep::set_amounts(&self.pool, &amounts).await
    }
}

/// Midnight so many days ago: days are kept or dropped as a whole.
fn begin_of_day(now: DateTime<Utc>, days: i32) -> DateTime<Utc> {
    (now - TimeDelta::days(i64::from(days))).date_naive().and_time(NaiveTime::MIN).and_utc()
}

#[async_trait]
impl Job for KeepHistory {
    fn name(&self) -> &'static str {
        "metric_retention"
    }

    fn every(&self) -> Duration {
        KEEP_EVERY
    }

    async fn run(&self) -> Result<(), Problem> {
        let now = self.clock.now();
        let engine = self.choose_engine().await.map_err(Problem::internal)?;
        if engine == Engine::Partitions {
            self.make_partitions(now).await?;
        }
        let retentions = keep::all_retentions(&self.pool).await.map_err(Problem::internal)?;
        let all: Vec<Retention> = retentions.iter().map(|(_, retention)| *retention).collect();
        self.drop_for_all(engine, now, &all).await?;
        for (org_id, own) in retentions {
            self.delete_for_one(engine, now, org_id, own, &all).await.map_err(Problem::internal)?;
        }
        if engine == Engine::Partitions {
            self.put_in_order(now).await.map_err(Problem::internal)?;
        }
        self.note_amounts(engine, now).await.map_err(Problem::internal)
    }
}
