#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{Role, id::new_id};
use ctops_slice::{Actor, Credential, Grant};
use ctops_testkit::{TestDb, a_host, a_organisation, start_time};
use serde_json::json;
use uuid::Uuid;

use super::HOSTS_READ;
use super::model::{
    FacetGroup, FactsChange, FleetSummary, HostFilter, HostIdentity, HostStatus, NewHost, Sort, SortKey,
    StatusUpdate, Vital, VitalsChange, VitalsSample,
};
use super::store::{self, Window};

fn grant(org_id: Uuid) -> Grant {
    let credential = Credential::session(Uuid::nil(), start_time());
    let ip = IpAddr::from([127, 0, 0, 1]);
    let actor = Actor::with_roles((Uuid::nil(), org_id), credential, [Role::ReadOnly], ip);
    actor.grant(&HOSTS_READ).unwrap()
}

const FIRST_50: Window = Window { from_the_end: false, offset: 0, limit: 50 };
const BY_NAME: Sort = Sort { key: SortKey::Hostname, descending: false };

struct Fleet {
    db: TestDb,
    org: Uuid,
}

impl Fleet {
    async fn new() -> Self {
        let db = TestDb::new().await;
        let org = a_organisation(db.pool()).await;
        Self { db, org }
    }

    async fn names(&self, filter: &HostFilter, sort: Sort, window: Window) -> Vec<String> {
        let rows =
            store::page(self.db.pool(), &grant(self.org), filter, sort, window, start_time()).await.unwrap();
        rows.into_iter().map(|row| row.hostname).collect()
    }

    /// The names the filter lets through, and the proof that the count agrees.
    async fn matching(&self, filter: HostFilter) -> Vec<String> {
        let names = self.names(&filter, BY_NAME, FIRST_50).await;
        let count = store::count(self.db.pool(), &grant(self.org), &filter, start_time()).await.unwrap();
        assert_eq!(count, i64::try_from(names.len()).unwrap(), "{filter:?}");
        names
    }
}

/// Spec: hosts 15
#[tokio::test]
async fn page_sorted_by_anything_puts_absent_values_last_in_both_directions() {
    let fleet = Fleet::new().await;
    let pool = fleet.db.pool();
    let seen = |minutes| start_time() - TimeDelta::minutes(minutes);
    a_host(fleet.org).named("b").with_vitals(2_000, 100, 300).seen_at(seen(1)).insert(pool).await;
    a_host(fleet.org)
        .named("C")
        .with_vitals(1_000, 200, 200)
        .seen_at(seen(2))
        .on(Some("Alpine"), None)
        .insert(pool)
        .await;
    a_host(fleet.org).named("a").with_vitals(1_000, 300, 100).seen_at(seen(3)).insert(pool).await;
    a_host(fleet.org).named("d").never_seen().on(None, None).with_status("unknown").insert(pool).await;
    for (key, ascending, descending) in [
        (SortKey::Hostname, "abCd", "dCba"),
        (SortKey::Os, "Cabd", "abCd"),
        (SortKey::Cpu, "aCbd", "baCd"),
        (SortKey::Memory, "bCad", "aCbd"),
        (SortKey::Disk, "aCbd", "bCad"),
        (SortKey::LastSeen, "aCbd", "bCad"),
        (SortKey::Status, "abCd", "dabC"),
    ] {
        for (descending, expected) in [(false, ascending), (true, descending)] {
            let sort = Sort { key, descending };
            let all = HostFilter::default();
            assert_eq!(fleet.names(&all, sort, FIRST_50).await.concat(), expected, "{sort:?}");
            let mut backwards = fleet.names(&all, sort, Window { from_the_end: true, ..FIRST_50 }).await;
            backwards.reverse();
            assert_eq!(backwards.concat(), expected, "{sort:?} from the end");
        }
    }
}

/// Spec: hosts 12
#[tokio::test]
async fn page_by_page_shows_every_host_once_also_from_the_end() {
    let fleet = Fleet::new().await;
    for n in 0..7 {
        a_host(fleet.org).named(&format!("h{n}")).insert(fleet.db.pool()).await;
    }
    let cpu = Sort { key: SortKey::Cpu, descending: true };
    let mut seen = Vec::new();
    for (from_the_end, offset) in [(false, 0), (false, 3), (true, 0)] {
        let limit = if from_the_end { 1 } else { 3 };
        seen.extend(fleet.names(&HostFilter::default(), cpu, Window { from_the_end, offset, limit }).await);
    }
    assert_eq!(seen.concat(), "h0h1h2h3h4h5h6", "equal figures are ordered by name");
}

