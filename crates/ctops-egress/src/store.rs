//! Statements that read the policy; the licensing area's settings page writes it.

use ctops_pg::Pool;
use uuid::Uuid;

use crate::policy::{Mode, Policy};
use crate::target::Target;

/// The policy of one organisation; the default when it never set one.
///
/// # Errors
/// Whatever the database says.
pub async fn load_policy(pool: &Pool, org_id: Uuid) -> Result<Policy, sqlx::Error> {
    let rows: Vec<(Option<String>, Option<String>)> = sqlx::query_as(
        "SELECT s.mode, NULL::text AS target
         FROM egress_settings s
         WHERE s.org_id = $1
         UNION ALL
         SELECT NULL::text, t.target
         FROM egress_targets t
         WHERE t.org_id = $1",
    )
    .bind(org_id)
    .fetch_all(pool)
    .await?;
    let mode = rows.iter().find_map(|(mode, _)| mode.as_deref().and_then(Mode::parse));
    let targets = rows.iter().filter_map(|(_, target)| Target::parse(target.as_deref()?).ok());
    Ok(Policy { mode: mode.unwrap_or_default(), targets: targets.collect() })
}
