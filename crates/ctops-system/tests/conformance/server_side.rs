//! An original agent against our ingest: the conversations of `conformance/server`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use ctops_base::Clock;
use ctops_fleet::agents::{approve_agent, revoke_agent};
use ctops_fleet::tasks::{NewRun, SOFTWARE_INVENTORY, TaskWork, create_run};
use ctops_ingest::Limits;
use ctops_monitoring::checks::CheckWork;
use ctops_proto::agent::{
    DockerTelemetryBatch, HeartbeatRequest, HeartbeatResponse, RegisterRequest, RenewCertificateRequest,
    SoftwareInventoryChunk, TerminalAgentMessage,
};
use ctops_slice::announce_work;
use ctops_testkit::wait_until;
use prost::Message;
use rcgen::{KeyPair, PKCS_ED25519};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};
use uuid::Uuid;

use crate::contract::{Contract, Fields, to_hex};
use crate::record::{Actor, Step, Values, names, read};
use crate::support::{Connection, SOON, TestAgent, TestNode, csr, public_key};

/// What the original agent holds.
struct Player {
    node: TestNode,
    contract: Contract,
    values: Values,
    key: KeyPair,
    /// The certificate in use, DER.
    leaf: Option<Vec<u8>>,
    stream: Option<Result<Open, Status>>,
    /// Messages of a call that waits for its answer, in bytes.
    said: Vec<Vec<u8>>,
    authorization: Option<String>,
}

/// An open heartbeat stream.
struct Open {
    sender: Option<mpsc::Sender<HeartbeatRequest>>,
    inbound: Streaming<HeartbeatResponse>,
    _connection: Connection,
}

impl Open {
    async fn new(connection: Connection, first: HeartbeatRequest) -> Result<Self, Status> {
        let (sender, receiver) = mpsc::channel(64);
        sender.send(first).await.unwrap();
        let inbound = connection.rpc().heartbeat(ReceiverStream::new(receiver)).await?.into_inner();
        Ok(Self { sender: Some(sender), inbound, _connection: connection })
    }
}