/// Spec: hosts 5, 8, 14
#[tokio::test]
async fn count_and_page_with_each_filter_agree() {
    let fleet = Fleet::new().await;
    let pool = fleet.db.pool();
    let at_limit = start_time() - TimeDelta::minutes(15);
    let past_it = at_limit - TimeDelta::microseconds(1);
    a_host(fleet.org).named("hot").with_vitals(8_000, 7_999, 0).insert(pool).await;
    a_host(fleet.org).named("cold").with_vitals(7_999, 0, 0).seen_at(at_limit).insert(pool).await;
    a_host(fleet.org)
        .named("gone")
        .with_vitals(9_999, 0, 0)
        .with_status("offline")
        .seen_at(past_it)
        .insert(pool)
        .await;
    a_host(fleet.org).named("new").never_seen().with_status("pending").on(None, None).insert(pool).await;
    a_host(fleet.org)
        .named("arm")
        .on(Some("alpine"), Some("aarch64"))
        .with_agent_version("2.0.0")
        .insert(pool)
        .await;
    let other = a_organisation(pool).await;
    a_host(other).named("foreign").insert(pool).await;

    let all = HostFilter::default;
    let label = |text: &str| Some(text.to_owned());
    assert_eq!(fleet.matching(all()).await, ["arm", "cold", "gone", "hot", "new"]);
    for (status, expected) in [
        (HostStatus::Online, &["arm", "cold", "hot"][..]),
        (HostStatus::Offline, &["gone"]),
        (HostStatus::Pending, &["new"]),
        (HostStatus::Unknown, &[]),
    ] {
        assert_eq!(
            fleet.matching(HostFilter { status: Some(status), ..all() }).await,
            expected,
            "{status:?}"
        );
    }
    assert_eq!(fleet.matching(HostFilter { os: label("alpine"), ..all() }).await, ["arm"]);
    assert_eq!(fleet.matching(HostFilter { os: label("unknown"), ..all() }).await, ["new"]);
    assert_eq!(fleet.matching(HostFilter { arch: label("aarch64"), ..all() }).await, ["arm"]);
    assert_eq!(fleet.matching(HostFilter { agent_version: label("2.0.0"), ..all() }).await, ["arm"]);
    assert_eq!(fleet.matching(HostFilter { stale: true, ..all() }).await, ["gone", "new"]);
    assert_eq!(fleet.matching(HostFilter { hot: Some(Vital::Cpu), ..all() }).await, ["hot"]);
    assert_eq!(fleet.matching(HostFilter { hot: Some(Vital::Memory), ..all() }).await, [""; 0]);
    assert_eq!(fleet.matching(HostFilter { hot: Some(Vital::Disk), ..all() }).await, [""; 0]);
    let both =
        HostFilter { status: Some(HostStatus::Online), os: label("debian"), search: label("O"), ..all() };
    assert_eq!(fleet.matching(both).await, ["cold", "hot"]);
}

