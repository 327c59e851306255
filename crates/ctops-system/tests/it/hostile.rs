//! Everybody who should not be let in, one after the other and all at once, against a server that has work to do.

use std::time::Duration;

use ctops_proto::agent::HeartbeatRequest;
use reqwest::{Client, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::Code;

use crate::support::{Api, Caller, SOON, Server, beat, installation_with_agent};

/// Larger than any heartbeat may be (4 MiB).
const OVERSIZED_BYTES: usize = 5 * 1024 * 1024;
/// Hostile connections at a time.
const BURST: usize = 200;
/// Several rounds of a burst.
const ROUNDS: usize = 3;

/// Spec: agents-enrolment 13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caller_without_the_right_credentials_when_it_calls_then_is_refused_as_the_contract_says() {
    let (server, api, agent, _fleet) = installation_with_agent().await;
    let token = api.token_for_many().await;
    let one = Caller::registered(&server, &token, "one.example.com").await;
    let mut other = Caller::registered(&server, &token, "other.example.com").await;
    assert_ne!(one.agent_id, other.agent_id, "two hosts, two agents");

    // Tokens and certificates that do not belong together, or are missing.
    let stranger = Caller::stranger(&server);
    assert_eq!(refusal(&stranger, beat(&one.jwt)).await, Code::Unauthenticated, "no certificate");
    assert_eq!(refusal(&one, beat(&other.jwt)).await, Code::Unauthenticated, "another's token");
    assert_eq!(refusal(&one, beat("")).await, Code::Unauthenticated, "no token");
    assert_eq!(refusal(&one, beat(&tampered(&one.jwt))).await, Code::Unauthenticated, "a changed token");
    assert_eq!(
        stranger.register("tok_wrong", "third.example.com").await.unwrap_err().code(),
        Code::Unauthenticated,
        "wrong enrolment token"
    );
    assert!(one.forged(&server).handshake().await.is_err(), "a certificate of another authority");

    // Messages that are too large, or none.
    let mut oversized = beat(&one.jwt);
    oversized.os_version = "x".repeat(OVERSIZED_BYTES);
    assert_eq!(refusal(&one, oversized).await, Code::ResourceExhausted, "oversized");

    // A live stream whose certificate is revoked ends, and nothing gets in with that certificate again.
    let (first, mut stream) = other.heartbeat(vec![beat(&other.jwt)]).await.unwrap();
    assert!(first.ok, "both are in order");
    api.act(&format!("/agents/{}/revoke", other.agent_id)).await;
    let ending = async {
        loop {
            // What features push to a new stream may still arrive before its end.
            match stream.message().await {
                Ok(Some(pushed)) => assert!(pushed.is_push),
                Ok(None) => panic!("the stream ends without a status"),
                Err(end) => return end,
            }
        }
    };
    let end = tokio::time::timeout(Duration::from_secs(5), ending).await;
    let end = end.expect("the stream ends within 5 s");
    assert_eq!(end.code(), Code::PermissionDenied);
    assert!(other.handshake().await.is_err(), "a revoked certificate");
    other.forget_certificate();
    let answer = other.register(&token, "other.example.com").await.unwrap();
    assert_eq!((answer.status.as_str(), answer.jwt_token.as_str()), ("revoked", ""));

    assert!(one.heartbeat(vec![beat(&one.jwt)]).await.unwrap().0.ok, "who is in order still gets in");
    assert!(agent.process().is_running());
}

/// The status with which the stream that begins with `first` is refused; `Ok` when it is not.
async fn refusal(caller: &Caller, first: HeartbeatRequest) -> Code {
    caller.heartbeat(vec![first]).await.map_or_else(|status| status.code(), |_| Code::Ok)
}

/// Spec: agents-enrolment 13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_when_hostile_connections_come_in_bursts_then_still_serves_everybody_else() {
    let (server, api, agent, fleet) = installation_with_agent().await;
    let pid = server.process().pid();
    for round in 0..ROUNDS {
        let mut attackers = JoinSet::new();
        for number in 0..BURST {
            attackers.spawn(attack(server.ingest_port(), number));
            attackers.spawn(attack(server.web_port(), number + round));
        }
        attackers.join_all().await;
    }
    let heard = fleet.until_heard().await;
    assert_eq!(heard.status, "online");
    assert_eq!(fleet.history("offline").await, 0, "the agent's stream survived");
    assert!(api.is_ready().await);
    assert_eq!(api.ask(Method::GET, "/me", None).await.status, 200);
    assert_eq!(server.process().pid(), pid);
    assert!(server.process().is_running() && agent.process().is_running());
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(Api::new(&server).is_ready().await, "new connections are served");
    bounded_log(&server, &log);
}

/// Somebody at the port must not be able to fill the disk with log lines.
#[track_caller]
fn bounded_log(server: &Server, log: &str) {
    let lines = log.lines().count();
    assert!(lines < 200, "{lines} lines for {} connections: {}", 2 * BURST * ROUNDS, server.log());
}

/// One connection that no client makes. Whatever the server answers, it must hang up by itself or be left.
async fn attack(port: u16, number: usize) {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let opening: &[u8] = match number % 7 {
        // Nothing at all, then gone.
        0 => b"",
        // HTTP without TLS.
        1 => b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        // HTTP/2 without TLS.
        2 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        // The head of a TLS record that never comes.
        3 => &[0x16, 0x03, 0x01, 0x40, 0x00],
        // A handshake record full of something else.
        4 => &[0x16, 0x03, 0x03, 0x00, 0x08, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        // An alert as the first record.
        5 => &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28],
        _ => return finished_handshake_then_noise(port).await,
    };
    let _reset = stream.write_all(opening).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _left = tokio::time::timeout(Duration::from_millis(300), read).await;
}

/// A proper handshake, then a request for a path that is not there, with a body that is no message.
async fn finished_handshake_then_noise(port: u16) {
    let client = Client::builder().tls_danger_accept_invalid_certs(true).timeout(SOON).build().unwrap();
    let request = client
        .post(format!("https://localhost:{port}/agent.v1.IngestService/Heartbeat"))
        .header("content-type", "application/grpc")
        .body(vec![0xff; 4096]);
    let _refused = request.send().await;
}

/// The token with one character of its signature changed.
fn tampered(jwt: &str) -> String {
    let (head, signature) = jwt.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{head}.{first}{}", &signature[1..])
}
