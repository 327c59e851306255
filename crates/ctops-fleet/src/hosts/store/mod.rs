//! All SQL of the slice: reading for people here, writing in [`write`], the WHERE and ORDER BY of lists in [`filter`].

use chrono::{DateTime, Utc};
use ctops_pg::Pool;
use ctops_slice::{Grant, in_scope};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

mod filter;
mod write;

pub(super) use write::{
    change_facts, change_status, change_vitals, copy_to_vitals, insert_host, insert_vitals, lock_hosts,
    lock_names, mark_deleted, purge, remove_vitals, rename, replace_identity,
};

use super::NamedHost;
use super::model::{
    FacetGroup, FleetSummary, HOT_CENTI, HostDetail, HostFilter, HostRow, HostVitals, MAX_SAMPLES,
    STALE_AFTER, Sample, Sort,
};

/// A part of an ordered list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Count rows from the end of the list, and return them in that order.
    pub(super) from_the_end: bool,
    /// Rows to leave out before the first one.
    pub(super) offset: i64,
    /// Rows to return at most.
    pub(super) limit: i64,
}

/// How many hosts pass the filter.
pub(super) async fn count(
    pool: &Pool,
    grant: &Grant,
    filter: &HostFilter,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let mut sql = QueryBuilder::new("SELECT count(*) FROM host_vitals AS v");
    filter::push_where(&mut sql, grant, filter, now);
    sql.build_query_scalar().persistent(false).fetch_one(pool).await
}

/// How many hosts the whole installation has in each status: for the operator, who sees no host by it.
pub(super) async fn count_by_status(pool: &Pool) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query_as("SELECT status, count(*) FROM host_vitals GROUP BY status ORDER BY status")
        .fetch_all(pool)
        .await
}

/// A part of the list. Only the narrow rows are sorted; the wide ones are fetched for what is left.
pub(super) async fn page(
    pool: &Pool,
    grant: &Grant,
    filter: &HostFilter,
    sort: Sort,
    window: Window,
    now: DateTime<Utc>,
) -> Result<Vec<HostRow>, sqlx::Error> {
    let mut sql = page_query(grant, filter, sort, window, now);
    // Planned anew each time: the best plan depends on how many rows the values let through.
    sql.build_query_as().persistent(false).fetch_all(pool).await
}

fn page_query(
    grant: &Grant,
    filter: &HostFilter,
    sort: Sort,
    window: Window,
    now: DateTime<Utc>,
) -> QueryBuilder<Postgres> {
    let order = filter::order_by(sort, window.from_the_end);
    let mut sql = QueryBuilder::new("WITH page AS MATERIALIZED (SELECT v.host_id FROM ");
    if *filter == HostFilter::default() && grant.scope().is_all() {
        sql.push("host_vitals AS v");
        filter::push_where(&mut sql, grant, filter, now);
    } else {
        // OFFSET 0 keeps the planner from walking the index by name in the hope of finding a page soon: that takes ten
        // times as long as a scan when the hosts looked for have late names.
        sql.push(
            "(SELECT v.host_id, v.name_key, v.os, v.cpu_centi, v.memory_centi, v.disk_centi, v.last_seen_at, v.status
              FROM host_vitals AS v",
        );
        filter::push_where(&mut sql, grant, filter, now);
        sql.push(" OFFSET 0) AS v");
    }
    sql.push(format_args!(" ORDER BY {order} LIMIT ")).push_bind(window.limit);
    sql.push(" OFFSET ").push_bind(window.offset);
    sql.push(
        ")
         SELECT h.id, h.hostname, h.display_name, v.os, h.os_version, v.arch, h.ip_addresses, v.status,
                v.cpu_centi, v.memory_centi, v.disk_centi, v.last_seen_at, a.id AS agent_id, v.agent_version
         FROM page AS p
         JOIN host_vitals AS v ON v.host_id = p.host_id
         JOIN hosts AS h ON h.id = p.host_id
         LEFT JOIN agents AS a ON a.host_id = p.host_id AND a.deleted_at IS NULL
         ORDER BY ",
    );
    sql.push(order);
    sql
}

/// How PostgreSQL would fetch a part of the list: the text of EXPLAIN.
#[cfg(test)]
pub(super) async fn explain_page(
    pool: &Pool,
    grant: &Grant,
    filter: &HostFilter,
    sort: Sort,
    window: Window,
    now: DateTime<Utc>,
) -> Result<Vec<String>, sqlx::Error> {
    let page = page_query(grant, filter, sort, window, now);
    let text = page.sql().as_str().replace("WITH page", "EXPLAIN WITH page");
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(text));
    query.bind(grant.org_id()).bind(window.limit).bind(window.offset).fetch_all(pool).await
}