/// Spec: hosts 13
#[tokio::test]
async fn search_takes_wildcards_literally_and_looks_at_names_and_addresses() {
    let fleet = Fleet::new().await;
    let pool = fleet.db.pool();
    a_host(fleet.org).named("Web-1").with_addresses(&["10.0.0.12", "2001:DB8::1"]).insert(pool).await;
    a_host(fleet.org)
        .named("db_1")
        .displayed_as("Größe 50%")
        .with_addresses(&["10.0.1.2"])
        .insert(pool)
        .await;
    a_host(fleet.org).named("db-1").displayed_as(r"a\b").with_addresses(&["192.0.2.1"]).insert(pool).await;
    for (text, expected) in [
        ("web", &["Web-1"][..]),
        ("WEB-1", &["Web-1"]),
        ("1", &["Web-1", "db-1", "db_1"]),
        ("db_", &["db_1"]),
        ("%", &["db_1"]),
        ("0%", &["db_1"]),
        (r"\", &["db-1"]),
        (r"a\b", &["db-1"]),
        ("GRÖSSE", &[]),
        ("GRÖßE", &["db_1"]),
        ("10.0.0.1", &["Web-1"]),
        ("10.0", &["Web-1", "db_1"]),
        ("db8::", &["Web-1"]),
        ("'; DROP TABLE hosts", &[]),
        ("nothing", &[]),
    ] {
        let mut found =
            fleet.matching(HostFilter { search: Some(text.to_owned()), ..HostFilter::default() }).await;
        found.sort();
        assert_eq!(found, expected, "{text}");
    }
}

/// Spec: hosts 7, 8, 9
#[tokio::test]
async fn summary_and_facet_groups_count_the_live_hosts_of_one_organisation() {
    let fleet = Fleet::new().await;
    let pool = fleet.db.pool();
    let empty = store::summary(pool, &grant(fleet.org), start_time()).await.unwrap();
    assert_eq!(empty, FleetSummary::default());
    a_host(fleet.org).with_vitals(8_000, 8_000, 8_000).insert(pool).await;
    a_host(fleet.org)
        .with_vitals(9_000, 0, 0)
        .with_status("offline")
        .with_agent("offline")
        .insert(pool)
        .await;
    a_host(fleet.org).never_seen().with_status("unknown").insert(pool).await;
    a_host(fleet.org)
        .never_seen()
        .with_status("pending")
        .with_agent("pending")
        .on(None, None)
        .insert(pool)
        .await;
    let gone = a_host(fleet.org).insert(pool).await;
    let mut tx = pool.begin().await.unwrap();
    store::remove_vitals(&mut tx, gone.id).await.unwrap();
    tx.commit().await.unwrap();
    let other = a_organisation(pool).await;
    a_host(other).with_status("pending").with_agent("pending").insert(pool).await;

    let summary = store::summary(pool, &grant(fleet.org), start_time()).await.unwrap();
    let expected = FleetSummary {
        total: 4,
        online: 1,
        offline: 1,
        unknown: 1,
        stale: 2,
        pending_approval: 1,
        hot_cpu: 1,
        hot_memory: 1,
        hot_disk: 1,
    };
    assert_eq!(summary, expected);
    let mut groups = store::facet_groups(pool, &grant(fleet.org)).await.unwrap();
    groups.sort_by_key(|group| group.hosts);
    let group = |os: Option<&str>, arch: Option<&str>, hosts| FacetGroup {
        os: os.map(str::to_owned),
        arch: arch.map(str::to_owned),
        agent_version: Some("1.0.0".to_owned()),
        hosts,
    };
    assert_eq!(groups, [group(None, None, 1), group(Some("debian"), Some("x86_64"), 3)]);
    let mut counts = store::count_by_status(pool).await.unwrap();
    counts.sort();
    let expected = [("offline", 1), ("online", 1), ("pending", 2), ("unknown", 1)];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
}

#[tokio::test]
async fn default_page_of_many_hosts_is_read_in_the_order_of_the_index() {
    let fleet = Fleet::new().await;
    let pool = fleet.db.pool();
    sqlx::query(
        "WITH made AS (
             INSERT INTO hosts (id, org_id, hostname, created_at, updated_at)
             SELECT gen_random_uuid(), $1, 'host-' || n, $2, $2 FROM generate_series(1, 5000) AS n
             RETURNING id, hostname
         )
         INSERT INTO host_vitals (host_id, org_id, status_changed_at, name_key, search_text)
         SELECT id, $1, $2, hostname, hostname FROM made",
    )
    .bind(fleet.org)
    .bind(start_time())
    .execute(pool)
    .await
    .unwrap();
    sqlx::raw_sql("ANALYZE hosts, host_vitals").execute(pool).await.unwrap();
    for (window, sort) in [
        (FIRST_50, BY_NAME),
        (FIRST_50, Sort { descending: true, ..BY_NAME }),
        (Window { from_the_end: true, ..FIRST_50 }, BY_NAME),
    ] {
        let plan =
            store::explain_page(pool, &grant(fleet.org), &HostFilter::default(), sort, window, start_time())
                .await;
        let plan = plan.unwrap().join("\n");
        let by_index = plan.contains("using host_vitals_name_idx on host_vitals");
        assert!(by_index && !plan.contains("Seq Scan on host_vitals"), "{plan}");
    }
}

