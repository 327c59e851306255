//! The outbox between a change and the relay: retries, ends, order, and letters nobody can open.

use chrono::TimeDelta;
use ctops_settings::mail::{Encryption, EnvironmentRelay, SmtpRelay};
use ctops_slice::mail::Mail;

use crate::relay::{Manners, Relay};
use crate::support::{App, Wishes};

async fn app_with(relay: &Relay) -> App {
    let page = SmtpRelay {
        enabled: true,
        host: "127.0.0.1".into(),
        port: relay.port,
        encryption: Encryption::None,
        from_address: "install@example.com".into(),
        ..SmtpRelay::default()
    };
    let relay = Some(EnvironmentRelay { page, password: None });
    App::with(Wishes { loopback: true, relay, ..Wishes::default() }).await
}

async fn put(app: &App, to: &str, subject: &str, text: &str) {
    let mail = Mail {
        org_id: Some(app.org),
        to: to.into(),
        kind: "invitation",
        subject: subject.into(),
        text: text.into(),
        link: None,
    };
    let mut tx = app.pool().begin().await.unwrap();
    ctops_slice::mail::send(&mut tx, &app.deps.seal, &mail, app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

/// Spec: auth 8
#[tokio::test]
async fn pauses_double_to_an_hour_and_the_letter_ends_after_a_day_whatever_the_relay_says() {
    let relay = Relay::start(Manners { busy: true, ..Manners::default() }).await;
    let app = app_with(&relay).await;
    put(&app, "ada@example.com", "Hello", "text").await;
    app.deliver().await;
    let mut waited = 0;
    for (attempt, pause) in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600].into_iter().enumerate() {
        let attempts = i32::try_from(attempt).unwrap() + 1;
        app.clock.advance(TimeDelta::seconds(pause - 1));
        app.deliver().await;
        assert_eq!(app.outbox().await[0].1, attempts, "a second before {pause} s are over");
        app.clock.advance(TimeDelta::seconds(1));
        app.deliver().await;
        assert_eq!(app.outbox().await[0].1, attempts + 1, "after {pause} s");
        waited += pause;
    }
    app.clock.advance(TimeDelta::hours(24) - TimeDelta::seconds(waited));
    let heard = relay.heard().len();
    app.deliver().await;
    assert_eq!(app.outbox().await[0].0, "expired");
    assert_eq!(relay.heard().len(), heard, "a letter that is over bothers nobody");
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT sealed FROM mail_outbox").fetch_one(app.pool()).await.unwrap();
    assert_eq!(sealed, None);
}

/// Spec: settings 12
#[tokio::test]
async fn a_letter_that_cannot_be_opened_is_given_up_and_holds_nobody_up() {
    let relay = Relay::start(Manners::default()).await;
    let app = app_with(&relay).await;
    for to in ["a@example.com", "b@example.com", "c@example.com"] {
        put(&app, to, "Hello", "text").await;
    }
    // One of another install key, one cut off, by the order in which they were written.
    sqlx::query(
        "UPDATE mail_outbox SET sealed = $1 WHERE id = (SELECT min(id::text)::uuid FROM mail_outbox)",
    )
    .bind(ctops_crypto::seal::InstallKey::generate().seal("mail:x", b"{}"))
    .execute(app.pool())
    .await
    .unwrap();
    sqlx::query(
        "UPDATE mail_outbox SET sealed = '\\x00' WHERE id = (SELECT max(id::text)::uuid FROM mail_outbox)",
    )
    .execute(app.pool())
    .await
    .unwrap();
    app.deliver().await;
    let mut states: Vec<_> = app.outbox().await.into_iter().map(|row| row.0).collect();
    states.sort();
    assert_eq!(states, ["refused", "refused", "sent"]);
    let to: Vec<_> = relay.taken().into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!(to, ["b@example.com"]);
    app.clock.advance(TimeDelta::hours(2));
    app.deliver().await;
    assert_eq!(relay.taken().len(), 1, "and is not tried again");
}

/// Text of people ends neither the message nor the conversation with the relay (RFC 5321 section 4.5.2).
///
/// Spec: security 7
#[tokio::test]
async fn text_with_dots_commands_and_headers_stays_text() {
    let relay = Relay::start(Manners::default()).await;
    let app = app_with(&relay).await;
    let text = "first\r\n.\r\nMAIL FROM:<eve@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nSubject: forged\r\n\r\n..\r\n. \r\nlast";
    put(&app, "ada@example.com", "Grüße\r\nBcc: eve@example.com", text).await;
    app.deliver().await;
    let taken = relay.taken();
    assert_eq!(taken.len(), 1, "one message, whatever its text says");
    assert_eq!(
        (taken[0].from.as_str(), &taken[0].to[..]),
        ("install@example.com", &["ada@example.com".to_owned()][..])
    );
    let commands = relay.heard();
    assert_eq!(commands.iter().filter(|line| line.starts_with("RCPT")).count(), 1, "{commands:?}");
    assert!(!commands.iter().any(|line| line.contains("victim")), "{commands:?}");
    let head = taken[0].text.split("\r\n\r\n").next().unwrap().to_lowercase();
    assert!(!head.contains("bcc"), "{head}");
    assert_eq!(head.matches("subject:").count(), 1, "{head}");
}

/// Addresses are one mailbox; what would be read as more, or as a parameter of the command, is refused without asking.
#[tokio::test]
async fn a_recipient_that_is_more_than_an_address_reaches_no_relay() {
    let relay = Relay::start(Manners::default()).await;
    let app = app_with(&relay).await;
    for to in [
        "ada@example.com, eve@example.com",
        "ada@example.com> NOTIFY=SUCCESS",
        "<ada@example.com>",
        "ada@example.com;eve@example.com",
        "ada",
        "",
        "@example.com",
        "ada@",
        "ada @example.com",
    ] {
        put(&app, to, "Hello", "text").await;
    }
    app.deliver().await;
    assert!(app.outbox().await.iter().all(|(state, ..)| state == "refused"), "{:?}", app.outbox().await);
    assert!(relay.taken().is_empty());
    assert!(!relay.heard().iter().any(|line| line.starts_with("RCPT")), "{:?}", relay.heard());
}

/// A process that died between taking a letter and the relay's answer holds it for some minutes, not for ever.
#[tokio::test]
async fn a_letter_taken_by_a_process_that_died_is_taken_again() {
    let relay = Relay::start(Manners::default()).await;
    let app = app_with(&relay).await;
    put(&app, "ada@example.com", "Hello", "text").await;
    sqlx::query("UPDATE mail_outbox SET next_attempt_at = $1, attempts = 1")
        .bind(app.clock.now() + TimeDelta::minutes(5))
        .execute(app.pool())
        .await
        .unwrap();
    app.deliver().await;
    assert!(relay.taken().is_empty(), "somebody else may be at it");
    app.clock.advance(TimeDelta::minutes(5));
    app.deliver().await;
    assert_eq!(relay.taken().len(), 1);
}

/// Spec: settings 11
#[tokio::test]
async fn errors_of_relays_are_kept_short_and_clean_and_hold_no_secret() {
    let relay = Relay::start(Manners { refuses: Some("nobody"), ..Manners::default() }).await;
    let app = app_with(&relay).await;
    put(&app, "nobody@example.com", "Hello", "the secret text of the letter").await;
    app.deliver().await;
    let (state, _, error) = app.outbox().await.pop().unwrap();
    let error = error.unwrap();
    assert_eq!(state, "refused");
    assert!(error.len() <= 500 && !error.chars().any(char::is_control), "{error:?}");
    assert!(!error.contains("secret text"), "{error}");
}
