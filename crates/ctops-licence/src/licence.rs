//! The claims of a licence key (licensing 1 to 4, 7, 11).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::catalogue::{Feature, Tier};
use crate::jws::{self, JwsError};
use crate::verifier::Verifier;
use crate::{AUDIENCE, ISSUER, MAX_KEY_BYTES};

/// A key may be used this long before its `nbf`, seconds: clocks differ.
pub const NOT_BEFORE_LEEWAY: i64 = 60;
/// Largest cap on hosts: what every JSON reader keeps exactly (RFC 8259 section 6).
pub const MAX_HOSTS: u64 = (1 << 53) - 1;
/// Latest moment that is understood: the end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;
/// Longest id, name or feature, characters.
const MAX_TEXT: usize = 200;
/// Most features of one key.
const MAX_FEATURES: usize = 200;

/// Why a key is refused. Each has its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LicenceError {
    /// Not a signed token, or a claim of the wrong kind.
    #[error("this is not a licence key, or it was damaged on the way")]
    Malformed,
    /// Not RS256 and JWT.
    #[error("the key is not signed with RS256")]
    BadAlgorithm,
    /// Wrong signature.
    #[error("the key was not signed by the issuer this installation trusts, or it was changed")]
    BadSignature,
    /// Wrong `iss`.
    #[error("the key comes from another issuer")]
    BadIssuer,
    /// Wrong `aud`.
    #[error("the key was made for another use")]
    BadAudience,
    /// Before `nbf`.
    #[error("the key is not valid yet; check this server's clock")]
    NotYetValid,
    /// From `exp` on.
    #[error("the key has expired")]
    Expired,
    /// No tier that is sold.
    #[error("the key names no tier that is sold")]
    BadTier,
    /// No `jti`.
    #[error("the key has no id")]
    MissingJti,
    /// No customer.
    #[error("the key names no customer")]
    MissingCustomer,
    /// `maxHosts` is not a positive whole number.
    #[error("the key's number of hosts is not usable")]
    BadCapacity,
    /// Wrong `sub`.
    #[error("the key was made for another organisation")]
    WrongOrganisation,
    /// On the revocation list.
    #[error("the key was revoked by its issuer")]
    Revoked,
    /// An activation token was pasted.
    #[error("this is an activation token; send it to the issuer, who answers with a licence key")]
    LooksLikeActivationToken,
}

impl LicenceError {
    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BadAlgorithm => "bad_algorithm",
            Self::BadSignature => "bad_signature",
            Self::BadIssuer => "bad_issuer",
            Self::BadAudience => "bad_audience",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::BadTier => "bad_tier",
            Self::MissingJti => "missing_jti",
            Self::MissingCustomer => "missing_customer",
            Self::BadCapacity => "bad_capacity",
            Self::WrongOrganisation => "wrong_organisation",
            Self::Revoked => "revoked",
            Self::LooksLikeActivationToken => "looks_like_activation_token",
        }
    }
}

impl From<JwsError> for LicenceError {
    fn from(error: JwsError) -> Self {
        match error {
            JwsError::Malformed => Self::Malformed,
            JwsError::Algorithm => Self::BadAlgorithm,
            JwsError::Signature => Self::BadSignature,
        }
    }
}

/// Who bought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Name.
    pub name: String,
    /// Address of the technical contact.
    pub email: String,
}

/// What a key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// Id of the key.
    pub jti: String,
    /// Organisation it was made for.
    pub organisation_id: String,
    /// Tier: Pro or Enterprise.
    pub tier: Tier,
    /// Names of further features, as written.
    pub features: Vec<String>,
    /// Most hosts.
    pub max_hosts: Option<u64>,
    /// Who bought it.
    pub customer: Customer,
    /// Seconds since the Unix epoch.
    pub issued_at: i64,
    /// Seconds since the Unix epoch.
    pub not_before: i64,
    /// Seconds since the Unix epoch; from this second on the key is expired.
    pub expires_at: i64,
}

impl Licence {
    /// What it opens: the tier's features and those it names (licensing 4).
    pub fn effective_features(&self) -> BTreeSet<Feature> {
        let of_tier = Feature::ALL.iter().copied().filter(|feature| feature.lowest_tier() <= self.tier);
        let named = self.features.iter().filter_map(|name| Feature::from_key(name));
        of_tier.chain(named).collect()
    }

    /// Names it carries that this version does not know; they open nothing.
    pub fn unrecognised(&self) -> Vec<&str> {
        let unknown = |name: &&str| Feature::from_key(name).is_none();
        self.features.iter().map(String::as_str).filter(unknown).collect()
    }

    /// Whether the key counts at `now` (licensing 11).
    ///
    /// # Errors
    /// [`LicenceError::NotYetValid`], [`LicenceError::Expired`].
    pub fn check_time(&self, now: i64) -> Result<(), LicenceError> {
        if now >= self.expires_at {
            return Err(LicenceError::Expired);
        }
        if now < self.not_before - NOT_BEFORE_LEEWAY {
            return Err(LicenceError::NotYetValid);
        }
        Ok(())
    }
}

