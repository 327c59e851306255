#![allow(clippy::unwrap_used)]

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Clock;
use ctops_pg::Pool;
use ctops_testkit::{TestDb, TestHost, a_clock, a_host, a_organisation};
use uuid::Uuid;

use super::model::{Package, ScanStatus, SoftwareSettings, Upload};
use super::uploads::{ScanResult, abort_upload, begin_upload, finish_upload, stage_packages};
use super::{service, store};

mod sweep;

/// An organisation with one host.
struct Fixture {
    db: TestDb,
    clock: Clock,
    org: Uuid,
    host: TestHost,
}

/// What is kept of a package: version, first seen, gone, version that replaced it.
type Kept = (String, DateTime<Utc>, bool, Option<String>);

impl Fixture {
    async fn new() -> Self {
        let db = TestDb::new().await;
        let org = a_organisation(db.pool()).await;
        let host = a_host(org).insert(db.pool()).await;
        Self { db, clock: a_clock(), org, host }
    }

    fn pool(&self) -> &Pool {
        self.db.pool()
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    async fn upload(&self) -> Upload {
        self.clock.advance(TimeDelta::hours(1));
        let mut tx = self.pool().begin().await.unwrap();
        let settings = SoftwareSettings::default();
        let run =
            service::start(&mut tx, self.org, &[self.host.id], None, &settings, self.now()).await.unwrap();
        tx.commit().await.unwrap();
        let scan_id = run.targets[0].1.to_string();
        begin_upload(self.pool(), self.host.agent_id.as_ref().unwrap(), &scan_id, self.now()).await.unwrap()
    }

    async fn stage(&self, upload: &Upload, source: &str, packages: &[(&str, &str)]) {
        let packages: Vec<Package> =
            packages.iter().map(|(name, version)| a_package(name, version)).collect();
        stage_packages(self.pool(), upload, source, &packages, self.now()).await.unwrap();
    }

    /// A complete scan of these sources.
    async fn scan(&self, sources: &[(&str, &[(&str, &str)])]) -> ScanResult {
        let upload = self.upload().await;
        for (source, packages) in sources {
            self.stage(&upload, source, packages).await;
        }
        let sources: Vec<String> = sources.iter().map(|(source, _)| (*source).to_owned()).collect();
        finish_upload(self.pool(), &upload, &sources, self.now()).await.unwrap()
    }

    async fn kept(&self, name: &str) -> Vec<Kept> {
        sqlx::query_as(
            "SELECT p.version, p.first_seen_at, p.removed_at IS NOT NULL, n.version
             FROM software_packages p LEFT JOIN software_packages n ON n.id = p.replaced_by
             WHERE p.host_id = $1 AND p.name = $2 ORDER BY p.id",
        )
        .bind(self.host.id)
        .bind(name)
        .fetch_all(self.pool())
        .await
        .unwrap()
    }

    async fn live(&self) -> String {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT source || ':' || name || '=' || version FROM software_packages
             WHERE host_id = $1 AND removed_at IS NULL ORDER BY 1",
        )
        .bind(self.host.id)
        .fetch_all(self.pool())
        .await
        .unwrap();
        names.join(" ")
    }

    async fn one<T>(&self, sql: &'static str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap()
    }
}

fn a_package(name: &str, version: &str) -> Package {
    Package { name: name.to_owned(), version: version.to_owned(), ..Package::default() }
}

/// Spec: software-inventory 7
#[tokio::test]
async fn complete_scan_adds_keeps_and_removes_and_links_an_upgrade() {
    let it = Fixture::new().await;
    let first = it.scan(&[("dpkg", &[("bash", "5.1"), ("curl", "7.8"), ("vim", "9.0")])]).await;
    assert_eq!((first.status, first.counts.added, first.counts.removed), (ScanStatus::Success, 3, 0));
    let first_seen = it.now();
    let second = it.scan(&[("dpkg", &[("bash", "5.1"), ("curl", "7.9")])]).await;
    assert_eq!((second.counts.packages, second.counts.added, second.counts.removed), (2, 1, 2));
    assert_eq!(it.live().await, "dpkg:bash=5.1 dpkg:curl=7.9");
    assert_eq!(it.kept("bash").await, [("5.1".into(), first_seen, false, None)], "first seen never changes");
    let upgraded = [
        ("7.8".to_owned(), first_seen, true, Some("7.9".to_owned())),
        ("7.9".to_owned(), it.now(), false, None),
    ];
    assert_eq!(it.kept("curl").await, upgraded);
    assert_eq!(it.kept("vim").await, [("9.0".into(), first_seen, true, None)]);
    // Seen again: the removal is cleared, also that of a downgrade, and the row is the old one.
    let third = it.scan(&[("dpkg", &[("bash", "5.1"), ("curl", "7.8"), ("vim", "9.0")])]).await;
    assert_eq!((third.counts.added, third.counts.removed), (2, 1));
    assert_eq!(it.kept("vim").await, [("9.0".into(), first_seen, false, None)]);
    assert_eq!(it.kept("curl").await[0], ("7.8".into(), first_seen, false, None));
    assert_eq!(it.kept("curl").await[1].3.as_deref(), Some("7.8"), "the downgrade is linked");
}

