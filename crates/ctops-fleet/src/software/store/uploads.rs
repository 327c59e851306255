//! Packages on their way from an agent into the inventory.

use chrono::{DateTime, Utc};
use ctops_pg::{Pool, Tx};
use sqlx::types::Json;
use uuid::Uuid;

use crate::software::model::{Package, ScanCounts, ScanStatus, SourceOutcome, Upload};

/// Adds the scan of a task that was not started as one; one that is there already, and a host with another open scan, are
/// left alone.
pub(in crate::software) async fn adopt(
    pool: &Pool,
    upload: &Upload,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO software_scans (id, org_id, host_id, origin, status, requested_at)
         VALUES ($1, $2, $3, 'task', 'pending', $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(upload.scan_id)
    .bind(upload.org_id)
    .bind(upload.host_id)
    .bind(now)
    .execute(pool)
    .await
    .map(drop)
}

/// Gives the scan to this upload. False when the host has no such scan, or it is complete already.
pub(in crate::software) async fn begin(
    pool: &Pool,
    upload: &Upload,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE software_scans
         SET status = 'running', upload_id = $3, started_at = $4, completed_at = NULL, error = NULL
         WHERE id = $1 AND host_id = $2 AND status <> 'success'",
    )
    .bind(upload.scan_id)
    .bind(upload.host_id)
    .bind(upload.upload_id)
    .bind(now)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The state of a scan of this host.
pub(in crate::software) async fn status(
    pool: &Pool,
    scan_id: Uuid,
    host_id: Uuid,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT status FROM software_scans WHERE id = $1 AND host_id = $2")
        .bind(scan_id)
        .bind(host_id)
        .fetch_optional(pool)
        .await
}

/// Puts packages of one source aside until the scan is complete.
pub(in crate::software) async fn stage(
    pool: &Pool,
    upload_id: Uuid,
    source: &str,
    packages: &[Package],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let texts = |of: fn(&Package) -> Option<&str>| packages.iter().map(of).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO software_staged_packages
             (upload_id, staged_at, source, name, version, architecture, publisher, distro_id, distro_version,
              distro_codename, source_name, source_version, epoch, release, repository, origin, install_date)
         SELECT $1, $2, $3, u.name, u.version, u.architecture, u.publisher, u.distro_id, u.distro_version,
                u.distro_codename, u.source_name, u.source_version, u.epoch, u.release, u.repository, u.origin,
                u.install_date
         FROM UNNEST($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
                     $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::timestamptz[])
              AS u(name, version, architecture, publisher, distro_id, distro_version, distro_codename, source_name,
                   source_version, epoch, release, repository, origin, install_date)",
    )
    .bind(upload_id)
    .bind(now)
    .bind(source)
    .bind(texts(|p| Some(&p.name)))
    .bind(texts(|p| Some(&p.version)))
    .bind(texts(|p| Some(&p.architecture)))
    .bind(texts(|p| p.publisher.as_deref()))
    .bind(texts(|p| p.distro_id.as_deref()))
    .bind(texts(|p| p.distro_version.as_deref()))
    .bind(texts(|p| p.distro_codename.as_deref()))
    .bind(texts(|p| p.source_name.as_deref()))
    .bind(texts(|p| p.source_version.as_deref()))
    .bind(texts(|p| p.epoch.as_deref()))
    .bind(texts(|p| p.release.as_deref()))
    .bind(texts(|p| p.repository.as_deref()))
    .bind(texts(|p| p.origin.as_deref()))
    .bind(packages.iter().map(|p| p.install_date).collect::<Vec<_>>())
    .execute(pool)
    .await
    .map(drop)
}

/// Locks the scan. False when another upload took it over or it ended.
pub(in crate::software) async fn lock(tx: &mut Tx<'_>, upload: &Upload) -> Result<bool, sqlx::Error> {
    let mine: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM software_scans WHERE id = $1 AND upload_id = $2 AND status = 'running' FOR UPDATE",
    )
    .bind(upload.scan_id)
    .bind(upload.upload_id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(mine.is_some())
}