/// The figures of the overview.
pub(super) async fn summary(
    pool: &Pool,
    grant: &Grant,
    now: DateTime<Utc>,
) -> Result<FleetSummary, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT count(*) AS total,
                count(*) FILTER (WHERE v.status = 'online') AS online,
                count(*) FILTER (WHERE v.status = 'offline') AS offline,
                count(*) FILTER (WHERE v.status = 'unknown') AS unknown,
                count(*) FILTER (WHERE v.last_seen_at IS NULL OR v.last_seen_at < $2) AS stale,
                count(*) FILTER (WHERE v.status = 'online' AND v.cpu_centi >= $3) AS hot_cpu,
                count(*) FILTER (WHERE v.status = 'online' AND v.memory_centi >= $3) AS hot_memory,
                count(*) FILTER (WHERE v.status = 'online' AND v.disk_centi >= $3) AS hot_disk,
                (SELECT count(*) FROM agents AS a
                 WHERE a.org_id = $1 AND a.status = 'pending' AND a.deleted_at IS NULL AND ",
        in_scope!("a.host_id", "$4"),
        ") AS pending_approval
         FROM host_vitals AS v
         WHERE v.org_id = $1 AND ",
        in_scope!("v.host_id", "$4")
    ))
    .bind(grant.org_id())
    .bind(now - STALE_AFTER)
    .bind(HOT_CENTI)
    .bind(grant.scope_ids())
    .fetch_one(pool)
    .await
}

/// Hosts per combination of operating system, architecture and agent version.
pub(super) async fn facet_groups(pool: &Pool, grant: &Grant) -> Result<Vec<FacetGroup>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT v.os, v.arch, v.agent_version, count(*) AS hosts
         FROM host_vitals AS v
         WHERE v.org_id = $1 AND ",
        in_scope!("v.host_id", "$2"),
        " GROUP BY v.os, v.arch, v.agent_version"
    ))
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_all(pool)
    .await
}

/// One host in full.
pub(super) async fn find(pool: &Pool, grant: &Grant, id: Uuid) -> Result<Option<HostDetail>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT h.id, h.hostname, h.display_name, v.os, h.os_version, v.arch, h.ip_addresses, v.status,
                v.cpu_centi, v.memory_centi, v.disk_centi, v.last_seen_at, a.id AS agent_id, v.agent_version,
                h.created_at AS first_seen_at, v.uptime_seconds, v.clock_skewed, v.recorded_at, h.disks, h.interfaces,
                a.status AS agent_status, a.registered_at AS agent_registered_at, a.approved_at AS agent_approved_at,
                u.id AS approver_id, u.name AS approver_name, a.public_key_sha256 AS agent_key_sha256,
                a.client_cert_serial AS certificate_serial, a.client_cert_not_after AS certificate_not_after,
                l.interval_seconds AS heartbeat_interval_seconds
         FROM host_vitals AS v
         JOIN hosts AS h ON h.id = v.host_id
         LEFT JOIN agents AS a ON a.host_id = v.host_id AND a.deleted_at IS NULL
         LEFT JOIN users AS u ON u.id = a.approved_by
         LEFT JOIN agent_leases AS l ON l.agent_id = a.id
         WHERE v.host_id = $1 AND v.org_id = $2 AND ",
        in_scope!("v.host_id", "$3")
    ))
    .bind(id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_optional(pool)
    .await
}

/// Whether the host is there.
pub(super) async fn exists(pool: &Pool, grant: &Grant, id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(concat!(
        "SELECT EXISTS (SELECT 1 FROM host_vitals AS v WHERE v.host_id = $1 AND v.org_id = $2 AND ",
        in_scope!("v.host_id", "$3"),
        ")"
    ))
    .bind(id)
    .bind(grant.org_id())
    .bind(grant.scope_ids())
    .fetch_one(pool)
    .await
}

/// The newest samples measured after `since`, oldest first; none of a host that is not there.
pub(super) async fn samples(
    pool: &Pool,
    grant: &Grant,
    id: Uuid,
    since: DateTime<Utc>,
) -> Result<Vec<Sample>, sqlx::Error> {
    sqlx::query_as(concat!(
        "SELECT newest.recorded_at, newest.cpu_centi, newest.memory_centi, newest.disk_centi
         FROM (SELECT s.recorded_at, s.cpu_centi, s.memory_centi, s.disk_centi
               FROM metric_samples AS s
               JOIN host_vitals AS v ON v.host_id = s.host_id
               WHERE s.host_id = $1 AND v.org_id = $2 AND s.recorded_at > $3 AND ",
        in_scope!("v.host_id", "$5"),
        " ORDER BY s.recorded_at DESC
               LIMIT $4) AS newest
         ORDER BY newest.recorded_at"
    ))
    .bind(id)
    .bind(grant.org_id())
    .bind(since)
    .bind(MAX_SAMPLES)
    .bind(grant.scope_ids())
    .fetch_all(pool)
    .await
}

/// The current vitals of these hosts; deleted ones are missing. For the live views, whose streams were granted.
pub(super) async fn vitals_of(pool: &Pool, ids: &[Uuid]) -> Result<Vec<HostVitals>, sqlx::Error> {
    sqlx::query_as(
        "SELECT v.host_id, v.org_id, v.status, v.cpu_centi, v.memory_centi, v.disk_centi, v.uptime_seconds,
                v.last_seen_at, v.recorded_at
         FROM host_vitals AS v
         WHERE v.host_id = ANY($1)",
    )
    .bind(ids)
    .fetch_all(pool)
    .await
}

/// Hosts of all organisations whose names begin with `prefix`, deleted ones too, in the order of their ids.
pub(super) async fn named(
    pool: &Pool,
    prefix: &str,
    after: Uuid,
    limit: i64,
) -> Result<Vec<NamedHost>, sqlx::Error> {
    sqlx::query_as(
        "SELECT h.id, h.hostname
         FROM hosts AS h
         WHERE starts_with(lower(h.hostname), lower($1))
           AND h.id > $2
         ORDER BY h.id
         LIMIT $3",
    )
    .bind(prefix)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await
}
