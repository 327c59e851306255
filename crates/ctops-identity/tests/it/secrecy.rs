//! Passwords, codes and tokens appear nowhere but where they belong.

use std::io::Write;
use std::sync::{Arc, Mutex};

use ctops_identity::passwords::Secret;
use ctops_identity::sessions::SessionAuthenticator;
use ctops_identity::setup::{SetupCode, prepare};
use ctops_slice::state::Installation;
use ctops_testkit::{TestDb, a_clock};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{App, EMAIL, an_installation, delete, get, post, post_raw, set_up_body};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything logged on this thread, at the finest level, from now on.
fn capture() -> (Captured, tracing::subscriber::DefaultGuard) {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(captured.clone())
        .with_ansi(false)
        .finish();
    (captured, tracing::subscriber::set_default(subscriber))
}

const MARKER: &str = "marker-4711-0815";

/// Spec: security 15
#[tokio::test]
async fn passwords_codes_and_tokens_reach_neither_log_nor_audit_nor_answers() {
    let (captured, _guard) = capture();
    let app = App::unprepared(an_installation()).await;
    let code = format!("{MARKER}-code");
    prepare(app.db.pool(), &app.clock, SetupCode::Preset(Secret::new(&code))).await.unwrap();
    let set_up = |fields: &[(&str, String)]| {
        let mut body = set_up_body();
        for (field, value) in fields {
            body[field] = json!(value);
        }
        body
    };
    let secret = format!("{MARKER}-password");
    let right =
        [("password", secret.clone()), ("password_confirmation", secret.clone()), ("setup_code", code)];
    let wrong_code = [&right[..2], &[("setup_code", format!("{MARKER}-guess"))]].concat();
    let unconfirmed = [&right[..1], &[("password_confirmation", format!("{MARKER}-other"))]].concat();
    let too_long = [("password", MARKER.repeat(20)), ("password_confirmation", MARKER.repeat(20))];
    let mut answers = Vec::new();
    for body in [set_up(&wrong_code), set_up(&unconfirmed), set_up(&too_long), set_up(&right)] {
        answers.push(app.send(post("/setup", body)).await);
    }
    let browser = answers.pop().unwrap().browser();
    for (email, password) in
        [(EMAIL, json!(secret)), (EMAIL, json!(format!("{MARKER}x"))), ("no@one.example", json!(secret))]
    {
        answers.push(app.send(post("/auth/login", json!({ "email": email, "password": password }))).await);
    }
    for typed in [r#""marker-4711-0815""#, "[\"marker-4711-0815\"]", "{\"a\":\"marker-4711-0815\"}"] {
        for ending in ["", "}", ",\"x\":1}"] {
            let body = format!("{{\"email\":\"a@b.c\",\"password\":{typed}{ending}");
            answers.push(app.send(post_raw("/auth/login", body).from("198.51.100.1")).await);
        }
    }
    answers.push(app.send(get("/me/sessions").with(&browser)).await);
    answers.push(app.send(delete("/me/sessions").with(&browser)).await);
    answers.push(app.send(post("/auth/logout", json!({})).with(&browser)).await);
    let audit: Vec<String> = sqlx::query_scalar("SELECT audit_events::text FROM audit_events")
        .fetch_all(app.db.pool())
        .await
        .unwrap();
    let log = captured.text();
    assert!(
        log.contains("request refused") && log.contains("the installation was set up"),
        "nothing captured"
    );
    let places = audit.join("\n") + &log;
    for hidden in [MARKER, browser.token(), "$argon2id$"] {
        assert!(!places.contains(hidden), "{hidden} in {}", line_with(&places, hidden));
    }
    for answer in answers {
        assert!(!answer.body.to_string().contains(MARKER), "{}", answer.body);
        assert!(!answer.body.to_string().contains(browser.token()), "{}", answer.body);
    }
}

fn line_with<'a>(text: &'a str, part: &str) -> &'a str {
    text.lines().find(|line| line.contains(part)).unwrap_or_default()
}

/// Spec: auth 12
#[tokio::test]
async fn start_with_a_public_address_without_tls_is_warned_about() {
    let db = TestDb::new().await;
    let (captured, _guard) = capture();
    SessionAuthenticator::new(db.pool().clone(), a_clock(), &an_installation());
    assert_eq!(captured.text().matches("WARN").count(), 0);
    let plain = Installation { public_url: "http://ops.example.com".into(), ..an_installation() };
    SessionAuthenticator::new(db.pool().clone(), a_clock(), &plain);
    let log = captured.text();
    assert!(log.contains("WARN") && log.contains("Secure flag"), "{log}");
}