/// Spec: hosts 26
#[tokio::test]
async fn find_and_exists_know_hosts_of_the_own_organisation_only() {
    let fleet = Fleet::new().await;
    let pool = fleet.db.pool();
    let host = a_host(fleet.org).named("web").insert(pool).await;
    let stranger = grant(a_organisation(pool).await);
    let found = store::find(pool, &grant(fleet.org), host.id).await.unwrap().unwrap();
    assert_eq!((found.row.hostname.as_str(), found.row.agent_id), ("web", host.agent_id));
    assert_eq!(found.agent_status.as_deref(), Some("active"));
    assert!(store::exists(pool, &grant(fleet.org), host.id).await.unwrap());
    assert!(store::find(pool, &stranger, host.id).await.unwrap().is_none());
    assert!(!store::exists(pool, &stranger, host.id).await.unwrap());
    assert!(!store::exists(pool, &grant(fleet.org), new_id()).await.unwrap());
}

fn sample(at: DateTime<Utc>, cpu: i16) -> VitalsSample {
    VitalsSample {
        recorded_at: at,
        received_at: at,
        cpu_centi: Some(cpu),
        memory_centi: None,
        disk_centi: Some(1),
        uptime_seconds: Some(60),
        clock_skewed: false,
    }
}

/// Spec: monitoring 3
#[tokio::test]
async fn samples_are_read_newest_720_first_to_last() {
    let fleet = Fleet::new().await;
    let pool = fleet.db.pool();
    let host = a_host(fleet.org).insert(pool).await.id;
    sqlx::query(
        "INSERT INTO metric_samples (host_id, recorded_at, received_at, cpu_centi)
         SELECT $1, $2::timestamptz - n * interval '2 s', $2, 5 FROM generate_series(0, 799) AS n",
    )
    .bind(host)
    .bind(start_time())
    .execute(pool)
    .await
    .unwrap();
    let hour = start_time() - TimeDelta::hours(1);
    let found = store::samples(pool, &grant(fleet.org), host, hour).await.unwrap();
    assert_eq!(found.len(), 720);
    assert!(found.is_sorted_by_key(|sample| sample.recorded_at));
    assert_eq!(found.last().unwrap().recorded_at, start_time());
    let late = start_time() - TimeDelta::seconds(4);
    assert_eq!(store::samples(pool, &grant(fleet.org), host, late).await.unwrap().len(), 2);
    let stranger = grant(a_organisation(pool).await);
    assert!(store::samples(pool, &stranger, host, hour).await.unwrap().is_empty());
}

