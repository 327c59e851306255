//! Tokens, activation, refusals, history, removal.

use chrono::TimeDelta;
use ctops_base::Role;
use ctops_issuer::keys::SigningKey;
use ctops_issuer::mint::{Order, claims, organisation_of};
use ctops_licence::Tier;
use ctops_testkit::a_organisation;
use serde_json::{Value, json};

use crate::support::App;

/// Spec: licensing 5, 7, 8, 15
#[tokio::test]
async fn an_organisation_asks_the_issuer_and_activates_what_it_answers() {
    let app = App::new().await;
    assert_eq!(app.state().await, ("none".into(), "community".into()));
    let (status, refusal) = app.send(&app.admin, "GET", "/gated", None).await;
    assert_eq!((status.as_u16(), refusal["code"].as_str()), (403, Some("feature_not_licensed")));
    assert_eq!(
        (&refusal["feature"], &refusal["current_tier"], &refusal["required_tier"]),
        (&json!("auditLog"), &json!("community"), &json!("pro"))
    );

    let made = app.ok("POST", "/licence/activation-tokens", None).await;
    let token = organisation_of(made["token"].as_str().unwrap(), app.clock.now()).unwrap();
    assert_eq!(token.organisation_id, app.org.to_string());
    let order = Order {
        organisation_id: token.organisation_id,
        tier: Tier::Pro,
        features: vec!["ssoSaml".into(), "teleport".into()],
        max_hosts: Some(25),
        days: 365,
        customer_name: "Dubois".into(),
        customer_email: "it@dubois.example".into(),
        force: false,
        allow_unknown: true,
    };
    let key = SigningKey::development().unwrap().sign(&claims(&order, app.clock.now()).unwrap()).unwrap();
    let folded = format!("  {}\r\n{}\n", &key[..100], &key[100..]);
    let (status, shown) = app.activate(&folded).await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!(
        (&shown["status"], &shown["tier"], &shown["max_hosts"]),
        (&json!("active"), &json!("pro"), &json!(25))
    );
    assert_eq!(shown["unrecognised_features"], json!(["teleport"]));
    assert_eq!(shown["features"].as_array().unwrap().len(), 14);
    assert_eq!(shown["key"]["customer_name"], "Dubois");
    assert_eq!(shown["banner"], Value::Null);
    assert_eq!(app.send(&app.admin, "GET", "/gated", None).await.0, 200);
    assert_eq!(app.audited().await, ["licence.token_generated", "licence.activated"]);
    let (sealed, fingerprint): (Vec<u8>, String) =
        sqlx::query_as("SELECT key_sealed, verifier_fingerprint FROM organisation_licences")
            .fetch_one(app.pool())
            .await
            .unwrap();
    assert!(!sealed.windows(20).any(|part| key.as_bytes().starts_with(part)), "keys are kept encrypted");
    assert_eq!(fingerprint, SigningKey::development().unwrap().verifier().fingerprint());
}

/// Spec: licensing 7
#[tokio::test]
async fn a_refused_key_changes_nothing_and_says_why() {
    let app = App::new().await;
    app.licensed(json!({"jti": "good"})).await;
    let now = app.clock.now().timestamp();
    let other = a_organisation(app.pool()).await;
    let stranger = SigningKey::generate(2048).unwrap().sign(&app.claims(json!({}))).unwrap();
    for (key, code) in [
        ("not a key".to_owned(), "malformed"),
        (stranger, "bad_signature"),
        (app.key(json!({"iss": "x"})), "bad_issuer"),
        (app.key(json!({"aud": "x"})), "bad_audience"),
        (app.key(json!({"nbf": now + 3600})), "not_yet_valid"),
        (app.key(json!({"exp": now})), "expired"),
        (app.key(json!({"tier": "community"})), "bad_tier"),
        (app.key(json!({"sub": other.to_string()})), "wrong_organisation"),
        ("infw-act_e30".into(), "looks_like_activation_token"),
    ] {
        let (status, body) = app.activate(&key).await;
        assert_eq!((status.as_u16(), body["code"].as_str()), (422, Some(code)), "{body}");
        assert_eq!(body["fields"][0]["path"], "key");
    }
    let shown = app.ok("GET", "/licence", None).await;
    assert_eq!((&shown["status"], &shown["key"]["jti"]), (&json!("active"), &json!("good")));
    assert_eq!(app.ok("GET", "/licence/history", None).await["items"].as_array().unwrap().len(), 1);
    assert!(app.audited().await.contains(&"licence.activated wrong_organisation".to_owned()));

    let (status, body) = app.activate(&app.key(json!({}))).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (429, Some("rate_limited")), "ten an hour");
    app.clock.advance(TimeDelta::hours(1));
    assert_eq!(app.activate(&app.key(json!({}))).await.0, 200);
    let (status, body) = app.activate(&"a".repeat(17 * 1024)).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (413, Some("payload_too_large")));
}

