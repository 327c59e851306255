//! What is stored, and what a changed row amounts to.

use std::sync::Arc;

use chrono::TimeDelta;
use ctops_crypto::seal::InstallKey;
use ctops_issuer::keys::SigningKey;
use ctops_licensing::licences::KeySources;
use ctops_licensing::{Licensing, VerifierTrust};
use ctops_slice::{Entitlement, Entitlements, Tier};
use serde_json::json;

use crate::support::{App, development};

impl App {
    /// What another process of this installation makes of the stored licence.
    async fn seen_with(&self, seal: &Arc<InstallKey>, trust: VerifierTrust) -> Tier {
        let other = Licensing::new(self.pool().clone(), self.clock.clone(), Arc::clone(seal), trust);
        other.of(self.org).await.unwrap().tier
    }
}

fn production(key: &SigningKey) -> VerifierTrust {
    VerifierTrust::choose(KeySources { file: Some(key.verifier().pem()), inline: None }, false).unwrap()
}

/// Spec: licensing 8, 9
#[tokio::test]
async fn a_licence_outlives_the_rotation_of_the_issuers_key() {
    let old = SigningKey::generate(2048).unwrap();
    let new = SigningKey::generate(2048).unwrap();
    let app = App::with(production(&old), None).await;
    let key = old.sign(&app.claims(json!({}))).unwrap();
    assert_eq!(app.activate(&key).await.0, 200);
    assert_eq!(app.seen_with(&app.seal, production(&new)).await, Tier::Pro);
    assert_eq!(app.seen_with(&app.seal, VerifierTrust::nothing()).await, Tier::Pro);
    let other_installation = Arc::new(InstallKey::generate());
    assert_eq!(
        app.seen_with(&other_installation, production(&old)).await,
        Tier::Community,
        "a copied database"
    );
}

/// Spec: licensing 10
#[tokio::test]
async fn production_refuses_a_stored_development_key() {
    let app = App::new().await;
    app.licensed(json!({})).await;
    assert_eq!(app.seen_with(&app.seal, development()).await, Tier::Pro);
    assert_eq!(app.seen_with(&app.seal, VerifierTrust::nothing()).await, Tier::Community);
    let closed = App::with(VerifierTrust::nothing(), None).await;
    let (status, body) = closed.activate(&closed.key(json!({}))).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (503, Some("not_configured")));
}

/// Spec: licensing 9
#[tokio::test]
async fn a_row_edited_in_the_database_is_no_licence() {
    for edit in [
        "UPDATE organisation_licences SET tier = 'enterprise'",
        "UPDATE organisation_licences SET features = ARRAY['ssoSaml']",
        "UPDATE organisation_licences SET max_hosts = 1000",
        "UPDATE organisation_licences SET jti = 'another'",
        "UPDATE organisation_licences SET expires_at = expires_at + interval '1 year'",
        "UPDATE organisation_licences SET seal = '\\x00'",
        "UPDATE organisation_licences SET key_sealed = seal",
        "UPDATE organisation_licences SET verifier_fingerprint = repeat('0', 64)",
        "UPDATE organisation_licences SET verifier_pem = 'x'",
        "UPDATE organisation_licences SET id = '00000000-0000-0000-0000-000000000001'",
    ] {
        let key = SigningKey::generate(2048).unwrap();
        let app = App::with(production(&key), None).await;
        let token = key.sign(&app.claims(json!({"maxHosts": 10}))).unwrap();
        assert_eq!(app.activate(&token).await.0, 200);
        app.execute(edit).await;
        app.clock.advance(TimeDelta::minutes(1));
        assert_eq!(app.state().await, ("invalid".into(), "community".into()), "{edit}");
        assert_eq!(app.licensing.of(app.org).await.unwrap(), Entitlement::community());
    }
}

/// Spec: licensing 9
#[tokio::test]
async fn a_key_of_ones_own_put_into_the_database_is_no_licence() {
    let issuer = SigningKey::generate(2048).unwrap();
    let app = App::with(production(&issuer), None).await;
    let own = SigningKey::generate(2048).unwrap();
    let token = issuer.sign(&app.claims(json!({}))).unwrap();
    assert_eq!(app.activate(&token).await.0, 200);
    sqlx::query("UPDATE organisation_licences SET verifier_pem = $1, verifier_fingerprint = $2")
        .bind(own.verifier().pem())
        .bind(own.verifier().fingerprint())
        .execute(app.pool())
        .await
        .unwrap();
    app.clock.advance(TimeDelta::minutes(1));
    assert_eq!(app.state().await.0, "invalid");
    app.execute("UPDATE organisation_licences SET replaced_at = now()").await;
    let token = issuer.sign(&app.claims(json!({}))).unwrap();
    assert_eq!(app.activate(&token).await.0, 200, "a new key mends it");
}
