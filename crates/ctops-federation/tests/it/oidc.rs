//! Sign-in through a real OpenID provider, end to end.

use ctops_base::Role;
use ctops_slice::licence::Tier;
use serde_json::{Value, json};

use crate::openid_provider::{OpenIdProvider, SECRET, Setup};
use crate::support::{Answer, App, SITE};

/// A provider that is running, and set up in the organisation.
pub(crate) struct Journey {
    pub(crate) app: App,
    pub(crate) provider: OpenIdProvider,
    pub(crate) id: String,
    pub(crate) admin: String,
}

impl Journey {
    /// `more` is what the row says beside its address.
    pub(crate) async fn new(setup: Setup, more: Value) -> Self {
        let app = App::new().await;
        let admin = app.person(Role::OrgAdmin).await;
        let mut provider = OpenIdProvider::start(&app);
        let mut wanted = json!({"name": "Corporate", "enabled": true});
        wanted["oidc"] = json!({"settings": provider.settings(), "client_secret": SECRET});
        for (key, value) in more.as_object().unwrap() {
            wanted[key] = value.clone();
        }
        let made = app.send(&admin, "POST", "/identity-providers", Some(wanted)).await.expect(201);
        provider.serve(made["redirect_url"].as_str().unwrap(), &setup);
        Self { app, provider, id: made["id"].as_str().unwrap().to_owned(), admin }
    }

    /// Begins; the answer sends the browser to the provider.
    pub(crate) async fn start(&self, cookie: &str, query: &str) -> Answer {
        self.app.visit(cookie, &format!("/auth/oidc/{}/start{query}", self.id)).await
    }

    /// Goes to the provider and back to our door: cookie and path of the callback.
    pub(crate) async fn to_the_door(&self, cookie: &str, query: &str) -> (String, String) {
        let departure = self.start(cookie, query).await;
        let back = self.provider.sign_in(&departure.location()).await;
        let path = back.strip_prefix(SITE).unwrap().to_owned();
        (departure.cookie("__Host-ctops_sso"), path)
    }

    /// The whole way; the answer of the callback.
    pub(crate) async fn complete(&self) -> Answer {
        let (cookie, path) = self.to_the_door("", "").await;
        self.app.visit(&cookie, &path).await
    }
}

/// Spec: auth 33, 35
#[tokio::test]
async fn somebody_new_signs_in_through_the_provider_and_gets_the_roles_of_their_groups() {
    let rules =
        json!({"role_map": [{"group": "ops", "role": "engineer"}], "allowed_domains": ["example.com"]});
    let journey = Journey::new(Setup::default(), rules).await;
    let (cookie, path) = journey.to_the_door("", "?return_to=/hosts?status=offline").await;
    let answer = journey.app.visit(&cookie, &path).await;
    assert_eq!(answer.location(), "/hosts?status=offline");
    let me = journey.app.me(&answer.cookie("__Host-ctops_session")).await;
    assert_eq!(
        (&me["user"]["name"], &me["user"]["email"]),
        (&json!("Alice Liddell"), &json!("alice@example.com"))
    );
    assert_eq!((&me["user"]["email_verified"], &me["roles"]), (&json!(true), &json!(["engineer"])));
    let again = journey.complete().await;
    let same = journey.app.me(&again.cookie("__Host-ctops_session")).await;
    assert_eq!(same["user"]["id"], me["user"]["id"], "known by provider and subject");
}

/// Spec: auth 33
#[tokio::test]
async fn provider_with_es256_and_claims_at_userinfo_works_too() {
    let setup = Setup { algorithm: "ES256", claims_at_userinfo: true, ..Setup::default() };
    let journey = Journey::new(setup, json!({"default_role": "read_only"})).await;
    let answer = journey.complete().await;
    let me = journey.app.me(&answer.cookie("__Host-ctops_session")).await;
    assert_eq!((&me["user"]["email"], &me["roles"]), (&json!("alice@example.com"), &json!(["read_only"])));
}

