//! The list of revoked keys, served on this machine.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use ctops_issuer::keys::SigningKey;
use ctops_licensing::licences::KeySources;
use ctops_licensing::{Licensing, VerifierTrust};
use ctops_slice::{Entitlements, Tier};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{App, development};

/// The issuer's web server: answers every request with what was put into it last.
struct Issuer {
    url: String,
    answer: Arc<Mutex<(u16, String)>>,
    asked: Arc<Mutex<usize>>,
}

impl Issuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/revoked.jwt", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new((404, String::new())));
        let asked = Arc::new(Mutex::new(0));
        let (served, counted) = (Arc::clone(&answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 2048];
                let _ = stream.read(&mut request).await;
                *counted.lock().unwrap() += 1;
                let (status, body) = served.lock().unwrap().clone();
                let length = body.len();
                let text = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nlocation: /other\r\n\r\n{body}"
                );
                let _ = stream.write_all(text.as_bytes()).await;
            }
        });
        Self { url, answer, asked }
    }

    fn answers(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

fn bundle(app: &App, issued_ago: i64, revoked: &[&str]) -> String {
    bundle_by(&SigningKey::development().unwrap(), app, issued_ago, revoked)
}

fn bundle_by(signer: &SigningKey, app: &App, issued_ago: i64, revoked: &[&str]) -> String {
    let now = app.clock.now().timestamp();
    let claims = json!({
        "iss": "licence.carrtech.dev",
        "aud": "install.carrtech.dev/licence-revocations",
        "iat": now - issued_ago,
        "exp": now + 30 * 86_400,
        "revoked": revoked,
    });
    signer.sign(&claims).unwrap()
}

const JOB: &str = "licences.refresh_revocations";

/// Spec: licensing 17, 18
#[tokio::test]
async fn a_revoked_key_stops_counting_and_says_so() {
    let issuer = Issuer::start().await;
    let app = App::with(development(), Some(issuer.url.clone())).await;
    app.licensed(json!({"jti": "stolen"})).await;
    issuer.answers(200, &bundle(&app, 10, &["stolen"]));
    app.run(JOB).await;
    assert_eq!(app.state().await, ("revoked".into(), "community".into()));
    app.run("licences.tell_administrators").await;
    assert!(app.audited().await.contains(&"licence.revoked".to_owned()));
    let (status, body) = app.activate(&app.key(json!({"jti": "stolen"}))).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (422, Some("revoked")));

    issuer.answers(500, "");
    app.clock.advance(TimeDelta::days(60));
    app.run(JOB).await;
    let restarted =
        Licensing::new(app.pool().clone(), app.clock.clone(), Arc::clone(&app.seal), development());
    assert_eq!(
        restarted.of(app.org).await.unwrap().tier,
        Tier::Community,
        "the last good list survives restart and age"
    );
    app.licensed(json!({"jti": "bought again"})).await;
    assert_eq!(app.state().await.0, "active");
}

/// Spec: licensing 17
#[tokio::test]
async fn the_list_is_asked_for_every_quarter_of_an_hour_and_sooner_after_a_failure() {
    let issuer = Issuer::start().await;
    let app = App::with(development(), Some(issuer.url.clone())).await;
    issuer.answers(200, &bundle(&app, 10, &[]));
    for (advance, asked) in [(0, 1), (14 * 60, 1), (60, 2), (14 * 60, 2)] {
        app.clock.advance(TimeDelta::seconds(advance));
        app.run(JOB).await;
        assert_eq!(issuer.asked(), asked);
    }
    issuer.answers(503, "");
    for (advance, asked) in [(60, 3), (4 * 60, 3), (60, 4)] {
        app.clock.advance(TimeDelta::seconds(advance));
        app.run(JOB).await;
        assert_eq!(issuer.asked(), asked);
    }
    let shown = app.ok("GET", "/licence", None).await;
    assert_eq!(shown["revocations"]["last_error"], "the answer has status 503");
    assert!(shown["revocations"]["fetched_at"].is_string());
}

