//! A day, and then some months, of one agent: our agent and our ingest with one injected clock.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use ctops_agent::agent::Outcome;
use ctops_agent::identity::Identity;
use ctops_base::Clock;
use ctops_crypto::csr::Csr;
use ctops_fleet::agents::{AgentSignal, approve_agent, revoke_agent};
use ctops_fleet::hosts::{MetricsConsumer, StatusConsumer};
use ctops_queue::{Handler, run_consumer};
use ctops_testkit::wait_until;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bench::Bench;
use crate::support::{SOON, TestNode};

/// Within this a revoked agent is off (security 19).
const REVOKED_WITHIN: Duration = Duration::from_secs(5);

/// The server's side: ingest, queue, database and the consumers that fill it; its clock never stands still.
struct World {
    node: TestNode,
    running: JoinSet<()>,
    consumers: CancellationToken,
    /// Real time of the start, which the agent's TLS library goes by.
    began: DateTime<Utc>,
}

impl World {
    async fn start() -> Self {
        let node = TestNode::start().await;
        let (mut running, consumers) = (JoinSet::new(), CancellationToken::new());
        let handlers: [Arc<dyn Handler>; 2] = [Arc::new(StatusConsumer), Arc::new(MetricsConsumer)];
        for handler in handlers {
            let (pool, clock) = (node.pool().clone(), node.clock.clone());
            running.spawn(run_consumer(node.queue.clone(), pool, clock, handler, consumers.clone()));
        }
        let (clock, began) = (node.clock.clone(), node.clock.now());
        running.spawn(tick(clock));
        Self { node, running, consumers, began }
    }

    async fn text(&self, sql: &'static str) -> String {
        let text: Option<Option<String>> =
            sqlx::query_scalar(sql).fetch_optional(self.node.pool()).await.unwrap();
        text.flatten().unwrap_or_default()
    }

    async fn until(&self, sql: &'static str, expected: &str) {
        let mut last = String::new();
        let end = Instant::now() + SOON;
        while Instant::now() < end {
            last = self.text(sql).await;
            if last == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{sql} gives {last:?} instead of {expected:?}");
    }

    /// Waits for three more reports in the database.
    async fn reporting(&self) {
        let before = self.samples().await;
        wait_until(SOON, async || self.samples().await >= before + 3).await;
    }

    async fn samples(&self) -> usize {
        self.text("SELECT count(*)::text FROM metric_samples").await.parse().unwrap()
    }

    /// The one agent and its host.
    async fn who(&self) -> String {
        self.text("SELECT string_agg(id || ' ' || host_id || ' ' || approved_at::text, ', ') FROM agents")
            .await
    }

    async fn agent_id(&self) -> String {
        self.text("SELECT id FROM agents").await
    }

    async fn serial(&self) -> String {
        self.text("SELECT client_cert_serial FROM agents").await
    }

    /// How often leases began.
    async fn streams(&self) -> usize {
        self.node.queue.lease_story(0).await.iter().filter(|told| *told == "began").count()
    }

    /// Gives the agent another certificate for its key, as an administrator's rotation does.
    async fn rotate(&self, data: &Path) -> String {
        let request = Identity::load_or_create(data).unwrap().certificate_request().unwrap();
        let (now, agent_id) = (self.node.clock.now(), self.agent_id().await);
        let authority = self.node.agents.trust.agent_authority();
        let leaf = authority.issue_client(&Csr::parse(&request).unwrap(), &agent_id, now).unwrap();
        sqlx::query(
            "WITH issued AS (
                 INSERT INTO agent_certificates (serial, agent_id, issued_at, not_after) VALUES ($3, $1, $5, $4)
             )
             UPDATE agents SET client_cert_pem = $2, client_cert_serial = $3, client_cert_not_after = $4 WHERE id = $1",
        )
        .bind(&agent_id)
        .bind(&leaf.pem)
        .bind(&leaf.serial_hex)
        .bind(leaf.not_after)
        .bind(now)
        .execute(self.node.pool())
        .await
        .unwrap();
        self.node.notify(&AgentSignal::Certificate(agent_id)).await;
        leaf.pem
    }

    /// Lets new connections meet another certificate of the server.
    async fn change_server_certificate(&self) {
        let names = ["localhost".to_owned()];
        let identity = self.node.agents.trust.server_authority().issue_server(&names, self.began).unwrap();
        self.node.tls.set_server_certificate(&identity.cert_chain_pem, &identity.key_pem).unwrap();
        let expected = CertificateDer::from_pem_slice(identity.cert_chain_pem.as_bytes()).unwrap();
        let client = self.node.client();
        let shown = client.tls(Arc::new(client.config(None))).await.unwrap();
        assert_eq!(shown.get_ref().1.peer_certificates().unwrap()[0], expected);
    }

    /// Every report that was acknowledged is a row: ingest acknowledges what is on the queue, and nothing on it is missing.
    async fn nothing_is_lost(&self) {
        // The agent may go on reporting meanwhile, so what is compared is what was on the queue at one moment.
        let sent = self.sent().await;
        wait_until(SOON, async || sent.is_subset(&self.stored().await)).await;
        self.until("SELECT count(*)::text FROM dead_letters", "0").await;
    }

    /// The moments, in Unix milliseconds, of all samples on the queue: those of reports and those they carry from before.
    async fn sent(&self) -> BTreeSet<i64> {
        let reports = self.node.queue.reports(0).await;
        let own = reports.iter().filter(|report| report.is_sample).map(|report| report.recorded_at_ms);
        let late = reports.iter().flat_map(|report| &report.late_samples).map(|late| late.recorded_at_ms);
        own.chain(late).collect()
    }

