//! SQL of the set-up slice.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use uuid::Uuid;

use super::model::{CodeState, Created, FirstAccount};

/// Key of the advisory lock under which an installation is prepared and set up: "setup" in ASCII.
const SETUP_LOCK: i64 = 0x0073_6574_7570;

/// Waits until no other transaction prepares or sets up.
pub(super) async fn lock(tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(SETUP_LOCK).execute(&mut **tx).await?;
    Ok(())
}

/// Whether there is any user, removed ones included.
pub(super) async fn users_exist(pool: &Pool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM users)").fetch_one(pool).await
}

/// As [`users_exist`], inside a transaction.
pub(super) async fn users_exist_in(tx: &mut Tx<'_>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM users)").fetch_one(&mut **tx).await
}

type CodeRow = (Vec<u8>, i32, Option<DateTime<Utc>>);

fn to_state((code_hash, failures, locked_until): CodeRow) -> CodeState {
    CodeState { code_hash, failures, locked_until }
}

/// The code's row, if the installation was prepared.
pub(super) async fn code(pool: &Pool) -> Result<Option<CodeState>, sqlx::Error> {
    let row: Option<CodeRow> = sqlx::query_as("SELECT code_hash, failures, locked_until FROM setup_codes")
        .fetch_optional(pool)
        .await?;
    Ok(row.map(to_state))
}

/// The code's row, locked until the transaction ends, so that guesses are counted one after the other.
pub(super) async fn code_for_update(tx: &mut Tx<'_>) -> Result<Option<CodeState>, sqlx::Error> {
    let row: Option<CodeRow> =
        sqlx::query_as("SELECT code_hash, failures, locked_until FROM setup_codes FOR UPDATE")
            .fetch_optional(&mut **tx)
            .await?;
    Ok(row.map(to_state))
}

/// Stores a code. Failures and a lock stay when the code is the same as before.
pub(super) async fn put_code(
    tx: &mut Tx<'_>,
    code_hash: &[u8],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO setup_codes AS c (code_hash, failures, locked_until, created_at)
         VALUES ($1, 0, NULL, $2)
         ON CONFLICT (singleton) DO UPDATE
         SET code_hash = $1,
             failures = CASE WHEN c.code_hash = $1 THEN c.failures ELSE 0 END,
             locked_until = CASE WHEN c.code_hash = $1 THEN c.locked_until END,
             created_at = $2",
    )
    .bind(code_hash)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes down a wrong guess.
pub(super) async fn record_failure(
    tx: &mut Tx<'_>,
    failures: i32,
    locked_until: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE setup_codes SET failures = $1, locked_until = $2")
        .bind(failures)
        .bind(locked_until)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Removes the code: it was used, or is not needed any more.
pub(super) async fn delete_code(tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM setup_codes").execute(&mut **tx).await?;
    Ok(())
}

/// The oldest organisation, if there is any.
pub(super) async fn first_organisation(tx: &mut Tx<'_>) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM organisations ORDER BY created_at, id LIMIT 1")
        .fetch_optional(&mut **tx)
        .await
}

/// The organisation that is there longest, unless it was deleted.
pub(super) async fn first_living_organisation(pool: &Pool) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM organisations WHERE deleted_at IS NULL ORDER BY created_at, id LIMIT 1",
    )
    .fetch_optional(pool)
    .await
}

/// Creates the organisation, or gives the one that hosts joined before set-up its name.
pub(super) async fn put_organisation(
    tx: &mut Tx<'_>,
    id: Uuid,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO organisations (id, name, created_at)
         VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE
         SET name = EXCLUDED.name",
    )
    .bind(id)
    .bind(name)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Creates the account, with its address verified.
pub(super) async fn insert_user(
    tx: &mut Tx<'_>,
    id: Uuid,
    account: &FirstAccount,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO users (id, email, name, password_hash, email_verified_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $5)",
    )
    .bind(id)
    .bind(account.email.as_str())
    .bind(&account.name)
    .bind(password_hash)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Makes the account super_admin of the organisation.
pub(super) async fn insert_super_admin(
    tx: &mut Tx<'_>,
    created: Created,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO memberships (org_id, user_id, roles, created_at) VALUES ($1, $2, '{super_admin}', $3)",
    )
    .bind(created.org_id)
    .bind(created.user_id)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Enabled identity providers of every organisation: organisation, kind, id, name.
pub(super) async fn enabled_providers(pool: &Pool) -> Result<Vec<(Uuid, String, Uuid, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT p.org_id, p.kind, p.id, p.name
         FROM identity_providers p
         JOIN organisations o ON o.id = p.org_id AND o.deleted_at IS NULL
         WHERE p.enabled AND p.deleted_at IS NULL
         ORDER BY o.created_at, p.org_id, lower(p.name), p.id
         LIMIT 200",
    )
    .fetch_all(pool)
    .await
}

/// Directories that people may sign in with, of every organisation: id, name. The settings are those that the sign-in
/// itself goes by.
pub(super) async fn offered_directories(pool: &Pool) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT c.id, c.name
         FROM ldap_configurations c
         JOIN organisations o ON o.id = c.org_id AND o.deleted_at IS NULL
         LEFT JOIN settings s ON s.org_id = c.org_id AND s.page = 'authentication'
         WHERE c.enabled AND c.login_allowed AND c.deleted_at IS NULL
           AND COALESCE(s.document ->> 'sso_only', 'false') <> 'true'
           AND (c.settings ->> 'transport' <> 'plain' OR s.document ->> 'ldap_allow_plain' = 'true')
         ORDER BY o.created_at, c.org_id, lower(c.name), c.id
         LIMIT 200",
    )
    .fetch_all(pool)
    .await
}

/// Whether the switch "identity providers only" is off in some organisation.
pub(super) async fn some_use_passwords(pool: &Pool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM organisations o
             LEFT JOIN settings s ON s.org_id = o.id AND s.page = 'authentication'
             WHERE o.deleted_at IS NULL AND COALESCE(s.document ->> 'sso_only', 'false') <> 'true'
         )",
    )
    .fetch_one(pool)
    .await
}
