//! A running node, agents with real certificates, and what they left on the queue.

mod client;
mod queue;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use ctops_base::{Clock, Role, id};
use ctops_crypto::csr::Csr;
use ctops_crypto::seal::InstallKey;
use ctops_crypto::secret::sha256;
use ctops_crypto::signing::SigningKey;
use ctops_fleet::agents::{AgentDeps, AgentSignal, AgentTrust, RegisterLimits};
use ctops_fleet::releases::ReleaseDeps;
use ctops_ingest::tls::TlsMaterial;
use ctops_ingest::{Ingest, Limits};
use ctops_pg::Pool;
use ctops_pg::notify::{self, Notifications};
use ctops_slice::licence::GivenEntitlements;
use ctops_slice::{Actor, AgentWork, Credential};
use ctops_testkit::{TestDb, a_host, a_organisation, a_user};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use client::{Client, Connection, RawMessages, alert, beat, client_config, closed};
pub(crate) use queue::GatedQueue;

/// Long enough for a busy machine, short enough to fail in time.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// An agent with its key, certificate and token.
pub(crate) struct TestAgent {
    pub(crate) id: String,
    pub(crate) host_id: Uuid,
    pub(crate) key: KeyPair,
    pub(crate) cert_der: Vec<u8>,
    pub(crate) serial: String,
    pub(crate) jwt: String,
}

/// A node with a database and a queue of its own.
pub(crate) struct TestNode {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) agents: AgentDeps,
    pub(crate) tls: Arc<TlsMaterial>,
    pub(crate) queue: Arc<GatedQueue>,
    pub(crate) org_id: Uuid,
    user_id: Uuid,
    pub(crate) shutdown: CancellationToken,
    work: Vec<Arc<dyn AgentWork>>,
    serving: Option<JoinHandle<()>>,
    db: TestDb,
    _queue_dir: tempfile::TempDir,
}

impl TestNode {
    pub(crate) async fn start() -> Self {
        Self::with_limits(Limits::default()).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        Self::with_work(limits, |_| Vec::new()).await
    }

    /// A node whose agents have work, as the features that `work` makes say.
    pub(crate) async fn with_work(
        limits: Limits,
        work: impl FnOnce(&Pool) -> Vec<Arc<dyn AgentWork>>,
    ) -> Self {
        let db = TestDb::new().await;
        let pool = db.pool().clone();
        // The clients of these tests check certificates by the machine's clock.
        let clock = Clock::manual(Utc::now());
        let trust = AgentTrust::load_or_create(&pool, &InstallKey::generate(), &clock).await.unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let identity = trust.server_authority().issue_server(&names, clock.now()).unwrap();
        let cas = trust.trusted_agent_cas().to_vec();
        let tls = TlsMaterial::new(clock.clone(), &identity.cert_chain_pem, &identity.key_pem, &cas).unwrap();
        let queue_dir = tempfile::tempdir().unwrap();
        let agents = AgentDeps {
            pool: pool.clone(),
            clock: clock.clone(),
            trust: Arc::new(trust),
            limits: RegisterLimits::default(),
            releases: ReleaseDeps::new(queue_dir.path(), release_key().public_key(), "https://localhost"),
            entitlements: Arc::new(GivenEntitlements::default()),
        };
        let queue_dir = tempfile::tempdir().unwrap();
        let queue = Arc::new(GatedQueue::open(queue_dir.path(), &clock).await);
        let org_id = a_organisation(&pool).await;
        let user_id = a_user(&pool, org_id, &[Role::SuperAdmin]).await;
        let mut node = Self {
            address: ([127, 0, 0, 1], 0).into(),
            clock,
            agents,
            tls: Arc::new(tls),
            queue,
            org_id,
            user_id,
            shutdown: CancellationToken::new(),
            work: work(&pool),
            serving: None,
            db,
            _queue_dir: queue_dir,
        };
        node.serve(limits).await;
        node
    }