/// When a key is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Seconds since the Unix epoch: the time window counts.
    At(i64),
    /// The time window does not matter: for keys that are shown, not used.
    Any,
}

/// Takes white space and line breaks out of pasted text, and tells an activation token from a key.
///
/// # Errors
/// [`LicenceError::LooksLikeActivationToken`], [`LicenceError::Malformed`] for nothing and for too much.
pub fn normalise(pasted: &str) -> Result<String, LicenceError> {
    let invisible = |c: &char| !c.is_whitespace() && !matches!(c, '\u{feff}' | '\u{200b}');
    let text: String = pasted.chars().filter(invisible).collect();
    if text.starts_with(crate::activation::PREFIX) {
        return Err(LicenceError::LooksLikeActivationToken);
    }
    if text.is_empty() || text.len() > MAX_KEY_BYTES {
        return Err(LicenceError::Malformed);
    }
    Ok(text)
}

/// Reads and verifies a key: shape, signature, type, issuer, audience, time window, tier, required claims, in this order
/// (licensing 7). Whose it is and whether it is revoked is for the caller to ask.
///
/// # Errors
/// The first [`LicenceError`].
pub fn read_licence(token: &str, key: &Verifier, moment: Moment) -> Result<Licence, LicenceError> {
    let claims = jws::verify(token, key, MAX_KEY_BYTES)?;
    of_claims(&claims, moment)
}

/// The licence that claims describe, whoever signed them. For looking at keys only.
///
/// # Errors
/// As [`read_licence`], without those about signatures.
pub fn of_claims(claims: &Map<String, Value>, moment: Moment) -> Result<Licence, LicenceError> {
    check_origin(claims, AUDIENCE)?;
    let time = |name: &str| claims.get(name).map(second).transpose();
    let issued_at = time("iat")?.ok_or(LicenceError::Malformed)?;
    let expires_at = time("exp")?.ok_or(LicenceError::Malformed)?;
    let window = Licence {
        jti: String::new(),
        organisation_id: String::new(),
        tier: Tier::Community,
        features: Vec::new(),
        max_hosts: None,
        customer: Customer { name: String::new(), email: String::new() },
        issued_at,
        not_before: time("nbf")?.unwrap_or(issued_at),
        expires_at,
    };
    if let Moment::At(now) = moment {
        window.check_time(now)?;
    }
    let tier = claims.get("tier").and_then(Value::as_str).and_then(Tier::parse);
    Ok(Licence {
        tier: tier.filter(|tier| *tier != Tier::Community).ok_or(LicenceError::BadTier)?,
        jti: text(claims.get("jti")).ok_or(LicenceError::MissingJti)?,
        customer: customer(claims.get("customer")).ok_or(LicenceError::MissingCustomer)?,
        max_hosts: claims.get("maxHosts").map(capacity).transpose()?,
        features: claims.get("features").map_or(Ok(Vec::new()), features)?,
        organisation_id: text(claims.get("sub")).ok_or(LicenceError::WrongOrganisation)?,
        ..window
    })
}

pub(crate) fn check_origin(claims: &Map<String, Value>, audience: &str) -> Result<(), LicenceError> {
    let says = |name: &str, wanted: &str| claims.get(name).and_then(Value::as_str) == Some(wanted);
    if !says("iss", ISSUER) {
        return Err(LicenceError::BadIssuer);
    }
    if !says("aud", audience) {
        return Err(LicenceError::BadAudience);
    }
    Ok(())
}

/// A moment as a whole number of seconds; nothing else, also not the same with a decimal point.
pub(crate) fn second(value: &Value) -> Result<i64, LicenceError> {
    let second = value.as_i64().filter(|second| (0..=LAST_SECOND).contains(second));
    second.ok_or(LicenceError::Malformed)
}

/// Text with something in it, without control characters.
pub(crate) fn text(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?;
    let fits =
        !text.trim().is_empty() && text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

fn customer(value: Option<&Value>) -> Option<Customer> {
    let members = value?.as_object()?;
    Some(Customer { name: text(members.get("name"))?, email: text(members.get("email"))? })
}

fn capacity(value: &Value) -> Result<u64, LicenceError> {
    let hosts = value.as_u64().filter(|hosts| (1..=MAX_HOSTS).contains(hosts));
    hosts.ok_or(LicenceError::BadCapacity)
}

fn features(value: &Value) -> Result<Vec<String>, LicenceError> {
    let items =
        value.as_array().filter(|items| items.len() <= MAX_FEATURES).ok_or(LicenceError::Malformed)?;
    let names: Option<Vec<String>> = items.iter().map(|item| text(Some(item))).collect();
    names.ok_or(LicenceError::Malformed)
}
