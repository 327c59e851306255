//! Letters on their way into the outbox.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_crypto::seal::InstallKey;
use ctops_slice::mail::{KEPT, Letter, Mail, seal_name, send};
use ctops_testkit::{TestDb, a_organisation, start_time};
use uuid::Uuid;

fn a_mail(to: &str, subject: &str) -> Mail {
    Mail {
        org_id: None,
        to: to.into(),
        kind: "invitation",
        subject: subject.into(),
        text: "Come in.\r\n.\r\nQUIT".into(),
        link: Some("https://ops.example.com/accept?token=t".into()),
    }
}

async fn put(db: &TestDb, seal: &InstallKey, mail: &Mail) -> (Uuid, Letter) {
    let mut tx = db.pool().begin().await.unwrap();
    send(&mut tx, seal, mail, start_time()).await.unwrap();
    tx.commit().await.unwrap();
    let (id, sealed): (Uuid, Vec<u8>) =
        sqlx::query_as("SELECT id, sealed FROM mail_outbox ORDER BY id DESC LIMIT 1")
            .fetch_one(db.pool())
            .await
            .unwrap();
    (id, serde_json::from_slice(&seal.open(&seal_name(id), &sealed).unwrap()).unwrap())
}

/// Spec: settings 12
#[tokio::test]
async fn nothing_is_sent_for_a_change_that_did_not_happen() {
    let db = TestDb::new().await;
    let mut tx = db.pool().begin().await.unwrap();
    send(&mut tx, &InstallKey::generate(), &a_mail("ada@example.com", "Hello"), start_time()).await.unwrap();
    tx.rollback().await.unwrap();
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM mail_outbox").fetch_one(db.pool()).await.unwrap();
    assert_eq!(count, 0);
}

/// Spec: settings 12
#[tokio::test]
async fn a_letter_waits_from_now_on_for_a_day_with_its_organisation() {
    let db = TestDb::new().await;
    let org = a_organisation(db.pool()).await;
    put(&db, &InstallKey::generate(), &Mail { org_id: Some(org), ..a_mail("ada@example.com", "Hello") })
        .await;
    let (owner, state, attempts, next, expires): (Option<Uuid>, String, i32, DateTime<Utc>, DateTime<Utc>) =
        sqlx::query_as("SELECT org_id, state, attempts, next_attempt_at, expires_at FROM mail_outbox")
            .fetch_one(db.pool())
            .await
            .unwrap();
    assert_eq!((owner, state.as_str(), attempts, next), (Some(org), "queued", 0, start_time()));
    assert_eq!(expires - start_time(), TimeDelta::from_std(KEPT).unwrap());
}

/// Names of people and organisations stand in subjects; none of them adds a header or another recipient.
///
/// Spec: security 7
#[tokio::test]
async fn no_text_of_people_adds_a_header_or_a_recipient() {
    let db = TestDb::new().await;
    let seal = InstallKey::generate();
    for (given, kept) in [
        ("Welcome to A\r\nBcc: eve@example.com", "Welcome to A"),
        ("Welcome\nContent-Type: text/html\n\n<script>", "Welcome"),
        ("Welcome\rBcc: eve@example.com", "Welcome"),
        ("Welcome\0hidden", "Welcome"),
        ("Welcome\u{0b}x", "Welcome"),
        ("Welcome\u{85}x", "Welcome"),
        ("  Welcome  ", "Welcome"),
        ("\r\nBcc: eve@example.com", ""),
        ("Grüße an 組織", "Grüße an 組織"),
    ] {
        let (_, letter) = put(&db, &seal, &a_mail("ada@example.com", given)).await;
        assert_eq!(letter.subject, kept, "{given:?}");
    }
    let (_, letter) = put(&db, &seal, &a_mail("ada@example.com\r\nRCPT TO:<eve@example.com>", "x")).await;
    assert_eq!(letter.to, "ada@example.com");
    assert_eq!(letter.text, "Come in.\r\n.\r\nQUIT", "the text is the transport's to encode");
}

/// A letter moved to another row, for example to read it through the list of another organisation, does not open.
///
/// Spec: security 11
#[tokio::test]
async fn a_letter_opens_under_its_own_id_only() {
    let db = TestDb::new().await;
    let seal = InstallKey::generate();
    let (first, _) = put(&db, &seal, &a_mail("ada@example.com", "one")).await;
    let (second, _) = put(&db, &seal, &a_mail("eve@example.com", "two")).await;
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed FROM mail_outbox WHERE id = $1")
        .bind(first)
        .fetch_one(db.pool())
        .await
        .unwrap();
    assert!(seal.open(&seal_name(first), &sealed).is_ok());
    assert!(seal.open(&seal_name(second), &sealed).is_err());
    assert!(InstallKey::generate().open(&seal_name(first), &sealed).is_err());
}

#[tokio::test]
async fn two_equal_letters_look_nothing_alike_in_the_database() {
    let db = TestDb::new().await;
    let seal = InstallKey::generate();
    put(&db, &seal, &a_mail("ada@example.com", "same")).await;
    put(&db, &seal, &a_mail("ada@example.com", "same")).await;
    let sealed: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT sealed FROM mail_outbox").fetch_all(db.pool()).await.unwrap();
    assert_ne!(sealed[0], sealed[1]);
    let shown = format!("{:?}", a_mail("ada@example.com", "same"));
    assert!(!shown.contains("token=t") && !shown.contains("ada@"), "{shown}");
}