    /// The moments of all samples in the database.
    async fn stored(&self) -> BTreeSet<i64> {
        let moments: Vec<DateTime<Utc>> = sqlx::query_scalar("SELECT recorded_at FROM metric_samples")
            .fetch_all(self.node.pool())
            .await
            .unwrap();
        moments.iter().map(DateTime::timestamp_millis).collect()
    }

    async fn stop(mut self) {
        self.node.stop().await;
        self.nothing_is_lost().await;
        self.consumers.cancel();
        self.running.shutdown().await;
    }
}

/// A second for every 20 ms, so that no two reports are of the same moment.
async fn tick(clock: Clock) {
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    loop {
        beat.tick().await;
        clock.advance(TimeDelta::seconds(1));
    }
}

fn bench(world: &World, token: &str) -> Bench {
    let ca = world.node.agents.trust.server_authority().cert_pem();
    let mut bench = Bench::at(world.node.address.port(), ca);
    bench.arguments.retain(|argument| !argument.starts_with("-token="));
    bench.arguments.push(format!("-token={token}"));
    bench.clock = world.node.clock.clone();
    bench
}

/// Spec: agents-enrolment 8, 9, 11, 13
#[tokio::test]
async fn a_day_of_an_agent() {
    let world = World::start().await;
    let bench = bench(&world, &world.node.token(false).await);
    let agent = bench.start();

    // It enrols and waits for its approval.
    world.until("SELECT status FROM agents", "pending").await;
    let administrator = world.node.administrator();
    approve_agent(&world.node.agents, &administrator, &world.agent_id().await).await.unwrap();
    world.until("SELECT status FROM host_vitals", "online").await;
    world.reporting().await;
    let (who, first) = (world.who().await, world.serial().await);

    // After 25 h its token (JWT) has expired; the stream lives on.
    world.node.clock.advance(TimeDelta::hours(25));
    world.reporting().await;
    assert_eq!(world.streams().await, 1, "one stream all day");

    // In the last third of its life the certificate is renewed on the open stream; the next stream opens with the token
    // that expired two months ago.
    world.node.clock.advance(TimeDelta::days(60));
    wait_until(SOON, async || world.serial().await != first).await;
    wait_until(SOON, async || world.streams().await == 2).await;
    world.reporting().await;

    // The server gets another certificate, which the next stream meets: that of a rotation.
    world.change_server_certificate().await;
    // Two certificates of one moment would be the same to the agent.
    world.node.clock.advance(TimeDelta::hours(1));
    let rotated = world.rotate(&bench.data()).await;
    wait_until(SOON, async || bench.file("agent_cert.pem") == rotated).await;
    wait_until(SOON, async || world.streams().await == 3).await;
    world.reporting().await;
    assert_eq!(bench.log.count("registering agent"), 1, "all of that without registering again");
    assert_eq!(world.who().await, who);
    world.nothing_is_lost().await;

    assert_eq!(agent.stop().await, Outcome::Stopped);
    world.until("SELECT status FROM host_vitals", "offline").await;
    world.stop().await;
}

/// Spec: agents-enrolment 11, 12, 13, 16; hosts 23; security 19
#[tokio::test]
async fn an_agent_that_loses_its_state_its_key_its_certificate_and_its_rights() {
    let world = World::start().await;
    let bench = bench(&world, &world.node.token(true).await);
    let agent = bench.start();
    world.reporting().await;
    let who = world.who().await;
    agent.stop().await;

    // Without its state it enrols again with the same key and is the same agent.
    std::fs::remove_file(bench.data().join("agent_state.json")).unwrap();
    let agent = bench.start();
    world.reporting().await;
    assert_eq!((world.who().await, bench.log.count("registering agent")), (who.clone(), 2));

    // Without its data directory it has another key and adopts its host, with the approval.
    let (key, serial) = (bench.file("agent_key.pub"), world.serial().await);
    agent.stop().await;
    world.until("SELECT status FROM host_vitals", "offline").await;
    std::fs::remove_dir_all(bench.data()).unwrap();
    let agent = bench.start();
    world.reporting().await;
    assert_eq!(world.who().await, who);
    assert_ne!(bench.file("agent_key.pub"), key);
    world.until("SELECT string_agg(serial, ' ') FROM revoked_certificates", &serial).await;

    // Its certificate expires while it is switched off; it comes back by itself.
    agent.stop().await;
    let expired = world.serial().await;
    world.node.clock.advance(TimeDelta::days(91));
    let agent = bench.start();
    world.reporting().await;
    assert_ne!(world.serial().await, expired);
    assert_eq!(world.who().await, who);
    world.nothing_is_lost().await;

    // Revoked: off within five seconds, and told why when it registers again.
    let revoked = Instant::now();
    let administrator = world.node.administrator();
    revoke_agent(&world.node.agents, &administrator, &world.agent_id().await).await.unwrap();
    world.until("SELECT count(*)::text FROM agent_leases", "0").await;
    let told = async || world.node.queue.lease_story(0).await.last().is_some_and(|told| told == "revoked");
    wait_until(REVOKED_WITHIN, told).await;
    assert!(revoked.elapsed() < REVOKED_WITHIN, "{:?}", revoked.elapsed());
    assert_eq!(agent.ended().await, Outcome::Revoked);
    // The key stays unwanted.
    assert_eq!(bench.start().ended().await, Outcome::Revoked);
    world.stop().await;
}