/// For each source: packages that arrived, and packages the host has of it.
pub(in crate::software) async fn tally(
    tx: &mut Tx<'_>,
    upload: &Upload,
    sources: &[String],
) -> Result<Vec<(String, i64, i64)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT s.source, COALESCE(a.arrived, 0), COALESCE(p.present, 0)
         FROM UNNEST($2::text[]) WITH ORDINALITY AS s(source, place)
         LEFT JOIN (SELECT d.source, count(*) AS arrived
                    FROM (SELECT DISTINCT source, name, version, architecture
                          FROM software_staged_packages WHERE upload_id = $1) AS d
                    GROUP BY d.source) AS a ON a.source = s.source
         LEFT JOIN (SELECT source, count(*) AS present
                    FROM software_packages WHERE host_id = $3 AND removed_at IS NULL
                    GROUP BY source) AS p ON p.source = s.source
         ORDER BY s.place",
    )
    .bind(upload.upload_id)
    .bind(sources)
    .bind(upload.host_id)
    .fetch_all(&mut **tx)
    .await
}

/// Brings these sources up to date with what arrived: adds, brings back, refreshes. The counts are without removals.
pub(in crate::software) async fn merge(
    tx: &mut Tx<'_>,
    upload: &Upload,
    sources: &[String],
    now: DateTime<Utc>,
) -> Result<ScanCounts, sqlx::Error> {
    let (packages, added): (i64, i64) = sqlx::query_as(
        "WITH arrived AS MATERIALIZED (
             SELECT DISTINCT ON (source, name, version, architecture)
                    source, name, version, architecture, publisher, distro_id, distro_version, distro_codename,
                    source_name, source_version, epoch, release, repository, origin, install_date
             FROM software_staged_packages
             WHERE upload_id = $1 AND source = ANY($2)
             ORDER BY source, name, version, architecture
         ), matched AS MATERIALIZED (
             SELECT a.source, a.name, a.version, a.architecture, a.publisher, a.distro_id, a.distro_version,
                    a.distro_codename, a.source_name, a.source_version, a.epoch, a.release, a.repository, a.origin,
                    a.install_date, p.id AS known_id, p.removed_at AS gone_at
             FROM arrived AS a
             LEFT JOIN software_packages AS p
                    ON p.host_id = $3 AND p.source = a.source AND p.name = a.name AND p.version = a.version
                   AND p.architecture = a.architecture
         ), refreshed AS (
             UPDATE software_packages AS p
             SET last_seen_at = $5, last_scan_id = $6, removed_at = NULL, replaced_by = NULL,
                 came_scan_id = CASE WHEN m.gone_at IS NULL THEN p.came_scan_id ELSE $6 END,
                 publisher = COALESCE(m.publisher, p.publisher),
                 distro_id = COALESCE(m.distro_id, p.distro_id),
                 distro_version = COALESCE(m.distro_version, p.distro_version),
                 distro_codename = COALESCE(m.distro_codename, p.distro_codename),
                 source_name = COALESCE(m.source_name, p.source_name),
                 source_version = COALESCE(m.source_version, p.source_version),
                 epoch = COALESCE(m.epoch, p.epoch),
                 release = COALESCE(m.release, p.release),
                 repository = COALESCE(m.repository, p.repository),
                 origin = COALESCE(m.origin, p.origin),
                 install_date = COALESCE(m.install_date, p.install_date)
             FROM matched AS m
             WHERE p.id = m.known_id
         ), inserted AS (
             INSERT INTO software_packages
                 (org_id, host_id, source, name, version, architecture, publisher, distro_id, distro_version,
                  distro_codename, source_name, source_version, epoch, release, repository, origin, install_date,
                  first_seen_at, last_seen_at, came_scan_id, last_scan_id)
             SELECT $4, $3, m.source, m.name, m.version, m.architecture, m.publisher, m.distro_id, m.distro_version,
                    m.distro_codename, m.source_name, m.source_version, m.epoch, m.release, m.repository, m.origin,
                    m.install_date, $5, $5, $6, $6
             FROM matched AS m
             WHERE m.known_id IS NULL
         )
         SELECT count(*), count(*) FILTER (WHERE m.known_id IS NULL OR m.gone_at IS NOT NULL)
         FROM matched AS m",
    )
    .bind(upload.upload_id)
    .bind(sources)
    .bind(upload.host_id)
    .bind(upload.org_id)
    .bind(now)
    .bind(upload.scan_id)
    .fetch_one(&mut **tx)
    .await?;
    Ok(ScanCounts { packages, added, removed: 0 })
}

