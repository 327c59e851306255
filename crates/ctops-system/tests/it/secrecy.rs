//! Secrets reach neither logs nor answers, over a whole journey at the most talkative level that support asks for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use reqwest::Method;
use serde_json::json;

use crate::support::{Agent, Api, Caller, Fleet, PASSWORD, SETUP_CODE, Server, beat};

/// The install secret of this installation.
const INSTALL_SECRET: &str = "marker-install-secret-0123456789abcdef";
/// A password that is tried and wrong.
const WRONG_PASSWORD: &str = "marker wrong password 42";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_when_used_over_a_whole_journey_then_are_in_no_log_and_in_no_later_answer() {
    let mut server = Server::new().with("CT_OPS_LOG", "debug").with("BETTER_AUTH_SECRET", INSTALL_SECRET);
    server.start().await;
    let api = server.set_up().await;
    let guest = Api::new(&server);
    let wrong = json!({ "email": "first@example.com", "password": WRONG_PASSWORD });
    assert_eq!(guest.ask(Method::POST, "/auth/login", Some(wrong)).await.status, 401);
    let right = json!({ "email": "first@example.com", "password": PASSWORD });
    let cookie = guest.sign_in(right).await;

    let token = api.token_for_many().await;
    let agent = Agent::start(&server, "agent", &token);
    let fleet = Fleet::of(&server).await;
    fleet.until_status("online").await;
    let caller = Caller::registered(&server, &token, "by-hand.example.com").await;
    assert!(caller.heartbeat(vec![beat("tok_marker_is_no_jwt")]).await.is_err());
    assert!(caller.heartbeat(vec![beat(&caller.jwt)]).await.is_ok());
    assert!(caller.register("tok_marker_wrong_token", "x.example.com").await.is_err());
    let (_, jwt) = agent.state();
    let key: String = agent.file("agent_key.pem").lines().filter(|line| !line.starts_with('-')).collect();
    agent.stop().await;

    let secrets = BTreeMap::from([
        ("password", PASSWORD.to_owned()),
        ("wrong password", WRONG_PASSWORD.to_owned()),
        ("set-up code", SETUP_CODE.to_owned()),
        ("install secret", INSTALL_SECRET.to_owned()),
        ("session cookie", cookie),
        ("enrolment token", token),
        ("wrong enrolment token", "tok_marker_wrong_token".to_owned()),
        ("agent's token", jwt),
        ("other agent's token", caller.jwt.clone()),
        ("wrong agent's token", "tok_marker_is_no_jwt".to_owned()),
        ("agent's private key", key),
    ]);
    let answers = later_answers(&api).await;
    server.stop().await;
    let mut texts = vec![("answers".to_owned(), answers)];
    for name in ["server.log", "agent.log"] {
        texts.push((name.to_owned(), fs::read_to_string(server.path(name)).unwrap()));
    }
    texts.extend(database_logs(&server.state_dir().join("postgres/data/log")));
    assert!(texts.iter().any(|(name, text)| name == "server.log" && text.contains("DEBUG")), "it did talk");
    for (place, text) in &texts {
        for (what, secret) in &secrets {
            let mut lines = text.lines().filter(|line| !is_announcement(place, line));
            let line = lines.find(|line| line.contains(secret.as_str()));
            assert!(line.is_none(), "the {what} is in {place}: {}", line.unwrap_or_default());
        }
    }
}

/// The one line that is meant to show the set-up code, which is worth nothing afterwards (auth 1).
fn is_announcement(place: &str, line: &str) -> bool {
    place == "server.log" && line.contains("set up the first account with the code")
}

/// Everything that can be read once the secrets were shown.
async fn later_answers(api: &Api) -> String {
    let mut texts = String::new();
    let paths = [
        "/me",
        "/me/sessions",
        "/enrolment-tokens",
        "/agents",
        "/hosts",
        "/settings/enrolment",
        "/auth/methods",
    ];
    for path in paths {
        texts.push_str(&api.get(path).await.to_string());
        texts.push('\n');
    }
    texts
}

fn database_logs(dir: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let logs: Vec<(String, String)> = entries
        .map(|path| {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            (path.display().to_string(), text)
        })
        .collect();
    assert!(!logs.is_empty(), "the database keeps a log");
    logs
}
