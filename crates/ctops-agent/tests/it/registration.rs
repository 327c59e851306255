//! First contact, waiting for approval, refusals.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use ctops_agent::agent::Outcome;
use tonic::Code;

use crate::bench::Bench;
use crate::peer::Peer;
use crate::plan::{Event, Registered};

/// Spec: agents-enrolment 8, 9, 11
#[tokio::test]
async fn first_start_when_approved_at_once_then_reports_with_key_certificate_and_token() {
    let mut peer = Peer::start().await;
    let mut bench = Bench::new(&peer);
    bench.arguments.extend(["-tag=env=prod".to_owned(), "-tag=role:web".to_owned()]);
    let agent = bench.start();
    let (request, shown, _) = peer.next_registration().await;
    assert_eq!(shown, None, "there is no certificate yet");
    assert_eq!(request.enrolment_token, "tok_test");
    assert_eq!(request.public_key, bench.file("agent_key.pub"));
    assert_eq!(request.wait_seconds, 25);
    let tags: Vec<_> = request.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
    assert_eq!(tags, [("env", "prod"), ("role", "web")]);
    let platform = request.platform_info.unwrap();
    assert_eq!(platform.os, "linux");
    assert!(!platform.arch.is_empty());
    let info = request.agent_info.unwrap();
    assert_eq!((info.agent_id.as_str(), info.version.as_str()), ("", ctops_agent::VERSION));
    assert_eq!(info.hostname, ctops_agent::collect::hostname());

    let (_, shown) = peer.next_stream().await;
    assert!(shown.is_some(), "streams are opened with the certificate");
    let (_, first) = peer.next_beat().await;
    assert_eq!(first.agent_id, "jwt-1");
    let (_, second) = peer.next_beat().await;
    assert_eq!(second.agent_id, "agent0000000000000000001");

    assert_eq!(
        bench.file("agent_state.json"),
        "{\n  \"agent_id\": \"agent0000000000000000001\",\n  \"jwt_token\": \"jwt-1\"\n}"
    );
    assert_eq!(bench.file("agent_cert.pem"), peer.plan().stored_leaf);
    assert_eq!(bench.file("agent_ca.pem"), peer.plan().authority.pem());
    for name in ["agent_key.pem", "agent_key.pub", "agent_state.json", "agent_cert.pem", "agent_ca.pem"] {
        let mode = fs::metadata(bench.data().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(agent.stop().await, Outcome::Stopped);
    let log = bench.log.text();
    for line in [
        "msg=\"agent identity ready\" data_dir=",
        "msg=\"registering agent\" address=localhost:",
        "msg=\"registration response\" status=active agent_id=agent0000000000000000001 message=m",
        "msg=\"agent registered and active\" agent_id=",
        "msg=\"starting heartbeat\" interval_secs=0.1 version=",
        "msg=\"heartbeat stream opened\" agent_id=",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert!(!log.contains("tok_test") && !log.contains("jwt-1"), "secrets stay out of the log");
}

/// Spec: agents-enrolment 9
#[tokio::test]
async fn pending_agent_when_not_yet_approved_then_asks_again_at_the_poll_interval_with_the_same_request() {
    let mut peer = Peer::start().await;
    peer.plan()
        .register
        .extend([Registered::Pending { waited: false }, Registered::Pending { waited: false }]);
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (first, _, at_first) = peer.next_registration().await;
    let (second, _, at_second) = peer.next_registration().await;
    let (third, _, _) = peer.next_registration().await;
    assert!(at_second - at_first >= bench.timing.pending_poll, "{:?}", at_second - at_first);
    assert_eq!((&first.public_key, &first.csr_der), (&second.public_key, &second.csr_der));
    assert_eq!(first.agent_info.unwrap().agent_id, "");
    assert_eq!(third.agent_info.unwrap().agent_id, "agent0000000000000000001", "the id is remembered");
    peer.next_beat().await;
    assert_eq!(bench.log.count("msg=\"agent pending approval, polling\" interval=150ms"), 2);
    assert_eq!(agent.stop().await, Outcome::Stopped);
}

/// Spec: agents-enrolment 9
#[tokio::test]
async fn pending_agent_when_the_server_waited_itself_then_asks_again_soon() {
    let mut peer = Peer::start().await;
    peer.plan().register.push_back(Registered::Pending { waited: true });
    let mut bench = Bench::new(&peer);
    bench.timing.pending_poll = Duration::from_secs(3600);
    let agent = bench.start();
    peer.next_beat().await;
    assert_eq!(agent.stop().await, Outcome::Stopped);
}

/// Spec: agents-enrolment 9, 16
#[tokio::test]
async fn revoked_agent_when_told_so_then_ends_and_forgets_its_token_but_not_its_key() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (stream, _) = peer.next_stream().await;
    peer.next_beat().await;
    peer.plan().register.push_back(Registered::Status("revoked"));
    peer.push(stream, Err(tonic::Status::permission_denied("revoked")));
    assert_eq!(agent.ended().await, Outcome::Revoked);
    assert_eq!(bench.state(), serde_json::json!({"agent_id": "", "jwt_token": ""}));
    assert!(bench.data().join("agent_key.pem").exists() && bench.data().join("agent_cert.pem").exists());
}

/// Spec: agents-enrolment 26
#[tokio::test]
async fn registration_when_the_server_errs_or_answers_strangely_then_is_repeated_with_growing_delays() {
    let mut peer = Peer::start().await;
    peer.plan().register.extend([
        Registered::Error(Code::ResourceExhausted),
        Registered::Error(Code::Unauthenticated),
        Registered::Status("offline"),
        Registered::Error(Code::AlreadyExists),
        Registered::Error(Code::Internal),
    ]);
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let mut times = Vec::new();
    for _ in 0..6 {
        times.push(peer.next_registration().await.2);
    }
    peer.next_beat().await;
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (gap, least) in gaps.iter().zip([20, 40, 80, 160, 320]) {
        assert!(*gap >= Duration::from_millis(least), "{gaps:?}");
    }
    assert!(agent.is_running());
    assert_eq!(agent.stop().await, Outcome::Stopped);
}

/// Spec: agents-enrolment 11
#[tokio::test]
async fn restart_when_a_token_is_stored_then_reports_without_registering() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    peer.next_beat().await;
    agent.stop().await;
    let again = bench.start();
    let beat = peer
        .next("the first heartbeat of the second start", |event| match event {
            Event::Beat { stream: 2, report, .. } => Some(report),
            Event::Registered { .. } => panic!("registered although a token is stored"),
            _ => None,
        })
        .await;
    assert_eq!(beat.agent_id, "jwt-1");
    again.stop().await;
}

/// Spec: agents-enrolment 10, 12
#[tokio::test]
async fn identity_when_only_the_state_is_deleted_then_stays_and_else_is_new() {
    let mut peer = Peer::start().await;
    let bench = Bench::new(&peer);
    let agent = bench.start();
    let (first, _, _) = peer.next_registration().await;
    peer.next_beat().await;
    agent.stop().await;

    fs::remove_file(bench.data().join("agent_state.json")).unwrap();
    let agent = bench.start();
    let (second, shown, _) = peer.next_registration().await;
    assert_eq!(second.public_key, first.public_key);
    assert!(shown.is_some(), "the certificate is shown to Register as well");
    peer.next_beat().await;
    agent.stop().await;

    fs::remove_dir_all(bench.data()).unwrap();
    let agent = bench.start();
    let (third, shown, _) = peer.next_registration().await;
    assert_ne!(third.public_key, first.public_key);
    assert_eq!(shown, None);
    agent.stop().await;
}

/// Spec: agents-enrolment 9
#[tokio::test]
async fn approval_when_it_comes_without_certificate_then_the_agent_asks_until_it_has_one() {
    let mut peer = Peer::start().await;
    {
        let mut plan = peer.plan();
        plan.register.push_back(Registered::ActiveWithoutLeaf);
        plan.open.push_back(crate::plan::Opened::Refuse(Code::Unauthenticated));
    }
    let bench = Bench::new(&peer);
    let agent = bench.start();
    assert_eq!(peer.next_stream().await.1, None);
    peer.next_registration().await;
    assert!(peer.next_stream().await.1.is_some());
    agent.stop().await;
}

#[tokio::test]
async fn agent_when_asked_to_end_while_pending_then_ends_at_once() {
    let mut peer = Peer::start().await;
    peer.plan().register.push_back(Registered::Pending { waited: false });
    let mut bench = Bench::new(&peer);
    bench.timing.pending_poll = Duration::from_secs(3600);
    let agent = bench.start();
    peer.next_registration().await;
    assert_eq!(agent.stop().await, Outcome::Stopped);
}
