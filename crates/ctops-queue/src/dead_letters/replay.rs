//! Applies letters again.

use std::sync::Arc;

use ctops_base::clock::Clock;
use ctops_pg::{Pool, Tx};
use metrics::counter;
use sqlx::FromRow;

use crate::handler::{Handler, HandlerError, guarded};
use crate::measure;
use crate::offsets::storable;
use crate::queue::Record;

/// Most letters of one run; the next run continues.
const MOST: usize = 500;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replays {
    /// Letters that were applied.
    pub applied: usize,
    /// Letters that were refused again.
    pub refused: usize,
}

/// A letter that is to be applied.
#[derive(FromRow)]
struct Requested {
    id: i64,
    group_name: String,
    topic: String,
    offset: i64,
    key: Vec<u8>,
    payload: Vec<u8>,
    parked_at: chrono::DateTime<chrono::Utc>,
}

/// How one letter fared.
enum Outcome {
    None,
    Applied,
    Refused(i64, String),
}

/// Applies every letter for which a replay was asked, each in a transaction of its own because one that is refused must
/// not take others along. What is refused waits again, with the new reason. Safe to run in several processes.
///
/// # Errors
/// When the database fails; letters that were not applied are tried by the next run.
pub async fn replay_requested(
    pool: &Pool,
    clock: &Clock,
    handlers: &[Arc<dyn Handler>],
) -> Result<Replays, sqlx::Error> {
    let mut replays = Replays::default();
    for _ in 0..MOST {
        match replay_next(pool, clock, handlers).await? {
            Outcome::None => break,
            Outcome::Applied => {
                counter!(measure::REPLAYED).increment(1);
                replays.applied += 1;
            }
            Outcome::Refused(id, reason) => {
                replays.refused += 1;
                refuse(pool, id, &reason).await?;
            }
        }
    }
    Ok(replays)
}

async fn replay_next(
    pool: &Pool,
    clock: &Clock,
    handlers: &[Arc<dyn Handler>],
) -> Result<Outcome, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let Some(letter) = lock_next(&mut tx).await? else {
        return Ok(Outcome::None);
    };
    let id = letter.id;
    let handler = handlers
        .iter()
        .find(|handler| handler.group() == letter.group_name && handler.topic().name() == letter.topic);
    let refusal = match handler {
        None => Some("this version has no consumer for it".to_owned()),
        Some(handler) => apply(handler.as_ref(), &mut tx, letter).await?,
    };
    if let Some(reason) = refusal {
        tx.rollback().await?;
        return Ok(Outcome::Refused(id, reason));
    }
    sqlx::query("UPDATE dead_letters SET replayed_at = $2 WHERE id = $1")
        .bind(id)
        .bind(clock.now())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Outcome::Applied)
}

/// Hands the letter to its handler; why it was refused, if it was.
async fn apply(
    handler: &dyn Handler,
    tx: &mut Tx<'_>,
    letter: Requested,
) -> Result<Option<String>, sqlx::Error> {
    let record = Record {
        offset: letter.offset.cast_unsigned(),
        key: letter.key.into(),
        payload: letter.payload.into(),
        appended_at_ms: letter.parked_at.timestamp_millis(),
    };
    match guarded(handler, tx, std::slice::from_ref(&record)).await {
        Ok(parked) => Ok(parked.into_iter().next().map(|parked| parked.reason)),
        Err(HandlerError::Data(reason)) => Ok(Some(reason)),
        Err(HandlerError::Database(error)) => Err(error),
    }
}

async fn lock_next(tx: &mut Tx<'_>) -> Result<Option<Requested>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, group_name, topic, \"offset\", key, payload, parked_at
           FROM dead_letters
          WHERE replay_requested_at IS NOT NULL AND replayed_at IS NULL
          ORDER BY id
          LIMIT 1
            FOR UPDATE SKIP LOCKED",
    )
    .fetch_optional(&mut **tx)
    .await
}

/// The letter waits again.
async fn refuse(pool: &Pool, id: i64, reason: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE dead_letters
            SET replay_requested_at = NULL, reason = $2, refusals = refusals + 1
          WHERE id = $1 AND replayed_at IS NULL",
    )
    .bind(id)
    .bind(storable(reason))
    .execute(pool)
    .await?;
    Ok(())
}
