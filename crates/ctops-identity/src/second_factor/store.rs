//! SQL of the second factor slice.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use uuid::Uuid;

/// What a user has, as the database counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct FactorRow {
    pub(super) totp_enrolled_at: Option<DateTime<Utc>>,
    pub(super) recovery_codes: i64,
    pub(super) passkeys: i64,
}

pub(super) async fn factors(pool: &Pool, user_id: Uuid) -> Result<FactorRow, sqlx::Error> {
    sqlx::query_as(
        "SELECT (SELECT enrolled_at FROM totp_seeds WHERE user_id = $1) AS totp_enrolled_at,
                (SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL) AS recovery_codes,
                (SELECT count(*) FROM passkeys WHERE user_id = $1) AS passkeys",
    )
    .bind(user_id)
    .fetch_one(pool)
    .await
}

/// A seed as it is stored.
pub(super) struct SeedRow {
    pub(super) sealed: Vec<u8>,
    pub(super) enrolled: bool,
}

/// The user's seed, locked against others who would use the same code.
pub(super) async fn seed_for_update(tx: &mut Tx<'_>, user_id: Uuid) -> Result<Option<SeedRow>, sqlx::Error> {
    let row: Option<(Vec<u8>, bool)> = sqlx::query_as(
        "SELECT seed_sealed, enrolled_at IS NOT NULL FROM totp_seeds WHERE user_id = $1 FOR UPDATE",
    )
    .bind(user_id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|(sealed, enrolled)| SeedRow { sealed, enrolled }))
}

/// Puts a seed that waits for its first code in place of another that waits; whether none was in use.
pub(super) async fn put_waiting_seed(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    sealed: &[u8],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO totp_seeds AS t (user_id, seed_sealed, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE
         SET seed_sealed = EXCLUDED.seed_sealed, created_at = EXCLUDED.created_at, last_step = 0
         WHERE t.enrolled_at IS NULL",
    )
    .bind(user_id)
    .bind(sealed)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes the seed into use.
pub(super) async fn enrol(tx: &mut Tx<'_>, user_id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE totp_seeds SET enrolled_at = $1 WHERE user_id = $2 AND enrolled_at IS NULL")
        .bind(now)
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Remembers the step of an accepted code; whether it is later than any before.
pub(super) async fn take_step(tx: &mut Tx<'_>, user_id: Uuid, step: i64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("UPDATE totp_seeds SET last_step = $1 WHERE user_id = $2 AND last_step < $1")
        .bind(step)
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes the seed; whether it was in use.
pub(super) async fn delete_seed(tx: &mut Tx<'_>, user_id: Uuid) -> Result<bool, sqlx::Error> {
    let row: Option<bool> =
        sqlx::query_scalar("DELETE FROM totp_seeds WHERE user_id = $1 RETURNING enrolled_at IS NOT NULL")
            .bind(user_id)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(row.unwrap_or(false))
}

/// The unused recovery codes of a user: id and sealed hash. Locked, so that one is used once.
pub(super) async fn recovery_codes_for_update(
    tx: &mut Tx<'_>,
    user_id: Uuid,
) -> Result<Vec<(Uuid, Vec<u8>)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, hash_sealed FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL ORDER BY id FOR UPDATE",
    )
    .bind(user_id)
    .fetch_all(&mut **tx)
    .await
}

pub(super) async fn use_recovery_code(
    tx: &mut Tx<'_>,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE recovery_codes SET used_at = $1 WHERE id = $2")
        .bind(now)
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Puts new recovery codes in the place of all others.
pub(super) async fn replace_recovery_codes(
    tx: &mut Tx<'_>,
    user_id: Uuid,
    codes: &[(Uuid, Vec<u8>)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    delete_recovery_codes(tx, user_id).await?;
    let (ids, hashes): (Vec<Uuid>, Vec<Vec<u8>>) = codes.iter().cloned().unzip();
    sqlx::query(
        "INSERT INTO recovery_codes (id, user_id, hash_sealed, created_at)
         SELECT id, $2, hash, $4 FROM unnest($1::uuid[], $3::bytea[]) AS code (id, hash)",
    )
    .bind(ids)
    .bind(user_id)
    .bind(hashes)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn delete_recovery_codes(tx: &mut Tx<'_>, user_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM recovery_codes WHERE user_id = $1").bind(user_id).execute(&mut **tx).await?;
    Ok(())
}

/// The address of a member of the organisation, in whatever state.
pub(super) async fn member_address(
    pool: &Pool,
    grant: &Grant,
    user_id: Uuid,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT u.email
         FROM users u
         JOIN memberships m ON m.user_id = u.id AND m.org_id = $2 AND m.state <> 'removed'
         WHERE u.id = $1 AND u.deleted_at IS NULL AND u.kind = 'person'",
    )
    .bind(user_id)
    .bind(grant.org_id())
    .fetch_optional(pool)
    .await
}
