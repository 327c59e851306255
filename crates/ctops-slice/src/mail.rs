//! Mail to people: a sealed letter is put into the outbox inside the transaction that causes it, and a job delivers it
//! through the organisation's relay, else the installation's, else administrators find it in the list of pending mail
//! (auth 8, settings 11, 12).

use std::time::Duration;

use chrono::{DateTime, Utc};
use ctops_base::id::new_id;
use ctops_crypto::seal::InstallKey;
use ctops_pg::Tx;
use ctops_pg::notify::{JOBS, notify};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A letter that no relay took is given up after this long (settings 12).
pub const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Name of the job that delivers mail, and of the notification that wakes it.
pub const DELIVERY_JOB: &str = "deliver_mail";

/// One mail to one person.
#[derive(Clone)]
pub struct Mail {
    /// Organisation whose relay sends it; none uses the installation's relay.
    pub org_id: Option<Uuid>,
    /// Address of the recipient.
    pub to: String,
    /// What it is for, for example `password_reset`.
    pub kind: &'static str,
    /// Subject line.
    pub subject: String,
    /// Text, without the link.
    pub text: String,
    /// Link that the text speaks of; written below it.
    pub link: Option<String>,
}

/// The part of a mail that is kept sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Letter {
    /// Address of the recipient.
    pub to: String,
    /// Subject line.
    pub subject: String,
    /// Text, without the link.
    pub text: String,
    /// Link that the text speaks of.
    pub link: Option<String>,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("org_id", &self.org_id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letter").finish_non_exhaustive()
    }
}

/// The name a letter is sealed under.
pub fn seal_name(id: Uuid) -> String {
    format!("mail:{id}")
}

/// Puts a mail into the outbox. Nothing leaves before the transaction is committed.
///
/// # Errors
/// Whatever the database says.
pub async fn send(
    tx: &mut Tx<'_>,
    seal: &InstallKey,
    mail: &Mail,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let id = new_id();
    let letter = Letter {
        to: one_line(&mail.to),
        subject: one_line(&mail.subject),
        text: mail.text.clone(),
        link: mail.link.clone(),
    };
    let plain = serde_json::to_vec(&letter).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query(
        "INSERT INTO mail_outbox (id, org_id, kind, sealed, created_at, next_attempt_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $5, $6)",
    )
    .bind(id)
    .bind(mail.org_id)
    .bind(mail.kind)
    .bind(seal.seal(&seal_name(id), &plain))
    .bind(now)
    .bind(now + KEPT)
    .execute(&mut **tx)
    .await?;
    notify(&mut **tx, JOBS, DELIVERY_JOB).await
}

/// Header fields end at the first control character, so that text of people cannot add fields.
fn one_line(text: &str) -> String {
    text.split(char::is_control).next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ctops_pg::notify::{Notice, Notifications};
    use ctops_testkit::{TestDb, start_time};

    use super::*;

    #[tokio::test]
    async fn mail_when_put_into_the_outbox_is_unreadable_in_the_database() {
        let db = TestDb::new().await;
        let seal = InstallKey::generate();
        let mail = Mail {
            org_id: None,
            to: "ada@example.com".into(),
            kind: "password_reset",
            subject: "Reset\r\nBcc: eve@example.com".into(),
            text: "Somebody asked".into(),
            link: Some("https://ops.example.com/reset?token=hunter2".into()),
        };
        let mut tx = db.pool().begin().await.unwrap();
        send(&mut tx, &seal, &mail, start_time()).await.unwrap();
        tx.commit().await.unwrap();
        let (id, sealed): (Uuid, Vec<u8>) =
            sqlx::query_as("SELECT id, sealed FROM mail_outbox").fetch_one(db.pool()).await.unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"hunter2" || part == b"example"));
        let letter: Letter = serde_json::from_slice(&seal.open(&seal_name(id), &sealed).unwrap()).unwrap();
        assert_eq!((letter.to.as_str(), letter.subject.as_str()), ("ada@example.com", "Reset"));
        assert!(!format!("{mail:?} {letter:?}").contains("hunter2"));
    }

    /// Spec: auth 8
    #[tokio::test]
    async fn mail_when_committed_wakes_the_job_that_delivers_it() {
        let db = TestDb::new().await;
        let notifications = Notifications::start(db.pool(), &[JOBS]).await.unwrap();
        let mut notices = notifications.subscribe();
        let mail = Mail {
            org_id: None,
            to: "ada@example.com".into(),
            kind: "test",
            subject: "Test".into(),
            text: "Test".into(),
            link: None,
        };
        let seal = InstallKey::generate();
        let mut lost = db.pool().begin().await.unwrap();
        send(&mut lost, &seal, &mail, start_time()).await.unwrap();
        lost.rollback().await.unwrap();
        let mut tx = db.pool().begin().await.unwrap();
        for _ in 0..3 {
            send(&mut tx, &seal, &mail, start_time()).await.unwrap();
        }
        tx.commit().await.unwrap();
        let notice = tokio::time::timeout(Duration::from_secs(10), notices.recv()).await.unwrap().unwrap();
        assert_eq!(notice, Notice::Message { channel: JOBS.into(), payload: DELIVERY_JOB.into() });
        assert!(notices.try_recv().is_err(), "once for a transaction, and not for one that was rolled back");
    }
}
