//! What a licence key is made from.

use anyhow::{Result, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use ctops_licence::licence::{MAX_HOSTS, of_claims};
use ctops_licence::{AUDIENCE, ActivationToken, Feature, ISSUER, Moment, Tier};
use serde_json::{Value, json};
use uuid::Uuid;

/// Longest term without `--force`, days: three years with a leap day.
pub const MAX_DAYS: i64 = 1096;

/// An order.
#[derive(Clone, Debug)]
pub struct Order {
    /// Organisation.
    pub organisation_id: String,
    /// Pro or Enterprise.
    pub tier: Tier,
    /// Further features.
    pub features: Vec<String>,
    /// Cap on hosts.
    pub max_hosts: Option<u64>,
    /// Term.
    pub days: i64,
    /// Buyer.
    pub customer_name: String,
    /// Technical contact.
    pub customer_email: String,
    /// Allow a term over [`MAX_DAYS`].
    pub force: bool,
    /// Allow features this version does not know.
    pub allow_unknown: bool,
}

/// The organisation that a token names, when it is fresh enough (licensing 6).
///
/// # Errors
/// Why the token is refused, in its own words.
pub fn organisation_of(token: &str, now: DateTime<Utc>) -> Result<ActivationToken> {
    let token = ActivationToken::decode(token)?;
    token.check_age(now)?;
    Ok(token)
}

/// The claims of the key for an order (licensing 2, 3, 23).
///
/// # Errors
/// For terms, features and caps that are not allowed.
pub fn claims(order: &Order, now: DateTime<Utc>) -> Result<Value> {
    ensure!(order.tier != Tier::Community, "community needs no licence; tiers are pro and enterprise");
    ensure!(order.days >= 1, "the term is at least one day");
    if order.days > MAX_DAYS && !order.force {
        bail!("a term of {} days is longer than {MAX_DAYS}; use --force if that is meant", order.days);
    }
    let unknown: Vec<&str> =
        order.features.iter().map(String::as_str).filter(|name| Feature::from_key(name).is_none()).collect();
    if !unknown.is_empty() && !order.allow_unknown {
        bail!("unknown features: {}; use --allow-unknown if that is meant", unknown.join(", "));
    }
    ensure!(
        order.max_hosts.is_none_or(|hosts| (1..=MAX_HOSTS).contains(&hosts)),
        "the cap is at least one host"
    );
    let term = TimeDelta::try_days(order.days).and_then(|term| now.checked_add_signed(term));
    let Some(ends) = term else { bail!("a term of {} days never ends", order.days) };
    let mut claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": order.organisation_id,
        "jti": Uuid::now_v7().to_string(),
        "iat": now.timestamp(),
        "nbf": now.timestamp(),
        "exp": ends.timestamp(),
        "tier": order.tier.as_str(),
        "features": order.features,
        "customer": {"name": order.customer_name, "email": order.customer_email},
    });
    if let Some(hosts) = order.max_hosts {
        claims["maxHosts"] = json!(hosts);
    }
    // What no installation would accept is not minted.
    if let Some(members) = claims.as_object() {
        of_claims(members, Moment::At(now.timestamp()))?;
    }
    Ok(claims)
}
