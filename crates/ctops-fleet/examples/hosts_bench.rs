//! Measures the host list and the fleet overview on 100,000 hosts.
//!
//! `DATABASE_URL` names an empty database, or one that an earlier run filled. Prints one JSON object with the 50th and
//! 95th percentile of every question in milliseconds, and ends with status 1 when a budget is missed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::IpAddr;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use ctops_base::{Clock, Role};
use ctops_fleet::hosts::{HostListInput, HostQuery, find_host, fleet_facets, fleet_summary, list_hosts};
use ctops_pg::Pool;
use ctops_slice::{Actor, Credential};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

const HOSTS: i64 = 100_000;
const ORG: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
/// Each question is asked this often, after two times that do not count.
const ROUNDS: usize = 20;
/// Budget for any page of the list and for the overview, 95th percentile in milliseconds.
const BUDGET_MS: f64 = 50.0;

#[tokio::main]
async fn main() -> ExitCode {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL names the database");
    let pool = ctops_pg::connect(&url, 4).await.expect("the database can be reached");
    ctops_pg::migrate::run(&pool).await.expect("the schema can be made");
    fill(&pool).await.expect("hosts can be made");
    let bench = Bench { pool, actor: actor(), now: Clock::system().now() };
    let mut cases = Vec::new();
    for (name, input) in lists() {
        cases.push((name, bench.list(&input).await));
    }
    cases.push(("summary".to_owned(), bench.summary().await));
    cases.push(("facets".to_owned(), bench.facets().await));
    cases.push(("one host".to_owned(), bench.host().await));
    let worst = cases.iter().map(|(_, times)| percentile(times, 95)).fold(0.0, f64::max);
    let rows: Vec<Value> = cases
        .iter()
        .map(|(name, times)| json!({ "name": name, "p50_ms": percentile(times, 50), "p95_ms": percentile(times, 95) }))
        .collect();
    let all: Vec<f64> = cases.iter().flat_map(|(_, times)| times.iter().copied()).collect();
    let report = json!({
        "hosts": HOSTS,
        "budget_ms": BUDGET_MS,
        "worst_p95_ms": worst,
        "all_p95_ms": percentile(&all, 95),
        "cases": rows,
    });
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
    if worst <= BUDGET_MS { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn actor() -> Actor {
    let credential = Credential::session(Uuid::nil(), DateTime::<Utc>::MAX_UTC);
    Actor::with_roles((Uuid::nil(), ORG), credential, [Role::ReadOnly], IpAddr::from([127, 0, 0, 1]))
}

/// Every sort in both directions, at the beginning and at the end; every filter; searches that match much, little and
/// nothing; and what people combine.
fn lists() -> Vec<(String, HostListInput<'static>)> {
    let all = HostListInput::default();
    let mut cases = Vec::new();
    for sort in [
        "hostname",
        "-hostname",
        "os",
        "-os",
        "cpu",
        "-cpu",
        "memory",
        "-memory",
        "disk",
        "-disk",
        "last_seen",
        "-last_seen",
        "status",
        "-status",
    ] {
        cases.push((format!("sort {sort}"), HostListInput { sort: Some(sort), ..all }));
        cases.push((
            format!("sort {sort}, last page"),
            HostListInput { sort: Some(sort), page: Some("2000"), ..all },
        ));
    }
    for status in ["online", "offline", "unknown", "pending"] {
        cases.push((format!("status {status}"), HostListInput { status: Some(status), ..all }));
    }
    for (name, input) in [
        ("os linux", HostListInput { os: Some("linux"), ..all }),
        ("os unknown", HostListInput { os: Some("unknown"), ..all }),
        ("arch arm64", HostListInput { arch: Some("arm64"), ..all }),
        ("agent version", HostListInput { agent_version: Some("1.4.0"), ..all }),
        ("stale", HostListInput { stale: Some("true"), ..all }),
        ("hot cpu", HostListInput { hot: Some("cpu"), ..all }),
        ("hot memory by memory", HostListInput { hot: Some("memory"), sort: Some("-memory"), ..all }),
        ("search much", HostListInput { search: Some("web"), ..all }),
        ("search much by cpu", HostListInput { search: Some("web"), sort: Some("-cpu"), ..all }),
        (
            "search one letter by last seen",
            HostListInput { search: Some("a"), sort: Some("last_seen"), ..all },
        ),
        ("search address", HostListInput { search: Some("10.1.33.7"), ..all }),
        ("search one host", HostListInput { search: Some("WEB-000008.FRA"), ..all }),
        ("search nothing", HostListInput { search: Some("nowhere%"), ..all }),
        (
            "search, os, online, by disk",
            HostListInput {
                search: Some("db"),
                os: Some("linux"),
                status: Some("online"),
                sort: Some("-disk"),
                page_size: Some("200"),
                ..all
            },
        ),
        ("page 100 by hostname", HostListInput { page: Some("100"), ..all }),
        ("page 20 by cpu", HostListInput { sort: Some("-cpu"), page: Some("20"), ..all }),
        ("page size 200 by memory", HostListInput { sort: Some("memory"), page_size: Some("200"), ..all }),
    ] {
        cases.push((name.to_owned(), input));
    }
    cases
}

struct Bench {
    pool: Pool,
    actor: Actor,
    now: DateTime<Utc>,
}

impl Bench {
    async fn list(&self, input: &HostListInput<'_>) -> Vec<f64> {
        let query = HostQuery::parse(input).unwrap();
        time(async || {
            list_hosts(&self.pool, &self.actor, &query, self.now).await.unwrap();
        })
        .await
    }

    async fn summary(&self) -> Vec<f64> {
        time(async || {
            fleet_summary(&self.pool, &self.actor, self.now).await.unwrap();
        })
        .await
    }

    async fn facets(&self) -> Vec<f64> {
        time(async || {
            fleet_facets(&self.pool, &self.actor).await.unwrap();
        })
        .await
    }

    async fn host(&self) -> Vec<f64> {
        let query = HostQuery::parse(&HostListInput::default()).unwrap();
        let id = list_hosts(&self.pool, &self.actor, &query, self.now).await.unwrap().items[0].id;
        time(async || {
            find_host(&self.pool, &self.actor, id).await.unwrap();
        })
        .await
    }
}

async fn time(ask: impl AsyncFn()) -> Vec<f64> {
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS + 2 {
        let begin = Instant::now();
        ask().await;
        if round >= 2 {
            times.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
    }
    times
}

fn percentile(times: &[f64], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    (sorted[at] * 10.0).round() / 10.0
}

/// Makes the hosts, unless they are there: names in eight roles and four places, one in ten with a display name, four
/// operating systems, 95 % online, figures spread with few hot hosts.
async fn fill(pool: &Pool) -> Result<(), sqlx::Error> {
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM host_vitals WHERE org_id = $1")
        .bind(ORG)
        .fetch_one(pool)
        .await?;
    if there == HOSTS {
        return Ok(());
    }
    let mut tx = pool.begin().await?;
    for statement in [MAKE_ORGANISATION, MAKE_HOSTS, MAKE_VITALS, MAKE_AGENTS] {
        let query = sqlx::query(statement).bind(ORG);
        let query = if statement == MAKE_HOSTS { query.bind(HOSTS) } else { query };
        query.execute(&mut *tx).await?;
    }
    tx.commit().await?;
    sqlx::raw_sql("VACUUM (ANALYZE) hosts, host_vitals, agents").execute(pool).await.map(drop)
}

const MAKE_ORGANISATION: &str =
    "INSERT INTO organisations (id, name, created_at) VALUES ($1, 'Bench', now()) ON CONFLICT DO NOTHING";

const MAKE_HOSTS: &str = "
INSERT INTO hosts (id, org_id, hostname, display_name, os, os_version, arch, ip_addresses, identity_ips, disks,
                   interfaces, created_at, updated_at)
SELECT md5('host ' || n)::uuid, $1,
       (ARRAY['web', 'db', 'cache', 'app', 'edge', 'build', 'mail', 'proxy'])[1 + n % 8] || '-'
           || lpad((n * 7919 % 100000)::text, 6, '0') || '.'
           || (ARRAY['fra', 'lon', 'nyc', 'sgp'])[1 + (n / 8) % 4] || '.example.com',
       CASE WHEN n % 10 = 0 THEN 'Customer system ' || n ELSE '' END,
       CASE WHEN n % 50 = 0 THEN NULL WHEN n % 10 = 1 THEN 'windows' WHEN n % 25 = 2 THEN 'darwin' ELSE 'linux' END,
       '12.8', CASE WHEN n % 5 = 0 THEN 'arm64' ELSE 'amd64' END,
       ARRAY['10.' || n / 65536 % 256 || '.' || n / 256 % 256 || '.' || n % 256, '2001:db8::' || to_hex(n)],
       ARRAY['10.' || n / 65536 % 256 || '.' || n / 256 % 256 || '.' || n % 256],
       (SELECT jsonb_agg(jsonb_build_object('mount_point', '/srv/' || d, 'device', '/dev/vda' || d, 'fs_type', 'ext4',
                                            'total_bytes', 100000000000, 'used_bytes', 40000000000,
                                            'free_bytes', 60000000000, 'percent_used', 40.0))
        FROM generate_series(1, 4) AS d),
       jsonb_build_array(jsonb_build_object('name', 'eth0', 'ip_addresses', jsonb_build_array('10.0.0.1'),
                                            'mac_address', '02:00:00:00:00:01', 'is_up', true)),
       now(), now()
FROM generate_series(1, $2) AS n";

const MAKE_VITALS: &str = "
INSERT INTO host_vitals (host_id, org_id, status, status_changed_at, name_key, search_text, os, arch, agent_version,
                         cpu_centi, memory_centi, disk_centi, uptime_seconds, recorded_at, last_seen_at)
SELECT r.id, r.org_id, r.status, now(), lower(r.hostname),
       lower(concat_ws(E'\\n', r.hostname, NULLIF(r.display_name, ''), array_to_string(r.ip_addresses, E'\\n'))),
       r.os, r.arch, '1.' || floor(r.a * 5)::int || '.0',
       CASE WHEN r.heard THEN (r.a * r.a * 10000)::int END, CASE WHEN r.heard THEN (r.b * 10000)::int END,
       CASE WHEN r.heard THEN (r.c * 10000)::int END, CASE WHEN r.heard THEN (r.b * 10000000)::bigint END,
       CASE WHEN r.heard THEN now() - r.a * interval '30 s' END,
       CASE r.status WHEN 'online' THEN now() - r.a * interval '30 s'
                     WHEN 'offline' THEN now() - r.b * interval '10 days' END
FROM (SELECT h.id, h.org_id, h.hostname, h.display_name, h.ip_addresses, h.os, h.arch, s.status,
             s.status IN ('online', 'offline') AS heard, random() AS a, random() AS b, random() AS c
      FROM (SELECT id, org_id, hostname, display_name, ip_addresses, os, arch, random() AS dice
            FROM hosts WHERE org_id = $1) AS h
      CROSS JOIN LATERAL (SELECT CASE WHEN h.dice < 0.95 THEN 'online' WHEN h.dice < 0.98 THEN 'offline'
                                      WHEN h.dice < 0.99 THEN 'unknown' ELSE 'pending' END AS status) AS s) AS r";

const MAKE_AGENTS: &str = "
INSERT INTO agents (id, org_id, host_id, hostname, public_key, public_key_sha256, status, version, registered_at)
SELECT substr(md5(h.id::text), 1, 24), h.org_id, h.id, h.hostname, h.id::text, sha256(convert_to(h.id::text, 'UTF8')),
       CASE v.status WHEN 'pending' THEN 'pending' WHEN 'offline' THEN 'offline' ELSE 'active' END,
       v.agent_version, now()
FROM hosts AS h
JOIN host_vitals AS v ON v.host_id = h.id
WHERE h.org_id = $1";
