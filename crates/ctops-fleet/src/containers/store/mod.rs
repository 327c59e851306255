//! All SQL of the slice: reading for people here, telemetry in [`telemetry`], settings in [`settings`], what is forgotten
//! in [`purge`].

use chrono::{DateTime, Utc};
use ctops_base::text::escape_like;
use ctops_pg::Pool;
use ctops_slice::Grant;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

pub(super) mod purge;
pub(super) mod settings;
pub(super) mod telemetry;

use super::model::{
    ContainerQuery, ContainerRow, ContainerSort, ContainerSortKey, EventRow, MAX_SAMPLES, RuntimeRow,
    SampleRow,
};

const COLUMNS: &str = "
    SELECT c.id, c.host_id, c.runtime, c.container_id, c.primary_name, c.names, c.image, c.image_id, c.labels,
           c.project, c.state, c.status, c.health, c.exit_code, c.restart_count, c.created_at_source,
           c.started_at_source, c.finished_at_source, c.first_seen_at, c.last_seen_at, c.is_present
    FROM containers AS c";

/// How many containers pass the query, on all pages together.
pub(super) async fn count(
    pool: &Pool,
    grant: &Grant,
    host_id: Uuid,
    query: &ContainerQuery,
) -> Result<i64, sqlx::Error> {
    let mut sql = QueryBuilder::new("SELECT count(*) FROM containers AS c");
    push_where(&mut sql, grant, host_id, query);
    sql.build_query_scalar().fetch_one(pool).await
}

/// One page of a host's containers.
pub(super) async fn page(
    pool: &Pool,
    grant: &Grant,
    host_id: Uuid,
    query: &ContainerQuery,
) -> Result<Vec<ContainerRow>, sqlx::Error> {
    let mut sql = QueryBuilder::new(COLUMNS);
    push_where(&mut sql, grant, host_id, query);
    sql.push(format_args!(" ORDER BY {} LIMIT ", order_by(query.sort))).push_bind(query.page.limit());
    sql.push(" OFFSET ").push_bind(query.page.offset());
    sql.build_query_as().fetch_all(pool).await
}

fn push_where(sql: &mut QueryBuilder<Postgres>, grant: &Grant, host_id: Uuid, query: &ContainerQuery) {
    sql.push(" WHERE c.org_id = ").push_bind(grant.org_id());
    sql.push(" AND c.host_id = ").push_bind(host_id);
    if let Some(state) = query.state {
        sql.push(" AND c.state = ").push_bind(state.as_str());
    }
    if let Some(image) = &query.image {
        sql.push(" AND c.image = ").push_bind(image.clone());
    }
    if let Some(project) = &query.project {
        sql.push(" AND c.project = ").push_bind(project.clone());
    }
    if let Some(present) = query.present {
        sql.push(" AND c.is_present = ").push_bind(present);
    }
    if let Some(search) = &query.search {
        sql.push(" AND lower(concat_ws(E'\\n', array_to_string(c.names, E'\\n'), c.image, c.container_id)) LIKE lower(");
        sql.push_bind(format!("%{}%", escape_like(search))).push(")");
    }
}

fn order_by(sort: Option<ContainerSort>) -> String {
    const USUAL: &str = "c.is_present DESC, c.last_seen_at DESC, lower(c.primary_name), c.id";
    let Some(sort) = sort else { return USUAL.to_owned() };
    let column = match sort.key {
        ContainerSortKey::Name => "lower(c.primary_name)",
        ContainerSortKey::Image => "c.image",
        ContainerSortKey::State => "c.state",
        ContainerSortKey::Started => "c.started_at_source",
        ContainerSortKey::Restarts => "c.restart_count",
        ContainerSortKey::LastSeen => "c.last_seen_at",
    };
    let way = if sort.descending { "DESC" } else { "ASC" };
    format!("{column} {way} NULLS LAST, lower(c.primary_name), c.id")
}

/// One container of a host that is there.
pub(super) async fn find(pool: &Pool, grant: &Grant, id: Uuid) -> Result<Option<ContainerRow>, sqlx::Error> {
    let mut sql = QueryBuilder::new(COLUMNS);
    sql.push(" JOIN host_vitals AS v ON v.host_id = c.host_id WHERE c.id = ").push_bind(id);
    sql.push(" AND c.org_id = ").push_bind(grant.org_id());
    if let Some(sets) = grant.scope_ids() {
        sql.push(" AND c.host_id IN (SELECT sc.host_id FROM scope_hosts AS sc WHERE sc.scope_id = ANY(");
        sql.push_bind(sets.to_vec()).push("))");
    }
    sql.build_query_as().fetch_optional(pool).await
}

/// Events of a container that was found before, newest first, from after `before` on.
pub(super) async fn events(
    pool: &Pool,
    container: &ContainerRow,
    before: Option<(DateTime<Utc>, i64)>,
    limit: i64,
) -> Result<Vec<EventRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, kind, occurred_at, state, health, restart_count, exit_code
         FROM container_events
         WHERE container_id = $1 AND ($2::timestamptz IS NULL OR (occurred_at, id) < ($2, $3))
         ORDER BY occurred_at DESC, id DESC
         LIMIT $4",
    )
    .bind(container.id)
    .bind(before.map(|(at, _)| at))
    .bind(before.map(|(_, id)| id))
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// The newest samples of a container that was found before, measured after `since`, oldest first.
pub(super) async fn samples(
    pool: &Pool,
    container: &ContainerRow,
    since: DateTime<Utc>,
) -> Result<Vec<SampleRow>, sqlx::Error> {
    let mut newest: Vec<SampleRow> = sqlx::query_as(
        "SELECT recorded_at, cpu_percent, cpu_cores, memory_used, memory_limit, memory_percent, rx_bps, tx_bps,
                block_read_bps, block_write_bps, pids
         FROM container_samples
         WHERE container_id = $1 AND recorded_at > $2
         ORDER BY recorded_at DESC
         LIMIT $3",
    )
    .bind(container.id)
    .bind(since)
    .bind(MAX_SAMPLES)
    .fetch_all(pool)
    .await?;
    newest.reverse();
    Ok(newest)
}

/// The runtimes of a host.
pub(super) async fn runtimes(
    pool: &Pool,
    grant: &Grant,
    host_id: Uuid,
) -> Result<Vec<RuntimeRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT r.runtime, r.status, r.version, r.api_version, r.error, r.checked_at, r.last_complete_at,
                r.lost_samples, r.rejected_samples, l.interval_seconds
         FROM container_runtimes AS r
         LEFT JOIN agent_leases AS l ON l.host_id = r.host_id
         WHERE r.host_id = $1 AND r.org_id = $2
         ORDER BY r.runtime",
    )
    .bind(host_id)
    .bind(grant.org_id())
    .fetch_all(pool)
    .await
}
