//! Our agent against an original ingest: the conversations of `conformance/agent`.

use std::collections::BTreeMap;
use std::time::Duration;

use ctops_agent::agent::Outcome;
use ctops_proto::agent::{HeartbeatResponse, RegisterResponse};
use prost::Message;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tonic::{Code, Status};

use crate::authority::Life;
use crate::bench::{Bench, Running};
use crate::contract::{Contract, Fields};
use crate::peer::Peer;
use crate::plan::{Event, Opened, Registered};
use crate::record::{Actor, Step, Values, names, read};

/// Names in recorded answers that the ingest replaces itself.
const LEAF: &str = "$leaf";

/// The original ingest with its agent.
struct Player {
    peer: Peer,
    bench: Bench,
    agent: Option<Running>,
    contract: Contract,
    values: Values,
    /// The stream heard of last.
    stream: u64,
    csr: Vec<u8>,
    /// The certificate that was pushed, PEM.
    pushed: String,
}

impl Player {
    async fn new() -> Self {
        let peer = Peer::start().await;
        let mut bench = Bench::new(&peer);
        // A Debian with three packages, whatever runs the tests.
        let root = bench.path().join("root");
        std::fs::create_dir_all(root.join("var/lib/dpkg")).unwrap();
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::write(root.join("etc/os-release"), "ID=debian\nVERSION_ID=\"12\"\n").unwrap();
        let package = |name| {
            format!("Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n")
        };
        let status = ["a", "b", "c", "a"].map(package).concat();
        std::fs::write(root.join("var/lib/dpkg/status"), status).unwrap();
        bench.sources.etc = root.join("etc");
        let mut values = Values::default();
        values.set("web_certificate", &peer.certificate);
        values.set("port", &peer.port);
        Self {
            peer,
            bench,
            agent: None,
            contract: Contract::read(),
            values,
            stream: 0,
            csr: Vec::new(),
            pushed: String::new(),
        }
    }

    /// What the ingest will answer to registrations is known before they come.
    fn prepare(&mut self, steps: &[Step]) {
        for step in steps {
            match (step.actor, step.what.as_str()) {
                (Actor::Ingest, "Register") => {
                    let order = match step.status() {
                        Some(code) => Registered::Error(code),
                        None => self.recorded(&step.fields),
                    };
                    self.peer.plan().register.push_back(order);
                }
                (Actor::World, "refuse") => {
                    let order = Opened::Refuse(step.status().unwrap());
                    self.peer.plan().open.push_back(order);
                }
                (Actor::World, "token_refresh") => {
                    self.bench.timing.token_refresh = Duration::from_millis(150);
                    self.bench.timing.errand_retry = Duration::from_secs(3600);
                }
                (Actor::World, "certificate_due") => {
                    let mut plan = self.peer.plan();
                    plan.life = Life::DUE;
                    plan.renew.push_back(Code::PermissionDenied);
                }
                _ => {}
            }
        }
    }

    fn recorded(&self, fields: &[(String, String)]) -> Registered {
        let signs = fields.iter().any(|(_, value)| value == LEAF);
        let fields: Fields = fields.iter().filter(|(_, value)| value != LEAF).cloned().collect();
        let bytes = self.contract.encode("RegisterResponse", &self.values.fill_all(&fields));
        Registered::Recorded { response: Box::new(RegisterResponse::decode(&bytes[..]).unwrap()), signs }
    }

    async fn play(&mut self, step: &Step) {
        match (step.actor, step.what.as_str()) {
            (Actor::Ingest, "Register") => {}
            (Actor::Ingest, "Heartbeat") => {
                let said = match step.status() {
                    Some(code) => Err(Status::new(code, "as recorded")),
                    None => Ok(self.response(&step.fields)),
                };
                self.peer.push(self.stream, said);
            }
            // What every direct reply says from now on.
            (Actor::Ingest, "replies") => {
                let reply = self.response(&step.fields);
                self.peer.plan().reply = reply;
            }
            (Actor::Ingest, _) => panic!("{}: the peer answers this by itself", step.at),
            (Actor::Agent, _) => self.expect(step).await,
            (Actor::World, _) => self.happen(step).await,
        }
    }

    fn response(&mut self, fields: &[(String, String)]) -> HeartbeatResponse {
        if fields.iter().any(|(_, value)| value == LEAF) {
            if self.pushed.is_empty() {
                self.pushed = self.peer.plan().authority.sign(&self.csr, Life::FRESH);
            }
            self.values.set("leaf", &self.pushed);
        }
        let bytes = self.contract.encode("HeartbeatResponse", &self.values.fill_all(fields));
        HeartbeatResponse::decode(&bytes[..]).unwrap()
    }

