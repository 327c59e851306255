//! Delivery.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_settings::mail::{Encryption, EnvironmentRelay, SmtpRelay};
use serde_json::{Value, json};

use crate::relay::{Manners, Relay};
use crate::support::{App, Wishes};

const LINK: &str = "https://ops.example.com/reset?token=abc";

pub(crate) fn page(relay: &Relay, encryption: &str) -> Value {
    json!({
        "enabled": true,
        "host": "127.0.0.1",
        "port": relay.port,
        "encryption": encryption,
        "from_address": "ops@example.com",
        "ca_pem": if encryption == "none" { "" } else { relay.ca_pem.as_str() },
    })
}

fn environment(relay: &Relay) -> EnvironmentRelay {
    let page = SmtpRelay {
        enabled: true,
        host: "127.0.0.1".into(),
        port: relay.port,
        encryption: Encryption::None,
        from_address: "install@example.com".into(),
        ..SmtpRelay::default()
    };
    EnvironmentRelay { page, password: None }
}

pub(crate) async fn app_with_loopback() -> App {
    App::with(Wishes { loopback: true, ..Wishes::default() }).await
}

/// Spec: auth 8
/// Spec: settings 11
#[tokio::test]
async fn mail_goes_through_the_organisations_relay_over_starttls_with_its_account() {
    let relay = Relay::start(Manners {
        starttls: true,
        account: Some(("ops", "hunter2-hunter2")),
        ..Manners::default()
    });
    let (relay, app) = (relay.await, app_with_loopback().await);
    let admin = app.person(Role::OrgAdmin).await;
    let mut page = page(&relay, "starttls");
    page["username"] = json!("ops");
    page["password"] = json!("hunter2-hunter2");
    app.put(&admin, "/settings/smtp-relay", page).await.expect(200);
    app.mail(Some(app.org), "ada@example.com", Some(LINK)).await;
    app.deliver().await;
    let taken = relay.taken();
    assert_eq!(
        (taken.len(), &taken[0].from, &taken[0].to),
        (1, &"ops@example.com".into(), &vec!["ada@example.com".into()])
    );
    assert!(taken[0].secured && taken[0].text.contains("Subject: Choose a new password"));
    let greetings: Vec<_> = relay.heard().into_iter().filter(|line| line.starts_with("EHLO")).collect();
    assert_eq!(greetings, ["EHLO ops.example.com", "EHLO ops.example.com"]);
    assert_eq!(app.outbox().await, [("sent".to_owned(), 1, None)]);
    let kept: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT sealed FROM mail_outbox").fetch_one(app.pool()).await.unwrap();
    assert_eq!(kept, None, "a mail that was sent is forgotten");
    app.deliver().await;
    assert_eq!(relay.taken().len(), 1, "once");
}

/// Spec: settings 11
#[tokio::test]
async fn mail_goes_through_the_environments_relay_when_the_organisation_has_none() {
    let relay = Relay::start(Manners::default()).await;
    let wishes = Wishes { loopback: true, relay: Some(environment(&relay)), ..Wishes::default() };
    let app = App::with(wishes).await;
    app.mail(Some(app.org), "ada@example.com", None).await;
    app.mail(None, "bob@example.com", None).await;
    app.deliver().await;
    let mut to: Vec<_> = relay.taken().into_iter().map(|mail| (mail.from, mail.to[0].clone())).collect();
    to.sort();
    let from = "install@example.com".to_owned();
    assert_eq!(to, [(from.clone(), "ada@example.com".to_owned()), (from, "bob@example.com".to_owned())]);
    let own = Relay::start(Manners { tls: true, ..Manners::default() }).await;
    let admin = app.person(Role::OrgAdmin).await;
    app.put(&admin, "/settings/smtp-relay", page(&own, "tls")).await.expect(200);
    app.mail(Some(app.org), "cy@example.com", None).await;
    app.deliver().await;
    assert_eq!((own.taken().len(), relay.taken().len()), (1, 2), "its own comes first");
    assert!(own.taken()[0].secured);
}

/// Spec: auth 8
#[tokio::test]
async fn many_letters_are_delivered_in_one_run() {
    let relay = Relay::start(Manners::default()).await;
    let wishes = Wishes { loopback: true, relay: Some(environment(&relay)), ..Wishes::default() };
    let app = App::with(wishes).await;
    for number in 0..45 {
        app.mail(None, &format!("person{number}@example.com"), None).await;
    }
    app.deliver().await;
    assert_eq!(relay.taken().len(), 45, "nobody waits for the next run");
    assert!(app.outbox().await.iter().all(|(state, attempts, _)| state == "sent" && *attempts == 1));
}

