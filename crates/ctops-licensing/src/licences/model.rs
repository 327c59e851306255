//! Stored licences and what they amount to at a moment. Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_crypto::seal::InstallKey;
use ctops_crypto::secret::sha256;
use ctops_licence::{Licence, LicenceError, Moment, Verifier, read_licence};
use ctops_slice::{Entitlement, Tier};
use uuid::Uuid;

use super::trust::VerifierTrust;

/// The clock may be this far behind the latest moment ever seen (licensing 19).
pub(super) const CLOCK_TOLERANCE: TimeDelta = TimeDelta::hours(24);
/// Days before the end at which administrators are told (licensing 20).
pub(super) const WARNINGS: [i64; 4] = [1, 7, 14, 30];

/// The row of a licence.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct StoredLicence {
    pub(super) id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) key_sealed: Vec<u8>,
    pub(super) verifier_pem: String,
    pub(super) verifier_fingerprint: String,
    pub(super) seal: Vec<u8>,
    pub(super) jti: String,
    pub(super) tier: String,
    pub(super) features: Vec<String>,
    pub(super) max_hosts: Option<i64>,
    pub(super) customer_name: String,
    pub(super) customer_email: String,
    pub(super) issued_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

impl StoredLicence {
    /// The row of a key that was just verified with `verifier`.
    pub(super) fn new(
        id: Uuid,
        org_id: Uuid,
        key: &str,
        verifier: &Verifier,
        licence: &Licence,
        seal: &InstallKey,
    ) -> Self {
        let fingerprint = verifier.fingerprint().to_owned();
        Self {
            key_sealed: seal.seal(&key_name(id), key.as_bytes()),
            seal: seal.seal(&seal_name(id), &digest(org_id, &fingerprint, key)),
            id,
            org_id,
            verifier_pem: verifier.pem().to_owned(),
            verifier_fingerprint: fingerprint,
            jti: licence.jti.clone(),
            tier: licence.tier.as_str().to_owned(),
            features: licence.features.clone(),
            max_hosts: licence.max_hosts.and_then(|hosts| i64::try_from(hosts).ok()),
            customer_name: licence.customer.name.clone(),
            customer_email: licence.customer.email.clone(),
            issued_at: moment(licence.issued_at),
            expires_at: moment(licence.expires_at),
        }
    }

    /// The licence, when nothing of the row was changed behind the product's back (licensing 9).
    pub(super) fn open(&self, seal: &InstallKey, trust: &VerifierTrust) -> Option<(Licence, Verifier)> {
        let verifier = Verifier::from_pem(&self.verifier_pem).ok()?;
        if verifier.fingerprint() != self.verifier_fingerprint || !trust.allows(&verifier) {
            return None;
        }
        let key = seal.open(&key_name(self.id), &self.key_sealed).ok()?;
        let key = std::str::from_utf8(&key).ok()?;
        let sealed = seal.open(&seal_name(self.id), &self.seal).ok();
        let is_sealed =
            sealed.is_some_and(|kept| kept[..] == digest(self.org_id, &self.verifier_fingerprint, key)[..]);
        if !is_sealed && !trust.knows(&verifier) {
            return None;
        }
        let licence = read_licence(key, &verifier, Moment::Any).ok()?;
        let same = licence.organisation_id == self.org_id.to_string()
            && licence.jti == self.jti
            && licence.tier.as_str() == self.tier
            && licence.features == self.features
            && licence.max_hosts == self.max_hosts.and_then(|hosts| u64::try_from(hosts).ok())
            && moment(licence.expires_at) == self.expires_at;
        same.then_some((licence, verifier))
    }
}

fn key_name(id: Uuid) -> String {
    format!("licence:{id}")
}

fn seal_name(id: Uuid) -> String {
    format!("licence_seal:{id}")
}

fn digest(org_id: Uuid, fingerprint: &str, key: &str) -> [u8; 32] {
    sha256(format!("{org_id}\n{fingerprint}\n{key}").as_bytes())
}