#[tokio::test]
async fn change_vitals_with_older_figures_keeps_the_newer_ones() {
    let fleet = Fleet::new().await;
    let pool = fleet.db.pool();
    let host_id = a_host(fleet.org).never_seen().insert(pool).await.id;
    let at = |seconds| start_time() + TimeDelta::seconds(seconds);
    let steps = [
        (at(0), Some(sample(at(0), 10)), (Some(10), at(0))),
        (at(30), Some(sample(at(-30), 99)), (Some(10), at(30))),
        (at(20), Some(sample(at(25), 20)), (Some(20), at(30))),
        (at(40), None, (Some(20), at(40))),
    ];
    for (seen_at, newest, expected) in steps {
        let mut tx = pool.begin().await.unwrap();
        let change = VitalsChange { host_id, seen_at, newest };
        assert_eq!(store::change_vitals(&mut tx, &[change]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let vitals = store::vitals_of(pool, &[host_id, new_id()]).await.unwrap();
        assert_eq!(vitals.len(), 1);
        assert_eq!((vitals[0].cpu_centi, vitals[0].last_seen_at), (expected.0, Some(expected.1)));
        assert_eq!(vitals[0].memory_centi, None, "what could not be read is absent");
    }
}

/// Spec: hosts 6
#[tokio::test]
async fn change_status_never_makes_a_host_without_approved_agent_online() {
    let fleet = Fleet::new().await;
    let pool = fleet.db.pool();
    for (agent, status, changes) in [
        ("active", "unknown", 1),
        ("offline", "offline", 1),
        ("revoked", "offline", 0),
        ("pending", "pending", 0),
    ] {
        let host = a_host(fleet.org).with_agent(agent).with_status(status).insert(pool).await;
        let mut tx = pool.begin().await.unwrap();
        let update = StatusUpdate { host_id: host.id, status: HostStatus::Online, at: start_time() };
        assert_eq!(store::change_status(&mut tx, &[update]).await.unwrap().len(), changes, "{agent}");
        let again = store::change_status(&mut tx, &[update]).await.unwrap();
        assert!(again.is_empty(), "nothing changes twice");
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn insert_host_and_vitals_with_a_taken_name_adds_nothing() {
    let fleet = Fleet::new().await;
    let pool = fleet.db.pool();
    let new = |hostname: &str| NewHost {
        id: new_id(),
        org_id: fleet.org,
        identity: HostIdentity { hostname: hostname.to_owned(), ..HostIdentity::default() },
        status: HostStatus::Pending,
    };
    let (first, second) = (new("Web-1"), new("WEB-1"));
    let mut tx = pool.begin().await.unwrap();
    assert!(store::insert_host(&mut tx, &first, start_time()).await.unwrap());
    store::insert_vitals(&mut tx, first.id, first.status, Some("1.0"), start_time()).await.unwrap();
    assert!(!store::insert_host(&mut tx, &second, start_time()).await.unwrap());
    let locked = store::lock_hosts(&mut tx, &[first.id, second.id]).await.unwrap();
    assert_eq!(locked, [(first.id, fleet.org)]);
    assert_eq!(store::remove_vitals(&mut tx, first.id).await.unwrap(), Some(fleet.org));
    store::mark_deleted(&mut tx, first.id, None, start_time()).await.unwrap();
    assert!(store::insert_host(&mut tx, &second, start_time()).await.unwrap(), "the name is free again");
    assert_eq!(store::remove_vitals(&mut tx, first.id).await.unwrap(), None);
}

/// Spec: hosts 13
#[tokio::test]
async fn change_facts_and_identity_are_found_by_search_after_copying() {
    let fleet = Fleet::new().await;
    let pool = fleet.db.pool();
    let host = a_host(fleet.org).named("old").insert(pool).await;
    let facts = FactsChange {
        host_id: host.id,
        agent_version: Some("2.0".into()),
        os: Some("alpine".into()),
        os_version: None,
        arch: None,
        ip_addresses: Some(vec!["192.0.2.9".into(), "2001:db8::9".into()]),
        disks: Some(json!([{ "mount_point": "/" }])),
        interfaces: None,
    };
    let mut tx = pool.begin().await.unwrap();
    let changed = store::change_facts(&mut tx, std::slice::from_ref(&facts), start_time()).await.unwrap();
    assert_eq!(changed, [host.id]);
    let version = [Some("2.0".to_owned())];
    assert_eq!(store::copy_to_vitals(&mut tx, &[host.id], &version).await.unwrap(), 1);
    assert!(store::change_facts(&mut tx, &[facts], start_time()).await.unwrap().is_empty(), "nothing new");
    assert_eq!(store::copy_to_vitals(&mut tx, &[host.id], &version).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let search = |text: &str| HostFilter { search: Some(text.to_owned()), ..HostFilter::default() };
    assert_eq!(fleet.matching(search("2001:db8::9")).await, ["old"]);
    assert_eq!(fleet.matching(search("10.0.0.1")).await, [""; 0]);
    let found = store::find(pool, &grant(fleet.org), host.id).await.unwrap().unwrap();
    assert_eq!((found.row.os.as_deref(), found.row.arch.as_deref()), (Some("alpine"), Some("x86_64")));
    assert_eq!(found.row.agent_version.as_deref(), Some("2.0"));

    let identity =
        HostIdentity { hostname: "New".into(), arch: Some("arm64".into()), ..HostIdentity::default() };
    let mut tx = pool.begin().await.unwrap();
    store::replace_identity(&mut tx, host.id, &identity, start_time()).await.unwrap();
    store::copy_to_vitals(&mut tx, &[host.id], &[None]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(fleet.matching(search("new")).await, ["New"]);
    assert_eq!(fleet.matching(search("old")).await, [""; 0]);
    let found = store::find(pool, &grant(fleet.org), host.id).await.unwrap().unwrap();
    assert_eq!((found.row.os.as_deref(), found.row.arch.as_deref()), (Some("alpine"), Some("arm64")));
    assert_eq!(
        found.row.agent_version.as_deref(),
        Some("2.0"),
        "an unknown version leaves the known one alone"
    );
}