/// Spec: licensing 17, 18
#[tokio::test]
async fn lists_that_are_forged_old_or_moved_do_not_replace_a_good_one() {
    let issuer = Issuer::start().await;
    let app = App::with(development(), Some(issuer.url.clone())).await;
    app.licensed(json!({"jti": "mine"})).await;
    issuer.answers(200, &bundle(&app, 10, &["mine"]));
    app.ok("POST", "/licence/revocations/refresh", None).await;
    assert_eq!(app.state().await.0, "revoked");

    let forged = SigningKey::generate(2048).unwrap();
    let claims = json!({
        "iss": "licence.carrtech.dev", "aud": "install.carrtech.dev/licence-revocations",
        "iat": app.clock.now().timestamp(), "exp": app.clock.now().timestamp() + 60, "revoked": [],
    });
    for (status, body, error) in [
        (200, forged.sign(&claims).unwrap(), "the list does not count: bad_signature"),
        (200, app.key(json!({})), "the list does not count: bad_audience"),
        (200, bundle(&app, 11, &[]), "the list is older than the one that is kept"),
        (302, bundle(&app, 0, &[]), "the answer has status 302"),
        (200, "x".repeat(2 << 20), "the answer has more than 1048576 bytes"),
    ] {
        issuer.answers(status, &body);
        let shown = app.ok("POST", "/licence/revocations/refresh", None).await;
        assert_eq!(shown["revocations"]["last_error"], error);
        assert_eq!(shown["status"], "revoked");
    }
    issuer.answers(200, &bundle(&app, 0, &[]));
    let shown = app.ok("POST", "/licence/revocations/refresh", None).await;
    assert_eq!((&shown["status"], &shown["revocations"]["last_error"]), (&json!("active"), &Value::Null));
    app.execute("UPDATE licence_revocation_bundle SET raw_jwt = 'edited'").await;
    app.clock.advance(TimeDelta::minutes(1));
    assert_eq!(app.state().await.0, "active", "an edited list does not count either");
}

fn production(key: &SigningKey) -> VerifierTrust {
    VerifierTrust::choose(KeySources { file: Some(key.verifier().pem()), inline: None }, false).unwrap()
}

/// The installation of `app` after a restart with other keys: fetches the list once and says what is licensed.
async fn after_restart_with(app: &App, trust: VerifierTrust, url: &str) -> (Tier, Option<String>) {
    let licensing = Licensing::new(app.pool().clone(), app.clock.clone(), Arc::clone(&app.seal), trust);
    let deps = ctops_licensing::Deps {
        pool: app.pool().clone(),
        clock: app.clock.clone(),
        seal: Arc::clone(&app.seal),
        egress: app.state.egress.clone(),
        licensing: licensing.clone(),
        revocation_url: Some(url.to_owned()),
        public_url: String::new(),
    };
    let slices = ctops_licensing::slices(&deps);
    let job = slices.iter().flat_map(|slice| slice.jobs()).find(|job| job.name() == JOB).unwrap();
    job.run().await.unwrap();
    let error = sqlx::query_scalar("SELECT last_error FROM licence_revocation_bundle").fetch_one(app.pool());
    (licensing.of(app.org).await.unwrap().tier, error.await.unwrap())
}

/// The keys of an issuer that rotated are the old one, which stored licences were activated with, and the new one.
///
/// Spec: licensing 18
#[tokio::test]
async fn after_rotation_lists_of_the_old_and_the_new_key_count_and_those_of_strangers_do_not() {
    let issuer = Issuer::start().await;
    let [old, new, stranger] = [(), (), ()].map(|()| SigningKey::generate(2048).unwrap());
    for (signer, tier, error) in [
        (&old, Tier::Community, None),
        (&new, Tier::Community, None),
        (&stranger, Tier::Pro, Some("the list does not count: bad_signature".to_owned())),
    ] {
        let app = App::with(production(&old), None).await;
        let key = old.sign(&app.claims(json!({"jti": "mine"}))).unwrap();
        assert_eq!(app.activate(&key).await.0, 200);
        issuer.answers(200, &bundle_by(signer, &app, 0, &["mine"]));
        assert_eq!(after_restart_with(&app, production(&new), &issuer.url).await, (tier, error));
    }
}

/// Spec: licensing 18
#[tokio::test]
async fn the_old_key_is_known_only_by_the_licences_that_it_signed() {
    let issuer = Issuer::start().await;
    let [old, new] = [(), ()].map(|()| SigningKey::generate(2048).unwrap());
    let app = App::with(production(&new), None).await;
    let key = new.sign(&app.claims(json!({"jti": "mine"}))).unwrap();
    assert_eq!(app.activate(&key).await.0, 200);
    issuer.answers(200, &bundle_by(&old, &app, 0, &["mine"]));
    let (tier, error) = after_restart_with(&app, production(&new), &issuer.url).await;
    assert_eq!((tier, error.as_deref()), (Tier::Pro, Some("the list does not count: bad_signature")));
}

/// Spec: licensing 17
#[tokio::test]
async fn without_an_address_nothing_is_fetched_and_expiry_alone_decides() {
    for url in [None, Some(String::new()), Some("  ".into())] {
        let app = App::with(development(), url).await;
        app.licensed(json!({})).await;
        app.run(JOB).await;
        let (status, body) = app.send(&app.admin, "POST", "/licence/revocations/refresh", None).await;
        assert_eq!((status.as_u16(), body["code"].as_str()), (503, Some("not_configured")));
        assert_eq!(app.state().await.0, "active");
        assert_eq!(app.ok("GET", "/licence", None).await["revocations"]["enabled"], false);
    }
    assert!(VerifierTrust::nothing().activation().is_none());
}