/// Spec: auth 33, 5
#[tokio::test]
async fn somebody_in_no_mapped_group_waits_and_an_unverified_address_is_not_taken() {
    let claims = json!({"name": "Alice", "email": "alice@example.com", "email_verified": false});
    let journey = Journey::new(Setup { claims, ..Setup::default() }, json!({})).await;
    let session = journey.complete().await.cookie("__Host-ctops_session");
    let me = journey.app.me(&session).await;
    assert_ne!(me["user"]["email"], "alice@example.com");
    assert_eq!(journey.app.send(&session, "GET", "/identity-providers", None).await.status, 403);
}

/// Spec: auth 33
#[tokio::test]
async fn trusting_the_provider_takes_its_addresses() {
    let claims = json!({"name": "Alice", "email": "alice@example.com"});
    let more = json!({"trust_email": true, "default_role": "read_only", "allowed_domains": ["example.com"]});
    let journey = Journey::new(Setup { claims, ..Setup::default() }, more).await;
    let me = journey.app.me(&journey.complete().await.cookie("__Host-ctops_session")).await;
    assert_eq!(me["user"]["email"], "alice@example.com");
}

/// Spec: auth 33
#[tokio::test]
async fn addresses_written_down_replace_the_discovery_document() {
    let journey = Journey::new(Setup::default(), json!({"default_role": "read_only"})).await;
    let mut settings = journey.provider.settings();
    let issuer = &journey.provider.issuer;
    settings["endpoints"] = json!({
        "authorization": format!("{issuer}/auth"), "token": format!("{issuer}/token"), "jwks": format!("{issuer}/jwks"),
    });
    settings["client_authentication"] = json!("post");
    let path = format!("/identity-providers/{}", journey.id);
    let change = json!({"oidc": {"settings": settings}});
    let refused = journey.app.send(&journey.admin, "PATCH", &path, Some(change.clone())).await;
    assert_eq!(refused.status, 422, "the secret would go to an address that was not there before");
    let change = json!({"oidc": {"settings": settings, "client_secret": SECRET}});
    journey.app.send(&journey.admin, "PATCH", &path, Some(change)).await.expect(200);
    assert_eq!(journey.complete().await.location(), "/", "with the secret in the body");
    settings["client_authentication"] = json!("basic");
    let change = json!({"oidc": {"settings": settings}});
    journey.app.send(&journey.admin, "PATCH", &path, Some(change)).await.expect(200);
    assert_eq!(journey.complete().await.location(), "/");
}

/// Spec: auth 35, licensing 12
#[tokio::test]
async fn without_the_licence_the_door_is_gone_and_sessions_stay() {
    let journey = Journey::new(Setup::default(), json!({"default_role": "read_only"})).await;
    let session = journey.complete().await.cookie("__Host-ctops_session");
    let (cookie, path) = journey.to_the_door("", "").await;
    journey.app.licensed(Tier::Community);
    assert_eq!(journey.start("", "").await.status, 404);
    assert_eq!(journey.app.visit(&cookie, &path).await.status, 404);
    journey.app.me(&session).await;
    let list = journey.app.send(&journey.admin, "GET", "/identity-providers", None).await.expect(200);
    assert_eq!((&list["items"][0]["licensed"], &list["items"][0]["enabled"]), (&json!(false), &json!(true)));
    journey.app.licensed(Tier::Pro);
    assert_eq!(journey.start("", "").await.status, 303);
}