    async fn serve(&mut self, limits: Limits) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let notifications = Notifications::start(self.pool(), &[notify::AGENTS]).await.unwrap();
        let ingest = Ingest {
            agents: self.agents.clone(),
            queue: self.queue.clone(),
            notifications: notifications.clone(),
            tls: Arc::clone(&self.tls),
            work: self.work.clone(),
            node_name: "test".to_owned(),
            limits,
        };
        let shutdown = self.shutdown.clone();
        self.serving = Some(tokio::spawn(async move {
            ingest.serve(listener, shutdown).await.unwrap();
            notifications.shutdown().await;
        }));
    }

    pub(crate) fn pool(&self) -> &Pool {
        self.db.pool()
    }

    /// Stops the node and waits until it has stopped.
    pub(crate) async fn stop(&mut self) {
        self.shutdown.cancel();
        let serving = self.serving.take().unwrap();
        tokio::time::timeout(SOON, serving).await.expect("the node stops in time").unwrap();
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address, self.agents.trust.server_authority().cert_der())
    }

    /// An approved agent of a host that was written directly.
    pub(crate) async fn agent(&self) -> TestAgent {
        self.agent_with_status("active").await
    }

    pub(crate) async fn agent_with_status(&self, status: &'static str) -> TestAgent {
        let host = a_host(self.org_id).with_agent(status).insert(self.pool()).await;
        let mut agent = self.stranger(&host.agent_id.unwrap());
        agent.host_id = host.id;
        sqlx::query(
            "WITH issued AS (
                 INSERT INTO agent_certificates (serial, agent_id, issued_at, not_after)
                 VALUES ($4, $1, $5, $5 + interval '90 days')
             )
             UPDATE agents SET public_key = $2, public_key_sha256 = $3, client_cert_serial = $4 WHERE id = $1",
        )
        .bind(&agent.id)
        .bind(agent.public_key())
        .bind(&sha256(agent.public_key().as_bytes())[..])
        .bind(&agent.serial)
        .bind(self.clock.now())
        .execute(self.pool())
        .await
        .unwrap();
        agent
    }

    /// Somebody with a certificate and a token of ours for an id, whether or not the database knows it.
    pub(crate) fn stranger(&self, agent_id: &str) -> TestAgent {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let csr = Csr::parse(&csr(&key)).unwrap();
        let leaf =
            self.agents.trust.agent_authority().issue_client(&csr, agent_id, self.clock.now()).unwrap();
        let jwt = self.agents.trust.tokens().sign(agent_id, self.clock.now()).unwrap();
        let (cert_der, serial) = (leaf.der, leaf.serial_hex);
        TestAgent { id: agent_id.to_owned(), host_id: Uuid::nil(), key, cert_der, serial, jwt }
    }

    /// Somebody with our certificate and token for an id that the database does not know.
    pub(crate) fn unknown_agent(&self) -> TestAgent {
        self.stranger(&id::new_agent_id())
    }

    /// Somebody who may decide about agents.
    pub(crate) fn administrator(&self) -> Actor {
        let credential = Credential::session(Uuid::nil(), self.clock.now());
        Actor::with_roles((self.user_id, self.org_id), credential, [Role::SuperAdmin], [127, 0, 0, 1].into())
    }

    /// Marks the agent and its certificate as revoked, without telling anybody.
    pub(crate) async fn revoke(&self, agent: &TestAgent) {
        let mut tx = self.pool().begin().await.unwrap();
        sqlx::query("UPDATE agents SET status = 'revoked' WHERE id = $1")
            .bind(&agent.id)
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO revoked_certificates (serial, reason, revoked_at, not_after)
             VALUES ($1, 'test', $2, $2 + interval '90 days')",
        )
        .bind(&agent.serial)
        .bind(self.clock.now())
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn notify(&self, signal: &AgentSignal) {
        notify::notify(self.pool(), notify::AGENTS, &signal.to_string()).await.unwrap();
    }

    /// An enrolment token; returns its secret.
    pub(crate) async fn token(&self, auto_approve: bool) -> String {
        let secret = ctops_crypto::secret::random_token("tok_");
        sqlx::query(
            "INSERT INTO agent_enrolment_tokens (id, org_id, label, token_hash, hint_prefix, hint_suffix, auto_approve,
                                                 max_uses, created_at)
             VALUES ($1, $2, 'test', $3, $4, $5, $6, NULL, $7)",
        )
        .bind(id::new_id())
        .bind(self.org_id)
        .bind(&sha256(secret.as_bytes())[..])
        .bind(&secret[..8])
        .bind(&secret[secret.len() - 4..])
        .bind(auto_approve)
        .bind(self.clock.now())
        .execute(self.pool())
        .await
        .unwrap();
        secret
    }
}

impl TestAgent {
    /// The text of `agent_key.pub`: raw key bytes in PEM.
    pub(crate) fn public_key(&self) -> String {
        public_key(&self.key)
    }
}

/// Signs the releases of these tests.
pub(crate) fn release_key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

pub(crate) fn public_key(key: &KeyPair) -> String {
    use base64::Engine;
    let body = base64::engine::general_purpose::STANDARD.encode(key.public_key_raw());
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

/// A certificate request in DER.
pub(crate) fn csr(key: &KeyPair) -> Vec<u8> {
    CertificateParams::default().serialize_request(key).unwrap().der().to_vec()
}
