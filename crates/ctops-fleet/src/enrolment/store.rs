//! Statements on `agent_enrolment_tokens`, and on the one column of `organisations` that this slice owns.

use chrono::{DateTime, Utc};
use ctops_base::PageRequest;
use ctops_pg::{Pool, Tx};
use ctops_slice::Grant;
use sqlx::types::Json;
use uuid::Uuid;

use super::model::{EnrolmentToken, LISTED_FOR, NewToken, ReenrolmentPolicy, Token, TokenStatus};
use super::tags::Tag;

#[derive(sqlx::FromRow)]
struct TokenRow {
    id: Uuid,
    label: String,
    hint_prefix: String,
    hint_suffix: String,
    auto_approve: bool,
    skip_verify: bool,
    max_uses: Option<i32>,
    usage_count: i32,
    expires_at: Option<DateTime<Utc>>,
    tags: Json<Vec<Tag>>,
    creator_id: Option<Uuid>,
    creator_name: Option<String>,
    created_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
}

impl From<TokenRow> for Token {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id,
            label: row.label,
            hint_prefix: row.hint_prefix,
            hint_suffix: row.hint_suffix,
            auto_approve: row.auto_approve,
            skip_verify: row.skip_verify,
            max_uses: row.max_uses,
            usage_count: row.usage_count,
            expires_at: row.expires_at,
            tags: row.tags.0,
            created_by: row.creator_id.zip(row.creator_name),
            created_at: row.created_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// One page of the listed tokens, newest first; `status` narrows it.
pub(super) async fn page(
    pool: &Pool,
    grant: &Grant,
    status: Option<TokenStatus>,
    request: PageRequest,
    now: DateTime<Utc>,
) -> Result<Vec<Token>, sqlx::Error> {
    let rows: Vec<TokenRow> = sqlx::query_as(
        "SELECT t.id, t.label, t.hint_prefix, t.hint_suffix, t.auto_approve, t.skip_verify, t.max_uses,
                t.usage_count, t.expires_at, t.tags, u.id AS creator_id, u.name AS creator_name,
                t.created_at, t.revoked_at
         FROM agent_enrolment_tokens t
         LEFT JOIN users u ON u.id = t.created_by
         WHERE t.org_id = $1
           AND NOT (COALESCE(t.revoked_at, t.expires_at) < $3
                    OR (t.usage_count >= t.max_uses AND t.last_used_at < $3)) IS TRUE
           AND ($4::text IS NULL
                OR $4 = CASE
                            WHEN t.revoked_at IS NOT NULL THEN 'revoked'
                            WHEN t.expires_at <= $2 THEN 'expired'
                            WHEN t.usage_count >= t.max_uses THEN 'exhausted'
                            ELSE 'active'
                        END)
         ORDER BY t.created_at DESC, t.id
         LIMIT $5 OFFSET $6",
    )
    .bind(grant.org_id())
    .bind(now)
    .bind(now - LISTED_FOR)
    .bind(status.map(TokenStatus::as_str))
    .bind(request.limit())
    .bind(request.offset())
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Token::from).collect())
}

/// Tokens that [`page`] has on all its pages together.
pub(super) async fn count(
    pool: &Pool,
    grant: &Grant,
    status: Option<TokenStatus>,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*)
         FROM agent_enrolment_tokens t
         WHERE t.org_id = $1
           AND NOT (COALESCE(t.revoked_at, t.expires_at) < $3
                    OR (t.usage_count >= t.max_uses AND t.last_used_at < $3)) IS TRUE
           AND ($4::text IS NULL
                OR $4 = CASE
                            WHEN t.revoked_at IS NOT NULL THEN 'revoked'
                            WHEN t.expires_at <= $2 THEN 'expired'
                            WHEN t.usage_count >= t.max_uses THEN 'exhausted'
                            ELSE 'active'
                        END)",
    )
    .bind(grant.org_id())
    .bind(now)
    .bind(now - LISTED_FOR)
    .bind(status.map(TokenStatus::as_str))
    .fetch_one(pool)
    .await
}

/// A listed token by id.
pub(super) async fn find<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    grant: &Grant,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Token>, sqlx::Error> {
    let row: Option<TokenRow> = sqlx::query_as(
        "SELECT t.id, t.label, t.hint_prefix, t.hint_suffix, t.auto_approve, t.skip_verify, t.max_uses,
                t.usage_count, t.expires_at, t.tags, u.id AS creator_id, u.name AS creator_name,
                t.created_at, t.revoked_at
         FROM agent_enrolment_tokens t
         LEFT JOIN users u ON u.id = t.created_by
         WHERE t.org_id = $1
           AND t.id = $2
           AND NOT (COALESCE(t.revoked_at, t.expires_at) < $3
                    OR (t.usage_count >= t.max_uses AND t.last_used_at < $3)) IS TRUE",
    )
    .bind(grant.org_id())
    .bind(id)
    .bind(now - LISTED_FOR)
    .fetch_optional(executor)
    .await?;
    Ok(row.map(Token::from))
}

