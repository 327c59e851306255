//! Reading pages of settings and their secrets.

use ctops_base::{FieldProblem, ProblemKind};
use ctops_crypto::seal::InstallKey;
use ctops_slice::settings::{
    self, AuthenticationSettings, KeyKind, RegistrationMode, SettingKey, SettingsPage, seal_name,
};
use ctops_testkit::{TestDb, a_organisation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

async fn store(db: &TestDb, org: Uuid, page: &str, document: Value) {
    sqlx::query(
        "INSERT INTO settings (org_id, page, version, document, updated_at) VALUES ($1, $2, 1, $3, now())
         ON CONFLICT (org_id, page) DO UPDATE SET document = EXCLUDED.document",
    )
    .bind(org)
    .bind(page)
    .bind(document)
    .execute(db.pool())
    .await
    .unwrap();
}

async fn authentication(db: &TestDb, org: Uuid) -> AuthenticationSettings {
    settings::read::<AuthenticationSettings>(db.pool(), org).await.unwrap()
}

/// Spec: settings 3
#[tokio::test]
async fn a_page_nobody_saved_has_the_defaults_and_a_saved_one_only_for_its_organisation() {
    let db = TestDb::new().await;
    let (ours, theirs) = (a_organisation(db.pool()).await, a_organisation(db.pool()).await);
    assert_eq!(authentication(&db, ours).await, AuthenticationSettings::default());
    store(&db, ours, "authentication", json!({ "session_max_days": 3, "require_two_factor": true })).await;
    let read = authentication(&db, ours).await;
    assert_eq!((read.session_max_days, read.require_two_factor, read.session_idle_hours), (3, true, 24));
    assert_eq!(authentication(&db, theirs).await, AuthenticationSettings::default());
}

/// What decides about access never becomes weaker than the default because a row was damaged.
///
/// Spec: settings 8
#[tokio::test]
async fn values_out_of_range_or_of_another_type_count_as_their_default_one_by_one() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    for (key, bad) in [
        ("session_max_days", json!(31)),
        ("session_max_days", json!(0)),
        ("session_max_days", json!(-1)),
        ("session_max_days", json!("30")),
        ("session_max_days", json!(1e9)),
        ("session_idle_hours", json!(169)),
        ("password_min_length", json!(1)),
        ("password_min_length", json!(11)),
        ("password_min_length", json!(null)),
        ("api_keys_max_days", json!(366)),
        ("ldap_allow_plain", json!("yes")),
        ("registration_mode", json!("open")),
        ("allowed_domains", json!("example.com")),
        ("allowed_domains", json!(["NOT A DOMAIN"])),
        ("require_email_verification", json!(false)),
    ] {
        store(&db, org, "authentication", json!({ key: bad, "require_two_factor": true })).await;
        let expected =
            AuthenticationSettings { require_two_factor: true, ..AuthenticationSettings::default() };
        assert_eq!(authentication(&db, org).await, expected, "{key} = {bad}");
    }
}

/// Spec: settings 3
#[tokio::test]
async fn values_at_both_ends_of_their_ranges_count() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    for (days, hours, length, keys) in [(1, 1, 12, 1), (30, 168, 64, 365)] {
        let document = json!({
            "session_max_days": days, "session_idle_hours": hours, "password_min_length": length,
            "api_keys_max_days": keys, "registration_mode": "closed", "allowed_domains": ["a.example", "xn--bcher-kva.example"],
        });
        store(&db, org, "authentication", document).await;
        let read = authentication(&db, org).await;
        assert_eq!(
            (
                read.session_max_days,
                read.session_idle_hours,
                read.password_min_length,
                read.api_keys_max_days
            ),
            (days, hours, length, keys)
        );
        assert_eq!((read.registration_mode, read.allowed_domains.len()), (RegistrationMode::Closed, 2));
    }
}

#[tokio::test]
async fn a_document_that_is_none_counts_as_empty() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    for document in [json!({}), json!({ "unknown": { "deep": [1, 2] } })] {
        store(&db, org, "authentication", document).await;
        assert_eq!(authentication(&db, org).await, AuthenticationSettings::default());
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Vault {}

impl SettingsPage for Vault {
    const NAME: &'static str = "vault";
    const TITLE: &'static str = "Vault";

    fn keys() -> &'static [SettingKey] {
        const KEYS: &[SettingKey] =
            &[SettingKey::new("password", "Password", KeyKind::Secret { most: 100 }, "")];
        KEYS
    }

    fn validate(&self) -> Result<(), Vec<FieldProblem>> {
        Ok(())
    }
}

async fn store_secret(db: &TestDb, org: Uuid, sealed: Vec<u8>) {
    sqlx::query(
        "INSERT INTO setting_secrets (org_id, page, name, sealed, set_at) VALUES ($1, 'vault', 'password', $2, now())
         ON CONFLICT (org_id, page, name) DO UPDATE SET sealed = EXCLUDED.sealed",
    )
    .bind(org)
    .bind(sealed)
    .execute(db.pool())
    .await
    .unwrap();
}

/// A sealed value is bound to its place: copied to another organisation by somebody with the database, it does not open.
///
/// Spec: security 11
#[tokio::test]
async fn a_secret_opens_in_its_place_only() {
    let db = TestDb::new().await;
    let seal = InstallKey::generate();
    let (ours, theirs) = (a_organisation(db.pool()).await, a_organisation(db.pool()).await);
    let read = async |org| settings::read_secret::<Vault>(db.pool(), &seal, org, "password").await;
    assert!(read(ours).await.unwrap().is_none());
    let sealed = seal.seal(&seal_name(ours, "vault", "password"), b"hunter2");
    store_secret(&db, ours, sealed.clone()).await;
    assert_eq!(read(ours).await.unwrap().unwrap().as_slice(), b"hunter2");
    store_secret(&db, theirs, sealed.clone()).await;
    let moved = read(theirs).await.unwrap_err();
    assert_eq!(moved.kind(), ProblemKind::Internal);
    assert!(!moved.to_string().contains("hunter2"));
    for other in [seal_name(ours, "vault", "passwords"), seal_name(ours, "vaul", "tpassword")] {
        store_secret(&db, ours, seal.seal(&other, b"hunter2")).await;
        assert!(read(ours).await.is_err(), "{other}");
    }
    store_secret(&db, ours, sealed).await;
    let other_key = InstallKey::generate();
    let lost = settings::read_secret::<Vault>(db.pool(), &other_key, ours, "password").await;
    assert_eq!(
        lost.unwrap_err().kind(),
        ProblemKind::Internal,
        "another install key says so, and not nothing"
    );
}

#[test]
fn domains_are_judged_by_their_labels() {
    let judge = |domain: &str| {
        let page = AuthenticationSettings {
            allowed_domains: vec![domain.to_owned()],
            ..AuthenticationSettings::default()
        };
        page.validate().is_ok()
    };
    let label = "a".repeat(63);
    for good in ["a.b", "a-b.example", "1.2", &format!("{label}.example")] {
        assert!(judge(good), "{good}");
    }
    let (long_label, long) =
        (format!("{label}a.example"), format!("{}x.example", format!("{label}.").repeat(4)));
    for bad in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a-.b",
        "-a.b",
        "a_b.example",
        "ä.example",
        "a.example\n",
        "*.example",
        "a b.c",
        &long_label,
        &long,
    ] {
        assert!(!judge(bad), "{bad:?}");
    }
}
