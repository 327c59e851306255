//! Periodic work: the revocation list, the clock guard, notices, the log line.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ctops_base::{Clock, Problem};
use ctops_crypto::seal::InstallKey;
use ctops_crypto::secret::sha256;
use ctops_pg::Pool;
use ctops_slice::Job;
use ctops_slice::audit::{self, AuditEvent, By};
use ctops_slice::mail::{self, Mail};
use uuid::Uuid;

use super::entitlements::Licensing;
use super::model::{Banner, Current, Status};
use super::revocation::Fetcher;
use super::store;

/// Fetches the list of revoked keys when it is time.
pub(super) struct RefreshRevocations {
    pub(super) fetcher: Fetcher,
    pub(super) clock: Clock,
}

#[async_trait]
impl Job for RefreshRevocations {
    fn name(&self) -> &'static str {
        "licences.refresh_revocations"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn run(&self) -> Result<(), Problem> {
        let now = self.clock.now();
        if self.fetcher.url.is_none() || !self.fetcher.is_due(now).await? {
            return Ok(());
        }
        self.fetcher.fetch(now).await
    }
}

/// Keeps the latest moment ever seen (licensing 19).
pub(super) struct GuardClock {
    pub(super) pool: Pool,
    pub(super) clock: Clock,
}

#[async_trait]
impl Job for GuardClock {
    fn name(&self) -> &'static str {
        "licences.guard_clock"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn run(&self) -> Result<(), Problem> {
        store::raise_high_water(&self.pool, self.clock.now()).await.map_err(Problem::internal)
    }
}

/// Tells administrators once per stage, and the audit trail of ends (licensing 20).
pub(super) struct TellAdministrators {
    pub(super) pool: Pool,
    pub(super) clock: Clock,
    pub(super) seal: Arc<InstallKey>,
    pub(super) licensing: Licensing,
    pub(super) page: String,
}

#[async_trait]
impl Job for TellAdministrators {
    fn name(&self) -> &'static str {
        "licences.tell_administrators"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(600)
    }

    async fn run(&self) -> Result<(), Problem> {
        let organisations = store::licensed_organisations(&self.pool).await.map_err(Problem::internal)?;
        let now = self.clock.now();
        for org_id in organisations {
            let snapshot = self.licensing.snapshot(org_id).await?;
            if let (Some(banner), Some(current)) = (snapshot.banner(now), snapshot.current()) {
                self.tell(org_id, &banner, current).await.map_err(Problem::internal)?;
            }
        }
        Ok(())
    }
}

impl TellAdministrators {
    async fn tell(&self, org_id: Uuid, banner: &Banner, current: &Current) -> Result<(), sqlx::Error> {
        let Some((subject, text)) = wording(banner) else { return Ok(()) };
        let now = self.clock.now();
        let mut tx = self.pool.begin().await?;
        if !store::insert_notice(&mut tx, current.id, &banner.stage, now).await? {
            return Ok(());
        }
        let action = match banner.status {
            Status::Expired => Some(("licence.expired", "the licence expired")),
            Status::Revoked => Some(("licence.revoked", "the licence was revoked by its issuer")),
            _ => None,
        };
        if let Some((action, summary)) = action {
            let event = AuditEvent::by(By::System, Some(org_id), action, "licence")
                .on(current.id)
                .summary(summary)
                .because("licences.tell_administrators");
            audit::append(&mut tx, &event, now).await?;
        }
        for to in store::administrators(&mut tx, org_id).await? {
            let mail = Mail {
                org_id: Some(org_id),
                to,
                kind: "licence",
                subject: subject.clone(),
                text: text.clone(),
                link: Some(self.page.clone()),
            };
            mail::send(&mut tx, &self.seal, &mail, now).await?;
        }
        tx.commit().await
    }
}

/// Subject and text; none for states that are not told by mail.
fn wording(banner: &Banner) -> Option<(String, String)> {
    const AFTER: &str =
        "Monitoring goes on and nothing is deleted; paid features are closed until a new key is activated.";
    match (banner.status, banner.days_left) {
        (Status::Active, Some(1)) => Some((
            "CT-Ops licence ends within a day".into(),
            format!("The licence of your organisation ends within a day. {AFTER}"),
        )),
        (Status::Active, Some(days)) => Some((
            format!("CT-Ops licence ends in {days} days"),
            format!("The licence of your organisation ends in {days} days. {AFTER}"),
        )),
        (Status::Expired, _) => Some((
            "CT-Ops licence has ended".into(),
            format!("The licence of your organisation has ended. {AFTER}"),
        )),
        (Status::Revoked, _) => Some((
            "CT-Ops licence was revoked".into(),
            format!("The licence of your organisation was revoked by its issuer. {AFTER}"),
        )),
        _ => None,
    }
}

/// One line at the start and once a day, so that a build or key that was tampered with leaves a trace (licensing 21).
pub(super) struct LogLicences {
    pub(super) pool: Pool,
    pub(super) clock: Clock,
    pub(super) licensing: Licensing,
}

#[async_trait]
impl Job for LogLicences {
    fn name(&self) -> &'static str {
        "licences.log"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(86_400)
    }

    async fn run(&self) -> Result<(), Problem> {
        let build = build_digest().await;
        let organisations = store::licensed_organisations(&self.pool).await.map_err(Problem::internal)?;
        let own = self.licensing.trust().activation().map_or("none", |key| key.fingerprint());
        if organisations.is_empty() {
            tracing::info!(
                build.digest = build,
                verifier.fingerprint = own,
                tier = "community",
                jti = "",
                "licence"
            );
        }
        for org_id in organisations {
            let snapshot = self.licensing.snapshot(org_id).await?;
            let now = self.clock.now();
            let current = snapshot.current();
            tracing::info!(
                build.digest = build,
                verifier.fingerprint = current.map_or(own, |current| current.fingerprint.as_str()),
                org.id = %org_id,
                tier = snapshot.entitlement(now).tier.as_str(),
                jti = current.map_or("", |current| current.licence.jti.as_str()),
                state = snapshot.status(now).code(),
                "licence"
            );
        }
        Ok(())
    }
}

/// SHA-256 of the running program, hex; `unknown` when it cannot be read.
async fn build_digest() -> String {
    let read = tokio::task::spawn_blocking(|| std::fs::read(std::env::current_exe()?)).await;
    match read {
        Ok(Ok(bytes)) => hex::encode(sha256(&bytes)),
        _ => "unknown".into(),
    }
}
