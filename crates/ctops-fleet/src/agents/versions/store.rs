use ctops_pg::Tx;

/// Notes which version each agent runs; the two lists belong together. Agents that are not there are skipped, and those
/// that run it already are not written. Locks in the order of the ids.
///
/// # Errors
/// Whatever the database says.
pub async fn record_versions(
    tx: &mut Tx<'_>,
    ids: &[String],
    versions: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "WITH outdated AS (
             SELECT a.id, u.version
             FROM agents AS a
             JOIN UNNEST($1::text[], $2::text[]) AS u(id, version) ON u.id = a.id
             WHERE a.version IS DISTINCT FROM u.version
             ORDER BY a.id
             FOR NO KEY UPDATE OF a
         )
         UPDATE agents AS a
         SET version = outdated.version
         FROM outdated
         WHERE a.id = outdated.id",
    )
    .bind(ids)
    .bind(versions)
    .execute(&mut **tx)
    .await
    .map(drop)
}
