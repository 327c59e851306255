//! Statements on `user_preferences`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// What somebody chose.
pub(super) async fn find(
    executor: impl sqlx::PgExecutor<'_>,
    user_id: Uuid,
) -> Result<Option<Value>, sqlx::Error> {
    sqlx::query_scalar("SELECT document FROM user_preferences WHERE user_id = $1 FOR UPDATE")
        .bind(user_id)
        .fetch_optional(executor)
        .await
}

/// Keeps it.
pub(super) async fn save(
    executor: impl sqlx::PgExecutor<'_>,
    user_id: Uuid,
    document: &Value,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO user_preferences (user_id, document, updated_at)
         VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET document = EXCLUDED.document, updated_at = EXCLUDED.updated_at",
    )
    .bind(user_id)
    .bind(document)
    .bind(now)
    .execute(executor)
    .await
    .map(drop)
}
