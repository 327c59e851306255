//! Trust material: made once, sealed, shared by all processes.

use ctops_crypto::authority::{Authority, Purpose};
use ctops_crypto::seal::InstallKey;
use ctops_fleet::agents::{AgentTrust, TrustError};
use ctops_testkit::{TestDb, a_clock};

/// Spec: security 12
#[tokio::test]
async fn load_or_create_when_processes_start_together_makes_everything_once() {
    let db = TestDb::new().await;
    let (key, clock) = (InstallKey::generate(), a_clock());
    let (a, b, c) = tokio::join!(
        AgentTrust::load_or_create(db.pool(), &key, &clock),
        AgentTrust::load_or_create(db.pool(), &key, &clock),
        AgentTrust::load_or_create(db.pool(), &key, &clock),
    );
    let all = [a.unwrap(), b.unwrap(), c.unwrap()];
    for trust in &all[1..] {
        assert_eq!(trust.agent_authority().cert_pem(), all[0].agent_authority().cert_pem());
        assert_eq!(trust.server_authority().cert_pem(), all[0].server_authority().cert_pem());
        assert_eq!(trust.tokens().jwks_json(), all[0].tokens().jwks_json());
    }
    let rows: (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM certificate_authorities), (SELECT count(*) FROM sealed_secrets)",
    )
    .fetch_one(db.pool())
    .await
    .unwrap();
    assert_eq!(rows, (2, 1));
    let secrets: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT key_sealed FROM certificate_authorities UNION ALL SELECT sealed FROM sealed_secrets",
    )
    .fetch_all(db.pool())
    .await
    .unwrap();
    assert!(
        secrets.iter().all(|sealed| !sealed.windows(7).any(|window| window == b"PRIVATE")),
        "nothing in clear"
    );
    assert!(!format!("{:?}", all[0]).contains("PRIVATE"));
}

/// Spec: security 13
#[tokio::test]
async fn load_or_create_with_another_install_key_fails_and_overwrites_nothing() {
    let db = TestDb::new().await;
    let (key, clock) = (InstallKey::generate(), a_clock());
    let made = AgentTrust::load_or_create(db.pool(), &key, &clock).await.unwrap();
    let failed = AgentTrust::load_or_create(db.pool(), &InstallKey::generate(), &clock).await;
    assert!(matches!(failed, Err(TrustError::Sealed(_))));
    let again = AgentTrust::load_or_create(db.pool(), &key, &clock).await.unwrap();
    assert_eq!(again.agent_authority().cert_pem(), made.agent_authority().cert_pem());
}

/// Spec: security 20
#[tokio::test]
async fn load_or_create_when_an_authority_retired_trusts_it_until_it_ends() {
    let db = TestDb::new().await;
    let (key, clock) = (InstallKey::generate(), a_clock());
    AgentTrust::load_or_create(db.pool(), &key, &clock).await.unwrap();
    let now = clock.now();
    for (age, name) in [(1, "younger"), (11 * 365, "ended")] {
        let from = now - chrono::TimeDelta::days(age);
        let old = Authority::generate(Purpose::AgentCa, from).unwrap();
        sqlx::query(
            "INSERT INTO certificate_authorities
                 (id, purpose, cert_pem, key_sealed, fingerprint_sha256, not_before, not_after, created_at, retired_at)
             VALUES (gen_random_uuid(), 'agent_ca', $1, '', $2, $3, $4, $3, $3)",
        )
        .bind(format!("{}# {name}", old.cert_pem()))
        .bind(old.fingerprint_sha256())
        .bind(old.not_before())
        .bind(old.not_after())
        .execute(db.pool())
        .await
        .unwrap();
    }
    let trust = AgentTrust::load_or_create(db.pool(), &key, &clock).await.unwrap();
    let trusted = trust.trusted_agent_cas();
    assert_eq!(trusted.len(), 2);
    assert_eq!(trusted[0].trim_end(), trust.agent_authority().cert_pem().trim_end(), "the active one first");
    assert!(trusted[1].contains("# younger"));
}