/// A message with the contract's name, or why there is none.
type Answer = Result<(&'static str, Vec<u8>), Status>;

impl Player {
    async fn new() -> Self {
        let node = TestNode::with_work(Limits::default(), |pool| {
            let deps = ctops_monitoring::Deps {
                pool: pool.clone(),
                clock: Clock::system(),
                install_key: Arc::new(ctops_crypto::seal::InstallKey::generate()),
            };
            vec![Arc::new(TaskWork::new(pool.clone(), Clock::system())), Arc::new(CheckWork::new(deps))]
        })
        .await;
        let mut values = Values::default();
        values.set("token", &node.token(false).await);
        values.set("trusted_token", &node.token(true).await);
        values.set("now", &node.clock.now().timestamp());
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut player = Self {
            node,
            contract: Contract::read(),
            values,
            key,
            leaf: None,
            stream: None,
            said: Vec::new(),
            authorization: None,
        };
        player.know_key();
        player
    }

    fn know_key(&mut self) {
        self.values.set("public_key", &public_key(&self.key));
        self.values.set("csr", &to_hex(&csr(&self.key)));
    }

    async fn play(&mut self, step: &Step) {
        match step.actor {
            Actor::Agent => self.say(step).await,
            Actor::Ingest => {
                let answer = self.answer(&step.what).await;
                self.check(step, answer);
            }
            Actor::World => self.happen(step).await,
        }
    }

    /// Every call but those on the open stream gets a connection of its own, as with the original.
    async fn connect(&self) -> Connection {
        let shown = self.leaf.as_ref().map(|cert_der| TestAgent {
            id: String::new(),
            host_id: Uuid::nil(),
            key: KeyPair::from_pkcs8_der_and_sign_algo(&self.key.serialize_der().into(), &PKCS_ED25519)
                .unwrap(),
            cert_der: cert_der.clone(),
            serial: String::new(),
            jwt: String::new(),
        });
        self.node.client().connect(shown.as_ref()).await
    }

    async fn say(&mut self, step: &Step) {
        let mut fields = self.values.fill_all(&step.fields);
        if let Some(at) = fields.iter().position(|(place, _)| place == "authorization") {
            self.authorization = Some(fields.remove(at).1);
        }
        let message = match step.what.as_str() {
            "Register" => "RegisterRequest",
            "RenewCertificate" => "RenewCertificateRequest",
            "Heartbeat" => "HeartbeatRequest",
            "SubmitSoftwareInventory" => "SoftwareInventoryChunk",
            "SubmitDockerTelemetry" => "DockerTelemetryBatch",
            "Terminal" => "TerminalAgentMessage",
            other => panic!("{}: no method {other}", step.at),
        };
        let bytes = self.contract.encode(message, &fields);
        if step.what != "Heartbeat" {
            self.said.push(bytes);
            return;
        }
        match (&mut self.stream, step.rest.as_str()) {
            (Some(Ok(stream)), "end") => stream.sender = None,
            (Some(Ok(stream)), "") => {
                stream.sender.as_ref().unwrap().send(decode(&bytes)).await.unwrap();
            }
            (None, "") => {
                self.stream = Some(Open::new(self.connect().await, decode(&bytes)).await);
            }
            _ => panic!("{}: not on this stream", step.at),
        }
    }

    async fn answer(&mut self, method: &str) -> Option<Answer> {
        if method == "Heartbeat" {
            return self.next_on_stream().await;
        }
        let mut rpc = self.connect().await.rpc();
        let said = std::mem::take(&mut self.said);
        Some(match method {
            "Register" => {
                let answer = rpc.register(decode::<RegisterRequest>(&said[0])).await;
                if let Ok(answer) = &answer {
                    self.take_leaf(&answer.get_ref().client_cert_pem);
                }
                encode("RegisterResponse", answer)
            }
            "RenewCertificate" => {
                let answer = rpc.renew_certificate(decode::<RenewCertificateRequest>(&said[0])).await;
                if let Ok(answer) = &answer {
                    self.take_leaf(&answer.get_ref().client_cert_pem);
                }
                encode("RenewCertificateResponse", answer)
            }
            "SubmitSoftwareInventory" => {
                let chunks: Vec<SoftwareInventoryChunk> = said.iter().map(|bytes| decode(bytes)).collect();
                let mut request = Request::new(tokio_stream::iter(chunks));
                if let Some(token) = self.authorization.take() {
                    request.metadata_mut().insert("authorization", token.parse().unwrap());
                }
                encode("SoftwareInventoryAck", rpc.submit_software_inventory(request).await)
            }
            "SubmitDockerTelemetry" => {
                let batches: Vec<DockerTelemetryBatch> = said.iter().map(|bytes| decode(bytes)).collect();
                encode("DockerTelemetryAck", rpc.submit_docker_telemetry(tokio_stream::iter(batches)).await)
            }
            "Terminal" => {
                let messages: Vec<TerminalAgentMessage> = said.iter().map(|bytes| decode(bytes)).collect();
                match rpc.terminal(tokio_stream::iter(messages)).await {
                    Ok(answer) => encode("TerminalServerMessage", first(answer).await),
                    Err(status) => Err(status),
                }
            }
            other => panic!("no method {other}"),
        })
    }

    /// `None`: the ingest ended the stream in order.
    async fn next_on_stream(&mut self) -> Option<Answer> {
        let answer = match self.stream.as_mut().expect("a stream is open") {
            Ok(stream) => {
                let next = tokio::time::timeout(SOON, stream.inbound.message()).await;
                next.expect("the ingest answers in time")
            }
            Err(status) => Err(status.clone()),
        };
        match answer {
            Ok(Some(message)) => Some(Ok(("HeartbeatResponse", message.encode_to_vec()))),
            Ok(None) => {
                self.stream = None;
                None
            }
            Err(status) => {
                self.stream = None;
                Some(Err(status))
            }
        }
    }

    fn take_leaf(&mut self, pem: &str) {
        if !pem.is_empty() {
            self.leaf = Some(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec());
        }
    }

    fn check(&mut self, step: &Step, answer: Option<Answer>) {
        let at = &step.at;
        match answer {
            None => assert_eq!(step.rest, "end", "{at}: the stream ended"),
            Some(Err(status)) => assert_eq!(Some(status.code()), step.status(), "{at}: {status}"),
            Some(Ok((message, bytes))) => {
                let came = self.contract.decode(message, &bytes);
                assert_eq!(step.rest, "", "{at}: answered with {came:?}");
                let compared = self.values.compare(&step.fields, &came, true);
                compared.unwrap_or_else(|difference| panic!("{at}: {difference}; came {came:?}"));
            }
        }
    }

    async fn happen(&mut self, step: &Step) {
        let (node, rest) = (&self.node, step.rest.as_str());
        match step.what.as_str() {
            "approve" => {
                approve_agent(&node.agents, &node.administrator(), self.values.get("agent_id"))
                    .await
                    .unwrap();
            }
            "revoke" => {
                revoke_agent(&node.agents, &node.administrator(), self.values.get("agent_id")).await.unwrap();
            }
            "hours" => {
                node.clock.advance(TimeDelta::hours(rest.parse().unwrap()));
                self.values.set("now", &node.clock.now().timestamp());
            }
            "offline" => self.execute("UPDATE agents SET status = 'offline' WHERE id = $1").await,
            "tokens" => {
                let sql = "UPDATE agent_enrolment_tokens SET max_uses = 1, usage_count = 1 WHERE $1 <> ''";
                self.execute(sql).await;
            }
            "key" => {
                self.key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
                self.leaf = None;
                self.know_key();
            }
            "certificate" => self.leaf = None,
            "task" => self.task().await,
            "check" if rest == "on" => {
                self.execute(
                    "INSERT INTO checks (id, org_id, host_id, name, kind, config, interval_seconds, created_at,
                                         updated_at)
                     SELECT gen_random_uuid(), org_id, host_id, 'ssh', 'port', '{\"host\":\"127.0.0.1\",\"port\":22}',
                            60, registered_at, registered_at
                     FROM agents WHERE id = $1",
                )
                .await;
                self.announce().await;
            }
            "check" if rest == "off" => {
                self.execute(
                    "UPDATE checks SET enabled = FALSE WHERE host_id = (SELECT host_id FROM agents WHERE id = $1)",
                )
                .await;
                self.announce().await;
            }
            "containers" => {
                let sql = "SELECT COALESCE(string_agg(container_id, ' ' ORDER BY container_id), '')
                           FROM containers WHERE is_present
                               AND host_id = (SELECT host_id FROM agents WHERE id = $1)";
                assert_eq!(self.text(sql).await, rest, "{}", step.at);
            }
            "packages" => {
                let sql = "SELECT count(*)::text FROM software_packages
                           WHERE host_id = (SELECT host_id FROM agents WHERE id = $1)";
                wait_until(SOON, async || self.text(sql).await == rest).await;
            }
            "stored" => {
                let reports = node.queue.reports(rest.parse().unwrap()).await;
                assert_eq!(reports.len().to_string(), rest, "{}", step.at);
            }
            other => panic!("{}: {other} does not happen here", step.at),
        }
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).bind(self.values.get("agent_id")).execute(self.node.pool()).await.unwrap();
    }

    async fn text(&self, sql: &'static str) -> String {
        sqlx::query_scalar(sql).bind(self.values.get("agent_id")).fetch_one(self.node.pool()).await.unwrap()
    }

    async fn host(&self) -> Uuid {
        self.text("SELECT host_id::text FROM agents WHERE id = $1").await.parse().unwrap()
    }

    async fn announce(&self) {
        let mut tx = self.node.pool().begin().await.unwrap();
        announce_work(&mut tx, &[self.host().await]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn task(&self) {
        let run = NewRun {
            org_id: self.node.org_id,
            kind: SOFTWARE_INVENTORY.to_owned(),
            host_ids: vec![self.host().await],
            config_json: "{}".to_owned(),
            max_parallel: 0,
            created_by: None,
        };
        let mut tx = self.node.pool().begin().await.unwrap();
        create_run(&mut tx, &run, self.node.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn decode<M: Message + Default>(bytes: &[u8]) -> M {
    M::decode(bytes).unwrap()
}

fn encode<M: Message>(name: &'static str, answer: Result<tonic::Response<M>, Status>) -> Answer {
    answer.map(|answer| (name, answer.into_inner().encode_to_vec()))
}

async fn first<M>(answer: tonic::Response<tonic::Streaming<M>>) -> Result<tonic::Response<M>, Status> {
    let message = answer.into_inner().message().await?;
    message.map(tonic::Response::new).ok_or_else(|| Status::ok("the call ended"))
}

async fn replay(name: &str) {
    let mut player = Player::new().await;
    for step in read("server", name) {
        player.play(&step).await;
    }
    assert!(player.said.is_empty(), "{name}: something said was not answered");
}

/// One test for each conversation, so that a failure names it.
macro_rules! conversations {
    ($($test:ident => $file:literal,)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                replay($file).await;
            }
        )*

        #[test]
        fn conversations_of_original_agents_are_all_replayed() {
            assert_eq!(names("server"), [$($file),*]);
        }
    };
}

conversations! {
    original_agent_when_it_has_checks_then_the_last_one_is_cleared_by_a_placeholder => "checks",
    original_agent_when_its_token_is_a_day_old_then_streams_and_inventories_go_on => "day-old-token",
    original_agent_when_it_uploads_samples_alone_then_no_container_disappears => "docker",
    original_agent_when_it_enrols_then_polls_until_approved_and_reports => "first-contact",
    original_agent_when_asked_for_packages_then_streams_them_in_chunks => "inventory",
    original_agent_when_it_was_offline_then_is_told_active_and_may_renew => "offline",
    original_agent_when_its_token_is_used_up_then_is_still_known_by_its_key => "one-use-token",
    original_agent_when_it_may_not_then_gets_the_statuses_of_the_contract => "refusals",
    original_agent_when_it_registers_again_then_no_certificate_is_pushed => "register-again",
}