/// Spec: auth 8
/// Spec: settings 12
#[tokio::test]
async fn mail_without_a_relay_waits_for_one_and_is_given_up_after_a_day() {
    let app = app_with_loopback().await;
    app.mail(Some(app.org), "ada@example.com", Some(LINK)).await;
    app.deliver().await;
    assert_eq!(app.outbox().await, [("queued".to_owned(), 1, Some("there is no mail relay".to_owned()))]);
    let relay = Relay::start(Manners::default()).await;
    let admin = app.person(Role::OrgAdmin).await;
    app.put(&admin, "/settings/smtp-relay", page(&relay, "none")).await.expect(200);
    app.clock.advance(TimeDelta::minutes(1));
    app.deliver().await;
    assert_eq!(relay.taken().len(), 1, "it is found within a minute");

    app.put(&admin, "/settings/smtp-relay", json!({ "enabled": false })).await.expect(200);
    app.mail(Some(app.org), "bob@example.com", Some(LINK)).await;
    app.clock.advance(TimeDelta::hours(24));
    app.deliver().await;
    let states: Vec<_> = app.outbox().await.into_iter().map(|row| row.0).collect();
    assert_eq!(states, ["sent", "expired"]);
    let letters: i64 = sqlx::query_scalar("SELECT count(*) FROM mail_outbox WHERE sealed IS NOT NULL")
        .fetch_one(app.pool())
        .await
        .unwrap();
    assert_eq!(letters, 0);
    app.clock.advance(TimeDelta::days(8));
    app.deliver().await;
    assert!(app.outbox().await.is_empty(), "the trace goes after a week");
}

#[tokio::test]
async fn mail_when_the_relay_is_busy_is_tried_again_later_and_later() {
    let relay = Relay::start(Manners { busy: true, ..Manners::default() }).await;
    let wishes = Wishes { loopback: true, relay: Some(environment(&relay)), ..Wishes::default() };
    let app = App::with(wishes).await;
    app.mail(Some(app.org), "ada@example.com", None).await;
    for (pause, attempts) in [(0, 1), (29, 1), (1, 2), (59, 2), (1, 3)] {
        app.clock.advance(TimeDelta::seconds(pause));
        app.deliver().await;
        assert_eq!(app.outbox().await[0].1, attempts, "after another {pause} s");
    }
    assert!(app.outbox().await[0].2.as_ref().unwrap().contains("451"));
}

#[tokio::test]
async fn mail_when_the_recipient_is_refused_is_not_tried_again() {
    let relay = Relay::start(Manners { refuses: Some("nobody"), ..Manners::default() }).await;
    let wishes = Wishes { loopback: true, relay: Some(environment(&relay)), ..Wishes::default() };
    let app = App::with(wishes).await;
    app.mail(Some(app.org), "nobody@example.com", None).await;
    app.mail(Some(app.org), "not an address", None).await;
    app.mail(Some(app.org), "ada@example.com", None).await;
    app.deliver().await;
    let mut states: Vec<_> = app.outbox().await.into_iter().map(|row| row.0).collect();
    states.sort();
    assert_eq!(states, ["refused", "refused", "sent"], "one bad address holds nobody up");
    app.clock.advance(TimeDelta::hours(2));
    app.deliver().await;
    assert_eq!(relay.heard().iter().filter(|line| line.starts_with("RCPT")).count(), 2);
}

#[tokio::test]
async fn mail_never_crosses_the_network_readable_when_tls_was_asked_for() {
    let plain =
        Relay::start(Manners { account: Some(("ops", "hunter2-hunter2")), ..Manners::default() }).await;
    let injects = Manners { starttls: true, injects: "\r\n250 injected", ..Manners::default() };
    let injecting = Relay::start(injects).await;
    let stranger = Relay::start(Manners { starttls: true, ..Manners::default() }).await;
    let app = app_with_loopback().await;
    let admin = app.person(Role::OrgAdmin).await;
    for (relay, trusts, why) in [
        (&plain, &plain, "does not offer STARTTLS"),
        (&injecting, &injecting, "says more"),
        (&stranger, &plain, "tls: "),
    ] {
        let mut wanted = page(relay, "starttls");
        wanted["ca_pem"] = json!(trusts.ca_pem);
        wanted["username"] = json!("ops");
        wanted["password"] = json!("hunter2-hunter2");
        app.put(&admin, "/settings/smtp-relay", wanted).await.expect(200);
        app.mail(Some(app.org), "ada@example.com", Some(LINK)).await;
        app.deliver().await;
        let error = app.outbox().await.pop().unwrap().2.unwrap();
        assert!(error.contains(why), "{error}");
        assert!(relay.taken().is_empty());
        assert!(
            !relay.heard().iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")),
            "{why}"
        );
    }
}

/// Two nodes may run the job at once, for a moment, when the leader changes.
#[tokio::test]
async fn mail_is_sent_once_when_two_jobs_run_at_once() {
    let relay = Relay::start(Manners::default()).await;
    let wishes = Wishes { loopback: true, relay: Some(environment(&relay)), ..Wishes::default() };
    let app = App::with(wishes).await;
    for number in 0..8 {
        app.mail(Some(app.org), &format!("p{number}@example.com"), None).await;
    }
    tokio::join!(app.deliver(), app.deliver());
    let mut to: Vec<_> = relay.taken().into_iter().map(|mail| mail.to[0].clone()).collect();
    to.sort();
    to.dedup();
    assert_eq!((to.len(), relay.taken().len()), (8, 8));
}
