//! Statements that read settings. They are written by the slice that serves the pages.

use ctops_pg::Pool;
use serde_json::Value;
use uuid::Uuid;

/// The stored document of one page.
pub(super) async fn document(pool: &Pool, org_id: Uuid, page: &str) -> Result<Option<Value>, sqlx::Error> {
    sqlx::query_scalar("SELECT document FROM settings WHERE org_id = $1 AND page = $2")
        .bind(org_id)
        .bind(page)
        .fetch_optional(pool)
        .await
}

/// One sealed secret of a page.
pub(super) async fn secret(
    pool: &Pool,
    org_id: Uuid,
    page: &str,
    name: &str,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT sealed FROM setting_secrets WHERE org_id = $1 AND page = $2 AND name = $3")
        .bind(org_id)
        .bind(page)
        .bind(name)
        .fetch_optional(pool)
        .await
}
