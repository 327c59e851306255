//! SQL of the consumer runner: how far each group is, and what it put aside.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use sqlx::Row;

use crate::queue::{Position, Record};
use crate::topic::Topic;

/// Longest reason stored with a dead letter, characters.
const MAX_REASON_CHARS: usize = 500;

/// Whose offset is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) group: &'static str,
    pub(crate) topic: Topic,
    pub(crate) partition: u32,
}

/// Where the group continues, if it ever committed.
pub(crate) async fn load(pool: &Pool, place: Place) -> Result<Option<Position>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT log_id, next_offset
           FROM consumer_offsets
          WHERE group_name = $1 AND topic = $2 AND partition = $3",
    )
    .bind(place.group)
    .bind(place.topic.name())
    .bind(place.partition.cast_signed())
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let log_id: String = row.try_get("log_id")?;
    let next_offset: i64 = row.try_get("next_offset")?;
    Ok(Some(Position { log_id: log_id.into(), next_offset: next_offset.cast_unsigned() }))
}

/// Moves the stored offset from `expected` to `next` and locks it until the transaction ends. `false` when the stored
/// offset is not the expected one, that is, when somebody else has moved it: then nothing may be applied.
pub(crate) async fn claim(
    tx: &mut Tx<'_>,
    place: Place,
    expected: Option<&Position>,
    next: &Position,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let statement = match expected {
        None => {
            "INSERT INTO consumer_offsets (group_name, topic, partition, log_id, next_offset, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT DO NOTHING"
        }
        Some(_) => {
            "UPDATE consumer_offsets
                SET log_id = $4, next_offset = $5, updated_at = $6
              WHERE group_name = $1 AND topic = $2 AND partition = $3 AND log_id = $7 AND next_offset = $8"
        }
    };
    let mut query = sqlx::query(statement)
        .bind(place.group)
        .bind(place.topic.name())
        .bind(place.partition.cast_signed())
        .bind(&*next.log_id)
        .bind(next.next_offset.cast_signed())
        .bind(now);
    if let Some(expected) = expected {
        query = query.bind(&*expected.log_id).bind(expected.next_offset.cast_signed());
    }
    Ok(query.execute(&mut **tx).await?.rows_affected() == 1)
}

/// Replaces whatever is stored of these groups and the topic by these positions, one for each partition.
pub(crate) async fn replace(
    tx: &mut Tx<'_>,
    groups: &[&str],
    topic: Topic,
    positions: &BTreeMap<u32, Position>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM consumer_offsets WHERE group_name = ANY($1) AND topic = $2")
        .bind(groups)
        .bind(topic.name())
        .execute(&mut **tx)
        .await?;
    let partitions: Vec<i32> = positions.keys().map(|partition| partition.cast_signed()).collect();
    let log_ids: Vec<&str> = positions.values().map(|position| &*position.log_id).collect();
    let offsets: Vec<i64> = positions.values().map(|position| position.next_offset.cast_signed()).collect();
    sqlx::query(
        "INSERT INTO consumer_offsets (group_name, topic, partition, log_id, next_offset, updated_at)
         SELECT name, $2, place.partition, place.log_id, place.next_offset, $6
           FROM UNNEST($1::text[]) AS name,
                UNNEST($3::int[], $4::text[], $5::bigint[]) AS place (partition, log_id, next_offset)",
    )
    .bind(groups)
    .bind(topic.name())
    .bind(partitions)
    .bind(log_ids)
    .bind(offsets)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps records that cannot be applied, each with its reason. One that is kept already stays as it is.
pub(crate) async fn park(
    tx: &mut Tx<'_>,
    place: Place,
    log_id: &str,
    letters: &[(&Record, String)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let offsets: Vec<i64> = letters.iter().map(|(record, _)| record.offset.cast_signed()).collect();
    let keys: Vec<&[u8]> = letters.iter().map(|(record, _)| &*record.key).collect();
    let payloads: Vec<&[u8]> = letters.iter().map(|(record, _)| &*record.payload).collect();
    let reasons: Vec<String> = letters.iter().map(|(_, reason)| storable(reason)).collect();
    sqlx::query(
        "INSERT INTO dead_letters (group_name, topic, partition, log_id, \"offset\", key, payload, reason, parked_at)
         SELECT $1, $2, $3, $4, letter.at, letter.key, letter.payload, letter.reason, $9
           FROM UNNEST($5::bigint[], $6::bytea[], $7::bytea[], $8::text[]) AS letter (at, key, payload, reason)
         ON CONFLICT DO NOTHING",
    )
    .bind(place.group)
    .bind(place.topic.name())
    .bind(place.partition.cast_signed())
    .bind(log_id)
    .bind(offsets)
    .bind(keys)
    .bind(payloads)
    .bind(reasons)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A reason may quote the poison itself: PostgreSQL refuses NUL in text, and its length must be bounded.
pub(crate) fn storable(reason: &str) -> String {
    reason.chars().filter(|c| *c != '\0').take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_bounded_and_free_of_nul() {
        assert_eq!(storable("bad \0 text"), "bad  text");
        assert_eq!(storable(&"ä".repeat(MAX_REASON_CHARS + 1)).chars().count(), MAX_REASON_CHARS);
    }
}