/// Spec: software-inventory 7
#[tokio::test]
async fn rows_are_told_apart_by_source_name_version_and_architecture_and_doubles_are_one() {
    let it = Fixture::new().await;
    let upload = it.upload().await;
    let amd = Package {
        architecture: "amd64".into(),
        publisher: Some("Debian".into()),
        ..a_package("libc6", "2.36")
    };
    let packages = [
        amd.clone(),
        Package { architecture: "i386".into(), ..amd.clone() },
        amd.clone(),
        a_package("libc6", "2.36"),
    ];
    stage_packages(it.pool(), &upload, "dpkg", &packages, it.now()).await.unwrap();
    it.stage(&upload, "pip", &[("libc6", "2.36"), ("libc6", "2.36")]).await;
    let done = finish_upload(it.pool(), &upload, &["dpkg".into(), "pip".into()], it.now()).await.unwrap();
    assert_eq!(done.counts.packages, 4);
    let counts: Vec<i64> = done.sources.iter().map(|source| source.count).collect();
    assert_eq!(counts, [3, 1]);
    assert_eq!(it.one::<i64>("SELECT count(*) FROM software_staged_packages").await, 0);
    // Metadata that is missing later does not erase what is known.
    let bare = Package { publisher: None, ..amd };
    let again = it.upload().await;
    stage_packages(it.pool(), &again, "dpkg", &[bare], it.now()).await.unwrap();
    finish_upload(it.pool(), &again, &["dpkg".into()], it.now()).await.unwrap();
    let publisher: String = it
        .one("SELECT publisher FROM software_packages WHERE architecture = 'amd64' AND source = 'dpkg'")
        .await;
    assert_eq!(publisher, "Debian");
}

/// Spec: software-inventory 5
#[tokio::test]
async fn scan_that_was_cut_short_changes_no_package() {
    let it = Fixture::new().await;
    it.scan(&[("dpkg", &[("bash", "5.1"), ("curl", "7.8")])]).await;
    let upload = it.upload().await;
    it.stage(&upload, "dpkg", &[("bash", "5.2")]).await;
    abort_upload(it.pool(), &upload, true, "the stream\u{0} ended", it.now()).await.unwrap();
    assert_eq!(it.live().await, "dpkg:bash=5.1 dpkg:curl=7.8");
    let newest = "SELECT status || ': ' || error FROM software_scans ORDER BY requested_at DESC LIMIT 1";
    assert_eq!(it.one::<String>(newest).await, "partial: the stream ended");
    assert_eq!(it.one::<i64>("SELECT count(*) FROM software_staged_packages").await, 0);
    let late = finish_upload(it.pool(), &upload, &["dpkg".into()], it.now()).await.unwrap_err();
    assert_eq!(late.code(), "wrong_state");
    // The agent may try the same scan again.
    let agent = it.host.agent_id.as_ref().unwrap();
    let again = begin_upload(it.pool(), agent, &upload.scan_id.to_string(), it.now()).await.unwrap();
    it.stage(&again, "dpkg", &[("bash", "5.2")]).await;
    finish_upload(it.pool(), &again, &["dpkg".into()], it.now()).await.unwrap();
    assert_eq!(it.live().await, "dpkg:bash=5.2");
    let done = begin_upload(it.pool(), agent, &upload.scan_id.to_string(), it.now()).await.unwrap_err();
    assert_eq!(done.code(), "wrong_state", "a complete scan is over");
}