    /// Waits for the message. Reports that say something else are passed over, unless it is to be the next one; other
    /// calls never are.
    async fn expect(&mut self, step: &Step) {
        let mut nearest = "nothing came".to_owned();
        let deadline = tokio::time::Instant::now() + crate::peer::LIMIT;
        loop {
            let event = tokio::time::timeout_at(deadline, self.peer.next(&step.at, Some)).await;
            let event = event.unwrap_or_else(|_| panic!("{}: {nearest}", step.at));
            let (method, message, bytes, mut extra) = match event {
                Event::Registered { request, .. } => {
                    self.csr = request.csr_der.clone();
                    ("Register", "RegisterRequest", request.encode_to_vec(), BTreeMap::new())
                }
                Event::Beat { stream, report, .. } => {
                    self.stream = stream;
                    ("Heartbeat", "HeartbeatRequest", report.encode_to_vec(), BTreeMap::new())
                }
                Event::Inventory { token, chunks } => {
                    let extra = BTreeMap::from([
                        ("authorization".to_owned(), token),
                        ("chunks".to_owned(), chunks.len().to_string()),
                    ]);
                    ("SubmitSoftwareInventory", "SoftwareInventoryChunk", chunks[0].encode_to_vec(), extra)
                }
                Event::Renewed { agent_id, .. } => {
                    let extra = BTreeMap::from([("agent_id".to_owned(), agent_id)]);
                    ("RenewCertificate", "RenewCertificateRequest", Vec::new(), extra)
                }
                Event::StreamOpened { shown, .. } => {
                    let new = (!self.pushed.is_empty()).then(|| der(&self.pushed));
                    let with = if new.is_some() && shown == new { "pushed" } else { "other" };
                    let extra = BTreeMap::from([("certificate".to_owned(), with.to_owned())]);
                    ("opens", "HeartbeatRequest", Vec::new(), extra)
                }
                Event::Terminal => panic!("{}: Terminal was called", step.at),
                _ => continue,
            };
            let mut came = self.contract.decode(message, &bytes);
            came.append(&mut extra);
            if method != step.what {
                assert!(
                    matches!(method, "Heartbeat" | "opens"),
                    "{}: {method} came instead: {came:?}",
                    step.at
                );
                continue;
            }
            match self.values.compare(&step.fields, &came, false) {
                Ok(()) => return,
                Err(difference) if method == "Heartbeat" && step.rest != "next" => nearest = difference,
                Err(difference) => panic!("{}: {difference}", step.at),
            }
        }
    }

    async fn happen(&mut self, step: &Step) {
        match step.what.as_str() {
            // Orders of the time before the first call.
            "refuse" | "token_refresh" | "certificate_due" => {}
            "logged" => {
                let (count, text) = step.rest.split_once(' ').unwrap();
                self.bench.until(&step.at, |bench| bench.log.count(text) >= 1).await;
                assert_eq!(self.bench.log.count(text).to_string(), count, "{}", step.at);
            }
            "ends" => {
                let outcome = self.agent.take().unwrap().ended().await;
                assert_eq!(outcome, Outcome::Revoked, "{}", step.at);
                assert_eq!(outcome.to_string(), step.rest, "{}", step.at);
            }
            other => panic!("{}: {other} does not happen here", step.at),
        }
    }
}

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

async fn replay(name: &str) {
    let steps = read("agent", name);
    let mut player = Player::new().await;
    player.prepare(&steps);
    player.agent = Some(player.bench.start());
    for step in &steps {
        player.play(step).await;
    }
    if let Some(agent) = player.agent.take() {
        assert!(agent.is_running(), "{name}: log:\n{}", player.bench.log.text());
        assert_eq!(agent.stop().await, Outcome::Stopped);
    }
    assert!(player.peer.plan().register.is_empty(), "{name}: recorded answers are left");
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
        fn conversations_of_original_ingests_are_all_replayed() {
            assert_eq!(names("agent"), [$($file),*]);
        }
    };
}

conversations! {
    agent_when_the_original_sends_checks_in_every_reply_then_runs_them_once_and_keeps_them => "checks",
    agent_when_the_original_lets_it_wait_then_polls_with_the_same_request => "first-contact",
    agent_when_the_original_asks_for_packages_then_streams_them_under_its_token => "inventory",
    agent_when_the_original_says_offline_then_asks_again => "offline-status",
    agent_when_its_one_use_token_is_spent_then_goes_on_with_the_old_jwt => "one-use-token",
    agent_when_the_original_pushes_a_certificate_then_moves_to_it_without_registering => "pushed-certificate",
    agent_when_the_original_repeats_a_query_then_answers_once => "queries",
    agent_when_the_original_refuses_renewal_then_goes_on_reporting => "renewal",
    agent_when_the_original_has_revoked_it_then_ends => "revoked",
    agent_when_asked_for_a_terminal_then_never_calls_the_method => "terminal",
    agent_when_the_original_signals_an_unsigned_update_then_does_nothing => "unsigned-update",
}