/// Marks what these sources no longer have as removed, linked to what came in its place. Returns how many.
pub(in crate::software) async fn remove_missing(
    tx: &mut Tx<'_>,
    upload: &Upload,
    sources: &[String],
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE software_packages AS p
         SET removed_at = $4,
             replaced_by = (SELECT n.id
                            FROM software_packages AS n
                            WHERE n.host_id = p.host_id AND n.source = p.source AND n.name = p.name
                              AND n.architecture = p.architecture AND n.came_scan_id = $3 AND n.last_scan_id = $3
                            ORDER BY n.id
                            LIMIT 1)
         WHERE p.host_id = $1 AND p.source = ANY($2) AND p.removed_at IS NULL AND p.last_scan_id <> $3",
    )
    .bind(upload.host_id)
    .bind(sources)
    .bind(upload.scan_id)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}

/// Ends the scan of this upload. False when it is not this upload's any more.
pub(in crate::software) async fn end(
    tx: &mut Tx<'_>,
    upload: &Upload,
    status: ScanStatus,
    error: Option<&str>,
    sources: &[SourceOutcome],
    counts: ScanCounts,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE software_scans
         SET status = $3, error = $4, sources = $5, package_count = $6, added = $7, removed = $8, unchanged = $9,
             completed_at = $10
         WHERE id = $1 AND upload_id = $2 AND status = 'running'",
    )
    .bind(upload.scan_id)
    .bind(upload.upload_id)
    .bind(status.as_str())
    .bind(error)
    .bind(Json(sources))
    .bind(narrow(counts.packages))
    .bind(narrow(counts.added))
    .bind(narrow(counts.removed))
    .bind(narrow(counts.packages - counts.added))
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn narrow(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Notes for the sweeper how the host's newest scan ended.
pub(in crate::software) async fn note_end(
    tx: &mut Tx<'_>,
    host_ids: &[Uuid],
    complete: bool,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO software_hosts AS h (host_id, last_complete_at, failures, last_failure_at)
         SELECT u.host_id, CASE WHEN $2 THEN $3 END, CASE WHEN $2 THEN 0 ELSE 1 END, CASE WHEN $2 THEN NULL ELSE $3 END
         FROM UNNEST($1::uuid[]) AS u(host_id)
         ON CONFLICT (host_id) DO UPDATE
         SET last_complete_at = CASE WHEN $2 THEN $3 ELSE h.last_complete_at END,
             failures = CASE WHEN $2 THEN 0 ELSE h.failures + 1 END,
             last_failure_at = CASE WHEN $2 THEN h.last_failure_at ELSE $3 END",
    )
    .bind(host_ids)
    .bind(complete)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Forgets what was put aside for this upload.
pub(in crate::software) async fn unstage(tx: &mut Tx<'_>, upload_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM software_staged_packages WHERE upload_id = $1")
        .bind(upload_id)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Keeps only the newest `kept` scans of the host.
pub(in crate::software) async fn prune_scans(
    tx: &mut Tx<'_>,
    host_id: Uuid,
    kept: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM software_scans
         WHERE id IN (SELECT s.id FROM software_scans AS s
                      WHERE s.host_id = $1 ORDER BY s.requested_at DESC, s.id OFFSET $2)
           AND status NOT IN ('pending', 'running')",
    )
    .bind(host_id)
    .bind(kept)
    .execute(&mut **tx)
    .await
    .map(drop)
}
