//! Passkeys in whole ceremonies: a device in software signs real challenges.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use ctops_crypto::secret::{fill_random, sha256};
use serde_json::{Value, json};

use crate::second_factor::{Authenticator, waiting};
use crate::support::{Answer, App, Browser, EMAIL, ORIGIN, PASSWORD, call, delete, get, post};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// A device with one key (WebAuthn level 3, ES256, no attestation).
struct Device {
    key: EcdsaKeyPair,
    id: [u8; 32],
    counter: u32,
    user: Vec<u8>,
    origin: &'static str,
    flags: u8,
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Device {
    fn new() -> Self {
        let mut id = [0; 32];
        fill_random(&mut id);
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        Self { key, id, counter: 0, user: Vec::new(), origin: ORIGIN, flags: PRESENT | VERIFIED }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let challenge = &options["publicKey"]["challenge"];
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
            .into_bytes()
    }

    fn authenticator_data(&mut self, more: u8) -> Vec<u8> {
        self.counter += 1;
        let mut data = sha256(b"ops.example.com").to_vec();
        data.push(self.flags | more);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// `navigator.credentials.create()`.
    fn create(&mut self, options: &Value) -> Value {
        let user = options["publicKey"]["user"]["id"].as_str().unwrap();
        self.user = URL_SAFE_NO_PAD.decode(user).unwrap();
        let mut data = self.authenticator_data(ATTESTED);
        data.extend([0; 16]);
        data.extend(32u16.to_be_bytes());
        data.extend(self.id);
        // COSE_Key in CBOR: {1: 2, 3: -7, -1: 1, -2: x, -3: y} (RFC 9053 section 7.1.1).
        let point = self.key.public_key().as_ref()[1..].to_vec();
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(&point[..32]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[32..]);
        let mut attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        attestation.push(u8::try_from(data.len()).unwrap());
        attestation.extend(data);
        json!({
            "id": encoded(&self.id), "rawId": encoded(&self.id), "type": "public-key",
            "response": {
                "attestationObject": encoded(&attestation),
                "clientDataJSON": encoded(&self.client_data("webauthn.create", options)),
                "transports": ["internal"],
            },
            "clientExtensionResults": {},
        })
    }

    /// `navigator.credentials.get()`.
    fn get(&mut self, options: &Value) -> Value {
        let data = self.authenticator_data(0);
        let client = self.client_data("webauthn.get", options);
        let signed = [data.clone(), sha256(&client).to_vec()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": encoded(&self.id), "rawId": encoded(&self.id), "type": "public-key",
            "response": {
                "authenticatorData": encoded(&data), "clientDataJSON": encoded(&client),
                "signature": encoded(signature.as_ref()), "userHandle": encoded(&self.user),
            },
            "clientExtensionResults": {},
        })
    }
}

async fn options(app: &App, path: &str, browser: Option<&Browser>) -> (Value, Value) {
    let call = post(path, json!({}));
    let answer = app
        .send(match browser {
            Some(browser) => call.with(browser),
            None => call,
        })
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    (answer.body["ceremony"].clone(), answer.body["options"].clone())
}

async fn register(app: &App, browser: &Browser, device: &mut Device) -> Answer {
    let (ceremony, options) = options(app, "/me/passkeys/options", Some(browser)).await;
    let body = json!({ "ceremony": ceremony, "name": "Laptop", "credential": device.create(&options) });
    app.send(post("/me/passkeys", body).with(browser)).await
}

async fn sign_in(app: &App, device: &mut Device) -> Answer {
    let (ceremony, options) = options(app, "/auth/passkey/options", None).await;
    let body = json!({ "ceremony": ceremony, "credential": device.get(&options) });
    app.send(post("/auth/passkey", body)).await
}

/// What auth lists as 1 beyond the original.
#[tokio::test]
async fn a_passkey_signs_in_alone_and_counts_as_both_factors() {
    let (app, browser) = App::set_up().await;
    let mut device = Device::new();
    let made = register(&app, &browser, &mut device).await;
    assert_eq!((made.status, &made.body["name"]), (StatusCode::CREATED, &json!("Laptop")), "{}", made.body);
    app.demand_second_factor().await;
    let answer = sign_in(&app, &mut device).await;
    assert_eq!(answer.body["status"], "signed_in", "{}", answer.body);
    assert_eq!(
        (&answer.body["me"]["user"]["email"], &answer.body["me"]["standing"]),
        (&json!(EMAIL), &json!("active"))
    );
    let signed_in = answer.browser();
    let session = &app.send(get("/me/sessions").with(&signed_in)).await.body["items"][0];
    assert_eq!((&session["method"], &session["second_factor"]), (&json!("passkey"), &json!(true)));
    assert!(
        app.send(get("/me/passkeys").with(&signed_in)).await.body["items"][0]["last_used_at"].is_string()
    );
    let stored: String = sqlx::query_scalar("SELECT state_sealed::text FROM passkey_ceremonies")
        .fetch_optional(app.db.pool())
        .await
        .unwrap()
        .unwrap_or_default();
    assert!(stored.is_empty(), "challenges are used up");
}

#[tokio::test]
async fn a_passkey_is_the_second_factor_of_a_password() {
    let (app, browser) = App::set_up().await;
    let mut device = Device::new();
    register(&app, &browser, &mut device).await;
    let first = app.login(EMAIL, PASSWORD, "192.0.2.9").await;
    assert_eq!(first.body["methods"], json!(["passkey"]));
    let step = waiting(&first);
    let (ceremony, challenge) = options(&app, "/auth/mfa/passkey/options", Some(&step)).await;
    assert_eq!(challenge["publicKey"]["allowCredentials"][0]["id"], json!(encoded(&device.id)));
    let body = json!({ "ceremony": ceremony, "credential": device.get(&challenge) });
    let done = app.send(post("/auth/mfa/passkey", body).with(&step)).await;
    assert_eq!(done.body["status"], "signed_in", "{}", done.body);
    let session = &app.send(get("/me/sessions").with(&done.browser())).await.body["items"][0];
    assert_eq!((&session["method"], &session["second_factor"]), (&json!("password"), &json!(true)));
}

#[tokio::test]
async fn signatures_of_other_sites_keys_and_challenges_are_refused() {
    let (app, browser) = App::set_up().await;
    let mut device = Device::new();
    register(&app, &browser, &mut device).await;
    let refused = |answer: &Answer| assert_eq!(answer.refusal(), (401, "passkey_refused"), "{}", answer.body);
    device.origin = "https://ops.example.com.evil.example";
    refused(&sign_in(&app, &mut device).await);
    device.origin = ORIGIN;
    device.flags = PRESENT;
    refused(&sign_in(&app, &mut device).await);
    device.flags = PRESENT | VERIFIED;
    let mut stranger = Device::new();
    (stranger.id, stranger.user) = (device.id, device.user.clone());
    refused(&sign_in(&app, &mut stranger).await);
    let (ceremony, challenge) = options(&app, "/auth/passkey/options", None).await;
    let body = json!({ "ceremony": ceremony, "credential": device.get(&challenge) });
    assert_eq!(app.send(post("/auth/passkey", body.clone())).await.status, StatusCode::OK);
    app.clock.advance(TimeDelta::minutes(2));
    refused(&app.send(post("/auth/passkey", body)).await);
    let (ceremony, challenge) = options(&app, "/auth/passkey/options", None).await;
    app.clock.advance(TimeDelta::minutes(5));
    let late = json!({ "ceremony": ceremony, "credential": device.get(&challenge) });
    refused(&app.send(post("/auth/passkey", late)).await);
    device.counter = 1;
    app.clock.advance(TimeDelta::minutes(1));
    refused(&sign_in(&app, &mut device).await);
}

#[tokio::test]
async fn a_passkey_of_somebody_else_is_no_second_factor_of_mine() {
    let (app, ada) = App::set_up().await;
    app.add_member("bob@example.com", &["engineer"]).await;
    let bob = app.login("bob@example.com", PASSWORD, "192.0.2.77").await.browser();
    let (mut of_ada, mut of_bob) = (Device::new(), Device::new());
    register(&app, &ada, &mut of_ada).await;
    register(&app, &bob, &mut of_bob).await;
    let step = waiting(&app.login(EMAIL, PASSWORD, "192.0.2.9").await);
    let (ceremony, challenge) = options(&app, "/auth/mfa/passkey/options", Some(&step)).await;
    let body = json!({ "ceremony": ceremony, "credential": of_bob.get(&challenge) });
    let answer = app.send(post("/auth/mfa/passkey", body).with(&step)).await;
    assert_eq!(answer.refusal(), (401, "passkey_refused"));
    let (ceremony, challenge) = options(&app, "/auth/passkey/options", None).await;
    let body = json!({ "ceremony": ceremony, "credential": of_ada.get(&challenge) });
    let crossed = app.send(post("/auth/mfa/passkey", body).with(&step)).await;
    assert_eq!(crossed.refusal(), (401, "passkey_refused"), "a challenge made for another purpose");
    let again = register(&app, &bob, &mut of_ada).await;
    assert_eq!(again.refusal(), (422, "passkey_refused"), "one key, one account");
}

/// Spec: auth 17
#[tokio::test]
async fn passkeys_are_managed_by_their_owner_after_a_confirmation() {
    let (app, browser) = App::set_up().await;
    let mut device = Device::new();
    let id = register(&app, &browser, &mut device).await.body["id"].as_str().unwrap().to_owned();
    let path = format!("/me/passkeys/{id}");
    let rename = |name: &str| {
        let body = json!({ "name": name }).to_string();
        call(axum::http::Method::PATCH, &path)
            .header("content-type", "application/json")
            .with(&browser)
            .body(body)
    };
    assert_eq!(app.send(rename("Phone")).await.body["name"], "Phone");
    assert_eq!(app.send(rename("")).await.refusal(), (422, "validation_failed"));
    app.clock.advance(TimeDelta::minutes(6));
    let remove = || delete(&path).with(&browser);
    assert_eq!(app.send(remove()).await.refusal(), (403, "reauthentication_required"));
    let begin = post("/me/passkeys/options", json!({})).with(&browser);
    assert_eq!(app.send(begin).await.refusal(), (403, "reauthentication_required"));
    assert_eq!(app.send(get("/me/reauthentication").with(&browser)).await.body["passkey"], true);
    let (ceremony, challenge) = options(&app, "/me/reauthenticate/passkey/options", Some(&browser)).await;
    let body = json!({ "ceremony": ceremony, "credential": device.get(&challenge) });
    let confirmed = app.send(post("/me/reauthenticate/passkey", body).with(&browser)).await;
    assert_eq!(confirmed.status, StatusCode::NO_CONTENT, "{}", confirmed.body);
    app.add_member("bob@example.com", &["super_admin"]).await;
    let bob = app.login("bob@example.com", PASSWORD, "192.0.2.77").await.browser();
    assert_eq!(app.send(delete(&path).with(&bob)).await.refusal(), (404, "not_found"));
    assert_eq!(app.send(remove()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.send(remove()).await.refusal(), (404, "not_found"));
    Authenticator::enrol(&app, &browser).await;
    assert_eq!(
        app.login(EMAIL, PASSWORD, "192.0.2.9").await.body["methods"],
        json!(["totp", "recovery_code"])
    );
}

#[tokio::test]
async fn without_a_name_there_are_no_passkeys() {
    let installation = ctops_slice::state::Installation {
        public_url: "https://192.0.2.1".into(),
        ..crate::support::an_installation()
    };
    let app = App::prepared_with(installation).await;
    let answer =
        app.send(post("/auth/passkey/options", json!({})).header("origin", "https://192.0.2.1")).await;
    assert_eq!(answer.refusal(), (409, "wrong_state"));
}