/// Spec: auth 17
#[tokio::test]
async fn another_round_trip_confirms_a_session_of_the_same_person() {
    let journey = Journey::new(Setup::default(), json!({"default_role": "read_only"})).await;
    let session = journey.complete().await.cookie("__Host-ctops_session");
    let way = journey.app.send(&session, "GET", "/me/reauthentication", None).await;
    assert!(
        way.text.contains(&format!("/api/v1/auth/oidc/{}/start?confirm=true", journey.id)),
        "{}",
        way.text
    );
    let departure = journey.start(&session, "?confirm=true").await;
    let address = departure.location();
    assert!(address.contains("prompt=login") && address.contains("max_age=0"), "{address}");
    let (cookie, path) = journey.to_the_door(&session, "?confirm=true").await;
    let answer = journey.app.visit(&format!("{cookie}; {session}"), &path).await;
    assert_eq!(answer.location(), "/");
    let stranger = journey.app.person(Role::ReadOnly).await;
    let (cookie, path) = journey.to_the_door(&stranger, "?confirm=true").await;
    let refused = journey.app.visit(&format!("{cookie}; {stranger}"), &path).await;
    assert_eq!(
        refused.refusal(),
        (403, "sso_refused".to_owned()),
        "somebody else's credentials confirm nothing"
    );
    assert_eq!(journey.start("", "?confirm=true").await.status, 401);
}

/// Spec: auth 35
#[tokio::test]
async fn signing_out_goes_on_to_the_providers_own_place() {
    let journey = Journey::new(Setup::default(), json!({})).await;
    let answer = journey.app.visit("", &format!("/auth/oidc/{}/logout", journey.id)).await;
    let place = answer.location();
    assert!(
        place.starts_with(&format!("{}/session/end?client_id=ct-ops", journey.provider.issuer)),
        "{place}"
    );
    assert!(place.contains("post_logout_redirect_uri=https%3A%2F%2Fops.example.com%2Flogin"), "{place}");
    let unknown = journey.app.visit("", "/auth/oidc/019a0000-0000-7000-8000-000000000000/logout").await;
    assert_eq!(unknown.location(), "/login");
}

/// Spec: auth 35
#[tokio::test]
async fn only_sessions_that_came_through_a_provider_are_led_to_its_logout() {
    let journey = Journey::new(Setup::default(), json!({"default_role": "engineer"})).await;
    let ask = async |cookie: &str| {
        journey.app.send(cookie, "GET", "/auth/provider-logout", None).await.expect(200)["url"].clone()
    };
    assert_eq!(ask(&journey.admin).await, Value::Null, "a password");
    assert_eq!(journey.app.visit("", "/auth/provider-logout").await.status, 401);
    let session = journey.complete().await.cookie("__Host-ctops_session");
    assert_eq!(ask(&session).await, json!(format!("/api/v1/auth/oidc/{}/logout", journey.id)));
    let provider = format!("/identity-providers/{}", journey.id);
    journey.app.send(&journey.admin, "PATCH", &provider, Some(json!({"enabled": false}))).await.expect(200);
    assert_eq!(ask(&session).await, Value::Null, "nobody is sent to a provider that is switched off");
}

/// Spec: auth 33
#[tokio::test]
async fn trial_of_a_provider_tells_what_was_found() {
    let journey = Journey::new(Setup::default(), json!({})).await;
    let path = format!("/identity-providers/{}/test", journey.id);
    let found = journey.app.send(&journey.admin, "POST", &path, None).await.expect(200);
    assert_eq!(found["passed"], true, "{found}");
    assert_eq!(found["steps"][1]["detail"], "2 keys for RS256 or ES256");
    let mut settings = journey.provider.settings();
    settings["ca_pem"] = Value::Null;
    let change = json!({"oidc": {"settings": settings, "client_secret": SECRET}});
    let provider = format!("/identity-providers/{}", journey.id);
    journey.app.send(&journey.admin, "PATCH", &provider, Some(change)).await.expect(200);
    let found = journey.app.send(&journey.admin, "POST", &path, None).await.expect(200);
    assert_eq!((&found["passed"], &found["steps"][0]["name"]), (&json!(false), &json!("discovery")));
    assert!(found["steps"][0]["detail"].as_str().unwrap().contains("TLS"), "{found}");
}
