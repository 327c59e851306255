//! Sign-in through SAML, end to end.

use ctops_base::Role;
use ctops_slice::licence::Tier;
use ctops_testkit::{a_clock, a_user};
use serde_json::{Value, json};

use crate::saml_provider::{Document, Trust, party};
use crate::support::App;

async fn trust(more: Value) -> Trust {
    Trust::new(App::with_clock(a_clock()).await, more).await
}

fn replayed() -> (u16, String) {
    (401, "sign_in_replayed".to_owned())
}

fn failed() -> (u16, String) {
    (401, "sso_failed".to_owned())
}

/// Spec: auth 34, 35
#[tokio::test]
async fn somebody_new_signs_in_with_a_signed_assertion_and_gets_the_roles_of_their_groups() {
    let rules = json!({"trust_email": true, "allowed_domains": ["example.com"],
        "role_map": [{"group": "ops", "role": "engineer"}]});
    let trust = trust(rules).await;
    let (cookie, request) = trust.start("", "?return_to=/hosts").await;
    let answer = trust.post(&trust.document(Some(&request)).signed(&trust.idp), "ignored").await;
    assert!(answer.cookies().is_empty(), "nobody is signed in before the browser was recognised");
    let answer = trust.app.visit(&cookie, &answer.location()).await;
    assert_eq!(answer.location(), "/hosts");
    let me = trust.app.me(&answer.cookie("__Host-ctops_session")).await;
    assert_eq!((&me["user"]["email"], &me["roles"]), (&json!("alice@example.com"), &json!(["engineer"])));
    let again = trust.app.me(&trust.sign_in().await.cookie("__Host-ctops_session")).await;
    assert_eq!(again["user"]["id"], me["user"]["id"], "known by provider and subject");
}

/// Attack class 12: the browser that comes back must be the one that left; an assertion counts once.
/// Spec: auth 34
#[tokio::test]
async fn assertion_that_is_replayed_or_of_another_browser_is_refused() {
    let trust = trust(json!({"default_role": "read_only"})).await;
    let (cookie, request) = trust.start("", "").await;
    let xml = trust.document(Some(&request)).signed(&trust.idp);
    let place = trust.post(&xml, "").await.location();
    assert_eq!(trust.post(&xml, "").await.refusal(), replayed(), "the assertion was taken");
    let (other, other_request) = trust.start("", "").await;
    let stolen = trust.document(Some(&other_request)).signed(&trust.idp);
    let stolen_place = trust.post(&stolen, "").await.location();
    assert_eq!(trust.app.visit("", &stolen_place).await.refusal(), replayed(), "no cookie");
    let third = trust.document(Some(&other_request)).signed(&trust.idp);
    let third_place = trust.post(&third, "").await.location();
    assert_eq!(
        trust.app.visit(&cookie, &third_place).await.refusal(),
        replayed(),
        "another browser's cookie"
    );
    assert_eq!(trust.app.visit(&cookie, &place).await.location(), "/");
    assert_eq!(trust.app.visit(&cookie, &place).await.refusal(), replayed(), "the ticket was taken");
    assert_eq!(
        trust.post(&trust.document(Some(&request)).signed(&trust.idp), "").await.refusal(),
        replayed()
    );
    let _ = other;
}

/// Attack class 12.
/// Spec: auth 34
#[tokio::test]
async fn hostile_documents_are_refused_at_the_door_and_written_down() {
    let trust = trust(json!({"default_role": "read_only"})).await;
    let (_, request) = trust.start("", "").await;
    let good = trust.document(Some(&request));
    let elsewhere = Document { audience: "https://other.example.com", ..good.clone() };
    let signed = good.signed(&trust.idp);
    for (what, xml, refusal) in [
        ("unsigned", good.response("", &good.assertion("")), failed()),
        ("signed by another", good.signed(&party("attacker.example.com")), failed()),
        ("only the response signed", good.response_signed(&trust.idp), failed()),
        ("other audience", elsewhere.signed(&trust.idp), failed()),
        ("changed", signed.replace("alice-4711", "mallory"), failed()),
        ("commented", signed.replace("alice-4711", "alice<!-- -->-4711"), failed()),
        ("declared", format!("<!DOCTYPE x [<!ENTITY y \"z\">]>{signed}"), failed()),
        ("no XML", "SAML".to_owned(), failed()),
        ("unknown request", trust.document(Some("_never-sent")).signed(&trust.idp), replayed()),
        ("unasked", trust.document(None).signed(&trust.idp), failed()),
    ] {
        assert_eq!(trust.post(&xml, "").await.refusal(), refusal, "{what}");
    }
    assert_eq!(trust.app.refusals().await.len(), 10);
    let bare =
        trust.app.post_form(&format!("/auth/saml/{}/acs", trust.id), "SAMLResponse=%%%".to_owned()).await;
    assert_eq!(bare.refusal(), failed());
    let none = trust.app.post_form(&format!("/auth/saml/{}/acs", trust.id), String::new()).await;
    assert_eq!(none.refusal(), failed());
    trust.post(&signed, "").await.location();
}

/// Spec: auth 34
#[tokio::test]
async fn sign_in_that_begins_at_the_provider_must_be_switched_on() {
    let trust = trust(json!({"default_role": "read_only", "saml": {"allow_idp_initiated": true}})).await;
    let xml = trust.document(None).signed(&trust.idp);
    let answer = trust.post(&xml, "/hosts").await;
    assert_eq!(answer.location(), "/hosts");
    trust.app.me(&answer.cookie("__Host-ctops_session")).await;
    assert_eq!(trust.post(&xml, "/hosts").await.refusal(), replayed());
    let away = trust.post(&trust.document(None).signed(&trust.idp), "https://attacker.example").await;
    assert_eq!(away.location(), "/");
}