/// Spec: software-inventory 5, 6
#[tokio::test]
async fn source_that_failed_or_was_not_read_keeps_its_packages() {
    let it = Fixture::new().await;
    let names: Vec<String> = (10..22).map(|n| format!("snap{n}")).collect();
    let snaps: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    it.scan(&[("dpkg", &[("bash", "5.1"), ("vim", "9")]), ("snap", &snaps), ("pip", &[("six", "1.16")])])
        .await;
    let partial = it.scan(&[("dpkg", &[("bash", "5.2")]), ("snap", &[])]).await;
    assert_eq!(partial.status, ScanStatus::Partial);
    assert_eq!((partial.counts.added, partial.counts.removed), (1, 2));
    let live = it.live().await;
    assert!(live.starts_with("dpkg:bash=5.2 pip:six=1.16 snap:snap10=1"), "{live}");
    let failed = it.scan(&[("snap", &[])]).await;
    assert_eq!((failed.status, failed.counts.removed), (ScanStatus::Failed, 0));
    assert_eq!(it.one::<i32>("SELECT failures FROM software_hosts").await, 2);
    // Few packages may go at once.
    assert_eq!(it.scan(&[("pip", &[])]).await.status, ScanStatus::Success);
    assert!(!it.live().await.contains("pip"));
    assert_eq!(it.one::<i32>("SELECT failures FROM software_hosts").await, 0);
}

/// Spec: software-inventory 4
#[tokio::test]
async fn begin_upload_for_what_is_no_scan_of_the_agents_host_is_not_found() {
    let it = Fixture::new().await;
    let other = a_host(it.org).insert(it.pool()).await;
    let upload = it.upload().await;
    for (agent, scan) in [
        (other.agent_id.as_ref().unwrap(), upload.scan_id.to_string()),
        (it.host.agent_id.as_ref().unwrap(), Uuid::nil().to_string()),
        (it.host.agent_id.as_ref().unwrap(), "not an id".to_owned()),
    ] {
        let refused = begin_upload(it.pool(), agent, &scan, it.now()).await.unwrap_err();
        assert_eq!(refused.code(), "not_found", "{scan}");
    }
}

#[tokio::test]
async fn upload_that_a_newer_one_replaced_cannot_finish() {
    let it = Fixture::new().await;
    let old = it.upload().await;
    it.stage(&old, "dpkg", &[("old", "1")]).await;
    let agent = it.host.agent_id.as_ref().unwrap();
    let new = begin_upload(it.pool(), agent, &old.scan_id.to_string(), it.now()).await.unwrap();
    assert!(finish_upload(it.pool(), &old, &["dpkg".into()], it.now()).await.is_err());
    abort_upload(it.pool(), &old, true, "cut", it.now()).await.unwrap();
    it.stage(&new, "dpkg", &[("new", "1")]).await;
    finish_upload(it.pool(), &new, &["dpkg".into()], it.now()).await.unwrap();
    assert_eq!(it.live().await, "dpkg:new=1");
}

#[tokio::test]
async fn scans_beyond_the_newest_hundred_are_forgotten() {
    let it = Fixture::new().await;
    sqlx::query(
        "INSERT INTO software_scans (id, org_id, host_id, origin, status, requested_at)
         SELECT gen_random_uuid(), $1, $2, 'schedule', 'failed', $3 - n * interval '1 day' FROM generate_series(1, 120) n",
    )
    .bind(it.org)
    .bind(it.host.id)
    .bind(it.now())
    .execute(it.pool())
    .await
    .unwrap();
    it.scan(&[("dpkg", &[("bash", "5.1")])]).await;
    assert_eq!(it.one::<i64>("SELECT count(*) FROM software_scans").await, 100);
    assert_eq!(it.one::<i64>("SELECT count(*) FROM software_scans WHERE status = 'success'").await, 1);
}

/// The flood of a hostile agent, as large as one scan may be, is merged in one go.
///
/// Spec: software-inventory 4
#[tokio::test]
async fn large_scan_is_merged_whole() {
    let it = Fixture::new().await;
    let upload = it.upload().await;
    for chunk in 0..20 {
        let packages: Vec<Package> = (0..1000).map(|n| a_package(&format!("p{chunk}-{n}"), "1")).collect();
        stage_packages(it.pool(), &upload, "dpkg", &packages, it.now()).await.unwrap();
    }
    let done = finish_upload(it.pool(), &upload, &["dpkg".into()], it.now()).await.unwrap();
    assert_eq!((done.counts.packages, done.counts.added), (20_000, 20_000));
    assert_eq!(it.scan(&[("rpm", &[("one", "1")])]).await.counts.removed, 0, "another source");
}
