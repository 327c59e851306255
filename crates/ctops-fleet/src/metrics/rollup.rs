//! Samples in, aggregates out.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_pg::{Pool, Tx};
use uuid::Uuid;

use super::model::{Engine, Level, NewSample, floor};
use super::store::{roll, write};

/// How long after its end a minute is closed. Samples that take longer from the agent's clock to the database are late,
/// which costs more but loses nothing.
const GRACE: TimeDelta = TimeDelta::seconds(10);
/// What is made again when a sample is late; agents deliver late samples in rows.
const SLOT: TimeDelta = TimeDelta::minutes(10);
/// The same for PostgreSQL.
const SLOT_TEXT: &str = "10 minutes";
/// Slots made again in one transaction: a third of a second, for which writers of the same slots may wait.
const SLOTS_AT_ONCE: i64 = 500;

/// Keeps samples, in the transaction of the batch that brought them. A sample that was kept before, by a batch that is
/// applied again or an agent that sent it again, is kept once.
///
/// # Errors
/// When the database fails; `tx` has failed then.
pub async fn record(tx: &mut Tx<'_>, samples: &[NewSample]) -> Result<(), sqlx::Error> {
    if samples.is_empty() {
        return Ok(());
    }
    let (closed_until, engine) = write::begin_writing(tx).await?;
    let fresh: Vec<&NewSample> = samples.iter().filter(|sample| !sample.late).collect();
    let mut moments = HashSet::new();
    let late: Vec<&NewSample> = samples
        .iter()
        .filter(|sample| sample.late && moments.insert((sample.host_id, sample.recorded_at)))
        .collect();
    write::insert_samples(tx, &fresh, false).await?;
    write::insert_samples(tx, &late, true).await?;
    write::insert_disks(tx, samples).await?;
    write::insert_rates(tx, samples).await?;
    if engine == Engine::Continuous {
        return Ok(());
    }
    let slots: HashSet<(Uuid, DateTime<Utc>)> = samples
        .iter()
        .filter(|sample| sample.late || sample.recorded_at < closed_until)
        .map(|sample| (sample.host_id, floor(sample.recorded_at, SLOT)))
        .collect();
    write::insert_late(tx, &slots).await
}

/// Makes every aggregate that can be made at `now`. Nothing else happens when there is nothing to do, and two nodes do
/// not get in each other's way.
///
/// # Errors
/// When the database fails; what was made until then stays made, and the next call goes on from there.
pub async fn bring_up_to_date(pool: &Pool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let progress = roll::progress(pool).await?;
    if progress.storage == Engine::Continuous {
        return Ok(());
    }
    let until = floor(now - GRACE, Level::Minute.width());
    if progress.closed_until < until {
        let mut tx = pool.begin().await?;
        roll::close(&mut tx, until).await?;
        tx.commit().await?;
    }
    while step(pool, Level::Minute).await? {}
    while again(pool).await? {}
    while step(pool, Level::Hour).await? {}
    while step(pool, Level::Day).await? {}
    Ok(())
}

/// One transaction's worth of a level. Returns whether there was something to do.
async fn step(pool: &Pool, level: Level) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin().await?;
    if !roll::try_begin_rolling(&mut tx).await? {
        return end(tx).await;
    }
    let progress = roll::progress(&mut *tx).await?;
    let complete = match level.finer() {
        None => progress.closed_until,
        Some(finer) => floor(progress.until(finer), level.width()),
    };
    let mut from = progress.until(level);
    if from == DateTime::UNIX_EPOCH {
        let oldest = roll::oldest_sample(&mut tx).await?;
        from = floor(oldest.unwrap_or(complete), level.width()).min(complete);
    }
    // Minutes at most an hour at a time, so that catching up is many short transactions.
    let reach = if level == Level::Minute { TimeDelta::hours(1) } else { level.width() };
    let to = (floor(from, reach) + reach).min(complete);
    if from >= to {
        return end(tx).await;
    }
    roll::roll_span(&mut tx, level, from, to).await?;
    roll::set_until(&mut tx, level, to).await?;
    tx.commit().await?;
    Ok(true)
}

/// Makes again what samples came late for. Returns whether there may be more.
async fn again(pool: &Pool) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin().await?;
    if !roll::try_begin_rolling(&mut tx).await? {
        return end(tx).await;
    }
    let progress = roll::progress(&mut *tx).await?;
    let slots = roll::take_late(&mut tx, progress.minutes_until, SLOTS_AT_ONCE).await?;
    if slots.is_empty() {
        return end(tx).await;
    }
    roll::roll_slots(&mut tx, Level::Minute, &slots, SLOT_TEXT).await?;
    for level in [Level::Hour, Level::Day] {
        let until = progress.until(level);
        let buckets: HashSet<(Uuid, DateTime<Utc>)> = slots
            .iter()
            .map(|(host_id, slot)| (*host_id, floor(*slot, level.width())))
            .filter(|(_, bucket)| *bucket < until)
            .collect();
        let buckets: Vec<(Uuid, DateTime<Utc>)> = buckets.into_iter().collect();
        roll::roll_slots(&mut tx, level, &buckets, level.interval()).await?;
    }
    tx.commit().await?;
    Ok(slots.len() as i64 == SLOTS_AT_ONCE)
}

/// Nothing to do. Its locks are given back at once: a transaction that is only dropped keeps them for a moment.
async fn end(tx: Tx<'_>) -> Result<bool, sqlx::Error> {
    tx.rollback().await?;
    Ok(false)
}