/// Attack class 13.
/// Spec: auth 35
#[tokio::test]
async fn address_of_an_existing_account_never_takes_that_account_over() {
    let trust = trust(json!({"trust_email": true, "default_role": "org_admin"})).await;
    let victim = a_user(trust.app.db.pool(), trust.app.org, &[Role::SuperAdmin]).await;
    sqlx::query("UPDATE users SET email = 'alice@example.com' WHERE id = $1")
        .bind(victim)
        .execute(trust.app.db.pool())
        .await
        .unwrap();
    assert!(trust.sign_in().await.location().starts_with("/link-account#link_"));
}

/// Spec: auth 34, 35
#[tokio::test]
async fn own_metadata_are_there_while_the_provider_is_offered() {
    let trust = trust(json!({})).await;
    let path = format!("/auth/saml/{}/metadata", trust.id);
    let answer = trust.app.visit("", &path).await;
    answer.expect(200);
    assert_eq!(answer.headers["content-type"], "application/samlmetadata+xml");
    assert!(answer.text.contains(&trust.id) && answer.text.contains("WantAssertionsSigned=\"true\""));
    assert!(!answer.text.contains("PRIVATE"));
    trust.app.licensed(Tier::Pro);
    assert_eq!(trust.app.visit("", &path).await.status, 404);
    assert_eq!(trust.app.visit("", &format!("/auth/saml/{}/start", trust.id)).await.status, 404);
    assert_eq!(trust.post("<x/>", "").await.status, 404);
}

/// Spec: auth 34
#[tokio::test]
async fn list_shows_certificates_and_new_metadata_of_the_same_entity_replace_them() {
    let trust = trust(json!({})).await;
    let path = format!("/identity-providers/{}", trust.id);
    let shown = trust.app.send(&trust.admin, "GET", &path, None).await.expect(200);
    let certificate = &shown["saml"]["certificates"][0];
    assert_eq!((&certificate["ends_soon"], &shown["secret_set_at"]), (&json!(false), &Value::Null));
    assert_eq!(
        shown["saml"]["acs_url"],
        format!("https://ops.example.com/api/v1/auth/saml/{}/acs", trust.id)
    );
    let change = json!({"saml": {"metadata_xml": crate::saml_provider::metadata_of_nobody()}});
    let changed = trust.app.send(&trust.admin, "PATCH", &path, Some(change)).await.expect(200);
    assert_ne!(changed["saml"]["certificates"][0]["sha256"], certificate["sha256"]);
    let other = crate::saml_provider::metadata_of_nobody()
        .replace("https://idp.example.com/saml", "https://other/saml");
    let refused =
        trust.app.send(&trust.admin, "PATCH", &path, Some(json!({"saml": {"metadata_xml": other}}))).await;
    assert_eq!(refused.body()["fields"][0]["code"], "issuer_is_fixed");
    let tried = trust.app.send(&trust.admin, "POST", &format!("{path}/test"), None).await.expect(200);
    assert_eq!(tried["passed"], true, "{tried}");
}

/// Spec: auth 17
#[tokio::test]
async fn confirmation_needs_credentials_that_were_given_anew() {
    let trust = trust(json!({"default_role": "read_only"})).await;
    let session = trust.sign_in().await.cookie("__Host-ctops_session");
    let (cookie, request) = trust.start(&session, "?confirm=true").await;
    let before = trust.app.clock.now() - chrono::TimeDelta::minutes(5);
    let stale = Document { issued: before, ..trust.document(Some(&request)) };
    assert_eq!(trust.post(&stale.signed(&trust.idp), "").await.refusal(), failed());
    let place = trust.post(&trust.document(Some(&request)).signed(&trust.idp), "").await.location();
    let answer = trust.app.visit(&format!("{cookie}; {session}"), &place).await;
    assert_eq!(answer.location(), "/");
}

/// Assertions are forgotten once nobody could present them, and people nobody came back for after two minutes.
#[tokio::test]
async fn assertions_are_forgotten_in_time() {
    let trust = trust(json!({})).await;
    let (_, request) = trust.start("", "").await;
    trust.post(&trust.document(Some(&request)).signed(&trust.idp), "").await.location();
    let job = trust.app.jobs.iter().find(|job| job.name() == "forget_saml_assertions").unwrap();
    let left = || async {
        let query = "SELECT count(*), count(person) FROM saml_assertions";
        sqlx::query_as::<_, (i64, i64)>(query).fetch_one(trust.app.db.pool()).await.unwrap()
    };
    job.run().await.unwrap();
    assert_eq!(left().await, (1, 1));
    sqlx::query("UPDATE saml_assertions SET received_at = received_at - interval '3 minutes'")
        .execute(trust.app.db.pool())
        .await
        .unwrap();
    job.run().await.unwrap();
    assert_eq!(left().await, (1, 0));
    sqlx::query("UPDATE saml_assertions SET forget_after = received_at")
        .execute(trust.app.db.pool())
        .await
        .unwrap();
    job.run().await.unwrap();
    assert_eq!(left().await, (0, 0));
    let warn = trust.app.jobs.iter().find(|job| job.name() == "watch_provider_certificates").unwrap();
    warn.run().await.unwrap();
}