fn moment(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap_or_default()
}

/// Why an organisation has what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// No key.
    None,
    /// A key in force.
    Active,
    /// Too early.
    NotYetValid,
    /// Over.
    Expired,
    /// Revoked by its issuer.
    Revoked,
    /// The clock went back by more than a day.
    ClockRollback,
    /// The row was changed, or belongs to another installation.
    Invalid,
}

impl Status {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Active => "active",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::ClockRollback => "clock_rollback",
            Self::Invalid => "invalid",
        }
    }
}

/// Everything an organisation's entitlement depends on, beside the moment.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) read_at: DateTime<Utc>,
    pub(super) kept: Kept,
    pub(super) revoked: bool,
    /// Latest moment ever seen.
    pub(super) high_water: Option<DateTime<Utc>>,
}

/// What the database holds for it.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Nothing,
    Invalid,
    Licence(Box<Current>),
}

/// A licence that counts as long as nothing speaks against it.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) id: Uuid,
    pub(super) licence: Licence,
    pub(super) fingerprint: String,
}

impl Snapshot {
    /// The state at `now`.
    pub(super) fn status(&self, now: DateTime<Utc>) -> Status {
        let current = match &self.kept {
            Kept::Nothing => return Status::None,
            Kept::Invalid => return Status::Invalid,
            Kept::Licence(current) => current,
        };
        if self.revoked {
            return Status::Revoked;
        }
        match current.licence.check_time(now.timestamp()) {
            Err(LicenceError::Expired) => return Status::Expired,
            Err(_) => return Status::NotYetValid,
            Ok(()) => {}
        }
        match self.high_water {
            Some(seen) if seen - now > CLOCK_TOLERANCE => Status::ClockRollback,
            _ => Status::Active,
        }
    }

    /// What is open at `now`.
    pub(super) fn entitlement(&self, now: DateTime<Utc>) -> Entitlement {
        match (&self.kept, self.status(now)) {
            (Kept::Licence(current), Status::Active) => Entitlement {
                tier: current.licence.tier,
                features: current.licence.effective_features().into_iter().collect::<BTreeSet<_>>(),
                max_hosts: current.licence.max_hosts,
            },
            _ => Entitlement::community(),
        }
    }

    /// The licence, in force or not.
    pub(super) fn current(&self) -> Option<&Current> {
        match &self.kept {
            Kept::Licence(current) => Some(current),
            Kept::Nothing | Kept::Invalid => None,
        }
    }

    /// What administrators see on every page (licensing 20).
    pub(super) fn banner(&self, now: DateTime<Utc>) -> Option<Banner> {
        let status = self.status(now);
        match (status, self.current()) {
            (Status::None, _) => None,
            (Status::Active, Some(current)) => {
                let left = days_left(&current.licence, now);
                let stage = *WARNINGS.iter().find(|days| left <= **days)?;
                Some(Banner { status, stage: stage.to_string(), days_left: Some(left) })
            }
            _ => Some(Banner { status, stage: status.code().to_owned(), days_left: None }),
        }
    }
}

/// A notice for administrators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Banner {
    pub(super) status: Status,
    /// `30`, `14`, `7`, `1`, or the status: who dismissed one stage sees the next.
    pub(super) stage: String,
    pub(super) days_left: Option<i64>,
}

/// Days until the end, a begun one counted whole.
pub(super) fn days_left(licence: &Licence, now: DateTime<Utc>) -> i64 {
    let seconds = licence.expires_at - now.timestamp();
    seconds.max(0).div_euclid(86_400) + i64::from(seconds.max(0) % 86_400 != 0)
}

/// The tier that people see while a key is not in force.
pub(super) fn bought_tier(snapshot: &Snapshot) -> Option<Tier> {
    snapshot.current().map(|current| current.licence.tier)
}