/// Spec: licensing 7
#[tokio::test]
async fn the_other_codes_reach_the_administrator_too() {
    let app = App::new().await;
    for (claims, code) in [
        (json!({"jti": ""}), "missing_jti"),
        (json!({"customer": "Dubois"}), "missing_customer"),
        (json!({"maxHosts": 0}), "bad_capacity"),
        (json!({"features": "auditLog"}), "malformed"),
    ] {
        let (status, body) = app.activate(&app.key(claims)).await;
        assert_eq!((status.as_u16(), body["code"].as_str()), (422, Some(code)));
    }
    let key = app.key(json!({}));
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", key.split('.').nth(1).unwrap());
    assert_eq!(app.activate(&unsigned).await.1["code"], "bad_algorithm");
}

/// Spec: licensing 7, 8
#[tokio::test]
async fn keys_replace_each_other_and_can_be_removed() {
    let app = App::new().await;
    app.licensed(json!({"jti": "first"})).await;
    app.clock.advance(TimeDelta::minutes(1));
    app.licensed(json!({"jti": "second", "tier": "enterprise"})).await;
    let history = app.ok("GET", "/licence/history", None).await;
    let line = |at: usize, name: &str| history["items"][at][name].clone();
    assert_eq!((line(0, "jti"), line(0, "replaced_at")), (json!("second"), Value::Null));
    assert_eq!(
        (line(1, "jti"), line(1, "activated_by")["name"].clone()),
        (json!("first"), json!("Test User"))
    );
    assert!(line(1, "replaced_at").is_string());
    assert_eq!(app.state().await, ("active".into(), "enterprise".into()));

    app.ok("DELETE", "/licence", None).await;
    assert_eq!(app.state().await, ("none".into(), "community".into()));
    assert_eq!(app.send(&app.admin, "DELETE", "/licence", None).await.0, 404);
    assert_eq!(app.audited().await, ["licence.activated", "licence.activated", "licence.removed"]);
}

/// Spec: licensing 15
#[tokio::test]
async fn engineers_see_tier_and_features_only() {
    let app = App::new().await;
    app.licensed(json!({})).await;
    for role in [Role::Engineer, Role::ReadOnly] {
        let person = app.person(role).await;
        let (status, features) = app.send(&person, "GET", "/features", None).await;
        assert_eq!((status.as_u16(), &features["tier"]), (200, &json!("pro")));
        assert_eq!(
            (&features["features"]["auditLog"], &features["features"]["ssoSaml"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(features["required_tiers"]["ssoSaml"], "enterprise");
        for (method, path) in [
            ("GET", "/licence"),
            ("GET", "/licence/history"),
            ("DELETE", "/licence"),
            ("POST", "/licence/activation-tokens"),
            ("POST", "/licence/revocations/refresh"),
        ] {
            assert_eq!(app.send(&person, method, path, None).await.0, 403, "{method} {path}");
        }
    }
    let other = a_organisation(app.pool()).await;
    let (stranger, _) = app.person_of(other, Role::SuperAdmin).await;
    let (_, shown) = app.send(&stranger, "GET", "/licence", None).await;
    assert_eq!((&shown["status"], &shown["key"]), (&json!("none"), &Value::Null), "of another organisation");
}
