//! Statements on `settings`, `settings_history`, `setting_secrets`.

use chrono::{DateTime, Utc};
use ctops_pg::Tx;
use ctops_slice::Grant;
use ctops_slice::settings::Document;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

/// What is stored of one page.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoredPage {
    /// 0 when nothing was ever saved.
    pub(crate) version: i64,
    /// The document.
    pub(crate) document: Document,
    /// When it was saved.
    pub(crate) updated_at: Option<DateTime<Utc>>,
    /// Who saved it: id and name.
    pub(crate) updated_by: Option<(Uuid, String)>,
}

#[derive(sqlx::FromRow)]
struct PageRow {
    page: String,
    version: i64,
    document: Value,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
    updated_by_name: Option<String>,
}

impl PageRow {
    fn named(self) -> (String, StoredPage) {
        let document = match self.document {
            Value::Object(document) => document,
            _ => Document::new(),
        };
        let stored = StoredPage {
            version: self.version,
            document,
            updated_at: Some(self.updated_at),
            updated_by: self.updated_by.zip(self.updated_by_name),
        };
        (self.page, stored)
    }
}

/// Who set a secret, and when.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct SecretMark {
    /// The key.
    pub(crate) name: String,
    /// When.
    pub(crate) set_at: DateTime<Utc>,
    /// Who, if they still exist.
    pub(crate) set_by_name: Option<String>,
}

/// One page of an organisation.
pub(super) async fn find(
    executor: impl sqlx::PgExecutor<'_>,
    grant: &Grant,
    page: &str,
) -> Result<StoredPage, sqlx::Error> {
    let row: Option<PageRow> = sqlx::query_as(
        "SELECT s.page, s.version, s.document, s.updated_at, s.updated_by, u.name AS updated_by_name
         FROM settings s
         LEFT JOIN users u ON u.id = s.updated_by
         WHERE s.org_id = $1 AND s.page = $2",
    )
    .bind(grant.org_id())
    .bind(page)
    .fetch_optional(executor)
    .await?;
    Ok(row.map(|row| row.named().1).unwrap_or_default())
}

/// Every page of an organisation that was ever saved.
pub(super) async fn all(
    executor: impl sqlx::PgExecutor<'_>,
    grant: &Grant,
) -> Result<Vec<(String, StoredPage)>, sqlx::Error> {
    let rows: Vec<PageRow> = sqlx::query_as(
        "SELECT s.page, s.version, s.document, s.updated_at, s.updated_by, u.name AS updated_by_name
         FROM settings s
         LEFT JOIN users u ON u.id = s.updated_by
         WHERE s.org_id = $1
         ORDER BY s.page",
    )
    .bind(grant.org_id())
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(PageRow::named).collect())
}

/// The secrets of a page that are set.
pub(super) async fn secrets(
    executor: impl sqlx::PgExecutor<'_>,
    grant: &Grant,
    page: &str,
) -> Result<Vec<SecretMark>, sqlx::Error> {
    sqlx::query_as(
        "SELECT s.name, s.set_at, u.name AS set_by_name
         FROM setting_secrets s
         LEFT JOIN users u ON u.id = s.set_by
         WHERE s.org_id = $1 AND s.page = $2",
    )
    .bind(grant.org_id())
    .bind(page)
    .fetch_all(executor)
    .await
}

/// One save.
pub(super) struct Save<'a> {
    /// The page.
    pub(super) page: &'a str,
    /// The version that it replaces; 0 when there is none.
    pub(super) replaces: i64,
    /// The document.
    pub(super) document: &'a Document,
    /// Names of the secrets that it sets or clears.
    pub(super) secrets: &'a [&'a str],
    /// Who saves.
    pub(super) by: Uuid,
    /// When.
    pub(super) at: DateTime<Utc>,
}

/// Writes the next version and its entry in the history. Returns false when somebody else was faster.
pub(super) async fn save(tx: &mut Tx<'_>, grant: &Grant, save: &Save<'_>) -> Result<bool, sqlx::Error> {
    let written = sqlx::query(
        "INSERT INTO settings (org_id, page, version, document, updated_by, updated_at)
         VALUES ($1, $2, $3 + 1, $4, $5, $6)
         ON CONFLICT (org_id, page) DO UPDATE
         SET version = EXCLUDED.version, document = EXCLUDED.document, updated_by = EXCLUDED.updated_by,
             updated_at = EXCLUDED.updated_at
         WHERE settings.version = $3",
    )
    .bind(grant.org_id())
    .bind(save.page)
    .bind(save.replaces)
    .bind(Json(save.document))
    .bind(save.by)
    .bind(save.at)
    .execute(&mut **tx)
    .await?;
    if written.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO settings_history (org_id, page, version, document, secrets, updated_by, updated_at)
         VALUES ($1, $2, $3 + 1, $4, $5, $6, $7)",
    )
    .bind(grant.org_id())
    .bind(save.page)
    .bind(save.replaces)
    .bind(Json(save.document))
    .bind(save.secrets)
    .bind(save.by)
    .bind(save.at)
    .execute(&mut **tx)
    .await?;
    Ok(true)
}

/// Keeps a sealed secret.
pub(super) async fn set_secret(
    tx: &mut Tx<'_>,
    grant: &Grant,
    (page, name): (&str, &str),
    sealed: &[u8],
    (by, at): (Uuid, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO setting_secrets (org_id, page, name, sealed, set_by, set_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (org_id, page, name) DO UPDATE
         SET sealed = EXCLUDED.sealed, set_by = EXCLUDED.set_by, set_at = EXCLUDED.set_at",
    )
    .bind(grant.org_id())
    .bind(page)
    .bind(name)
    .bind(sealed)
    .bind(by)
    .bind(at)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Forgets a secret.
pub(super) async fn clear_secret(
    tx: &mut Tx<'_>,
    grant: &Grant,
    page: &str,
    name: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM setting_secrets WHERE org_id = $1 AND page = $2 AND name = $3")
        .bind(grant.org_id())
        .bind(page)
        .bind(name)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// One save of the past.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct PastSave {
    /// Which.
    pub(crate) version: i64,
    /// The document it left.
    pub(crate) document: Json<Document>,
    /// Secrets it set or cleared.
    pub(crate) secrets: Vec<String>,
    /// When.
    pub(crate) updated_at: DateTime<Utc>,
    /// Who.
    pub(crate) updated_by: Option<Uuid>,
    /// Their name.
    pub(crate) updated_by_name: Option<String>,
}

/// Saves up to and including version `to`, newest first.
pub(super) async fn history(
    executor: impl sqlx::PgExecutor<'_>,
    grant: &Grant,
    page: &str,
    to: i64,
    limit: i64,
) -> Result<Vec<PastSave>, sqlx::Error> {
    sqlx::query_as(
        "SELECT h.version, h.document, h.secrets, h.updated_at, h.updated_by, u.name AS updated_by_name
         FROM settings_history h
         LEFT JOIN users u ON u.id = h.updated_by
         WHERE h.org_id = $1 AND h.page = $2 AND h.version <= $3
         ORDER BY h.version DESC
         LIMIT $4",
    )
    .bind(grant.org_id())
    .bind(page)
    .bind(to)
    .bind(limit)
    .fetch_all(executor)
    .await
}