/// What identifies a new token: id, digest of the secret, and what is shown of it.
pub(super) struct SecretParts<'a> {
    pub(super) hash: [u8; 32],
    pub(super) hint_prefix: &'a str,
    pub(super) hint_suffix: &'a str,
}

/// Adds a token.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
    new: &NewToken,
    secret: &SecretParts<'_>,
    created_by: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let expires_at = new.expires_in_days.map(|days| now + chrono::TimeDelta::days(i64::from(days)));
    sqlx::query(
        "INSERT INTO agent_enrolment_tokens
             (id, org_id, label, token_hash, hint_prefix, hint_suffix, auto_approve, skip_verify, max_uses,
              expires_at, tags, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(id)
    .bind(grant.org_id())
    .bind(&new.label)
    .bind(&secret.hash[..])
    .bind(secret.hint_prefix)
    .bind(secret.hint_suffix)
    .bind(new.auto_approve)
    .bind(new.skip_verify)
    .bind(new.max_uses.map(i64::from))
    .bind(expires_at)
    .bind(Json(&new.tags))
    .bind(created_by)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Revokes a token that still admits agents. Returns whether it did.
pub(super) async fn revoke(
    tx: &mut Tx<'_>,
    grant: &Grant,
    id: Uuid,
    by: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE agent_enrolment_tokens
         SET revoked_at = $4, revoked_by = $3
         WHERE org_id = $1
           AND id = $2
           AND revoked_at IS NULL
           AND (expires_at IS NULL OR expires_at > $4)
           AND (max_uses IS NULL OR usage_count < max_uses)",
    )
    .bind(grant.org_id())
    .bind(id)
    .bind(by)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

#[derive(sqlx::FromRow)]
struct AdmissionRow {
    id: Uuid,
    org_id: Uuid,
    label: String,
    auto_approve: bool,
    tags: Json<Vec<Tag>>,
    status: String,
}

/// The token with this digest, in whatever state. Those of a deleted organisation are unknown.
pub(super) async fn find_by_hash(
    pool: &Pool,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<EnrolmentToken>, sqlx::Error> {
    let row: Option<AdmissionRow> = sqlx::query_as(
        "SELECT t.id, t.org_id, t.label, t.auto_approve, t.tags,
                CASE
                    WHEN t.revoked_at IS NOT NULL THEN 'revoked'
                    WHEN t.expires_at <= $2 THEN 'expired'
                    WHEN t.usage_count >= t.max_uses THEN 'exhausted'
                    ELSE 'active'
                END AS status
         FROM agent_enrolment_tokens t
         JOIN organisations o ON o.id = t.org_id AND o.deleted_at IS NULL
         WHERE t.token_hash = $1",
    )
    .bind(&hash[..])
    .bind(now)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| EnrolmentToken {
        id: row.id,
        org_id: row.org_id,
        label: row.label,
        auto_approve: row.auto_approve,
        tags: row.tags.0,
        status: TokenStatus::from_name(&row.status).unwrap_or(TokenStatus::Revoked),
    }))
}

/// Consumes one use when there is one and the organisation was not deleted. The row stays locked until the transaction ends, which is what orders agents that
/// race for the last use.
pub(super) async fn consume(tx: &mut Tx<'_>, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let left: Option<i32> = sqlx::query_scalar(
        "UPDATE agent_enrolment_tokens
         SET usage_count = usage_count + 1, last_used_at = $2
         WHERE id = $1
           AND revoked_at IS NULL
           AND (expires_at IS NULL OR expires_at > $2)
           AND (max_uses IS NULL OR usage_count < max_uses)
           AND EXISTS (SELECT 1 FROM organisations o WHERE o.id = org_id AND o.deleted_at IS NULL)
         RETURNING usage_count",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(left.is_some())
}

/// The organisation's policy; none when there is no such organisation.
pub(super) async fn policy<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    org_id: Uuid,
) -> Result<Option<ReenrolmentPolicy>, sqlx::Error> {
    let name: Option<String> =
        sqlx::query_scalar("SELECT reenrolment_policy FROM organisations WHERE id = $1")
            .bind(org_id)
            .fetch_optional(executor)
            .await?;
    Ok(name.as_deref().and_then(ReenrolmentPolicy::from_name))
}

/// Sets the organisation's policy.
pub(super) async fn set_policy(
    tx: &mut Tx<'_>,
    grant: &Grant,
    policy: ReenrolmentPolicy,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE organisations SET reenrolment_policy = $2 WHERE id = $1")
        .bind(grant.org_id())
        .bind(policy.as_str())
        .execute(&mut **tx)
        .await
        .map(drop)
}
