//! Statements on `saml_assertions`.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use uuid::Uuid;

/// An assertion that was accepted.
pub(super) struct NewAssertion<'a> {
    pub(super) provider_id: Uuid,
    pub(super) id_hash: [u8; 32],
    /// Hash of the ticket, the attempt it belongs to and who was asserted, sealed; none when nobody comes back for it.
    pub(super) ticket: Option<([u8; 32], Uuid, &'a [u8])>,
    pub(super) forget_after: DateTime<Utc>,
}

/// Writes an assertion down; false when it was there already.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    new: &NewAssertion<'_>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO saml_assertions
             (provider_id, id_hash, ticket_hash, attempt_id, person, received_at, forget_after)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (provider_id, id_hash) DO NOTHING",
    )
    .bind(new.provider_id)
    .bind(new.id_hash.as_slice())
    .bind(new.ticket.as_ref().map(|(hash, _, _)| hash.as_slice()))
    .bind(new.ticket.as_ref().map(|(_, attempt, _)| *attempt))
    .bind(new.ticket.as_ref().map(|(_, _, person)| *person))
    .bind(now)
    .bind(new.forget_after)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes what a ticket stands for: attempt and person; none when it was taken, is too old, or another provider's.
pub(super) async fn take(
    tx: &mut Tx<'_>,
    provider_id: Uuid,
    ticket_hash: &[u8; 32],
    not_before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<(Uuid, Vec<u8>)>, sqlx::Error> {
    // Written to in two steps, because RETURNING shows a row as it is afterwards.
    let found: Option<(Uuid, Vec<u8>)> = sqlx::query_as(
        "SELECT attempt_id, person FROM saml_assertions
         WHERE ticket_hash = $1 AND provider_id = $2 AND taken_at IS NULL AND person IS NOT NULL AND received_at > $3
         FOR UPDATE",
    )
    .bind(ticket_hash.as_slice())
    .bind(provider_id)
    .bind(not_before)
    .fetch_optional(&mut **tx)
    .await?;
    sqlx::query("UPDATE saml_assertions SET taken_at = $2, person = NULL WHERE ticket_hash = $1")
        .bind(ticket_hash.as_slice())
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(found)
}

/// Removes assertions that nobody could present any more, and people nobody came back for.
pub(super) async fn forget(
    pool: &Pool,
    now: DateTime<Utc>,
    people_before: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM saml_assertions WHERE forget_after < $1").bind(now).execute(pool).await?;
    sqlx::query("UPDATE saml_assertions SET person = NULL WHERE person IS NOT NULL AND received_at < $1")
        .bind(people_before)
        .execute(pool)
        .await
        .map(drop)
}
