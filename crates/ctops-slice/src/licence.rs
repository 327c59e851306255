//! What an organisation may use: tiers, feature keys, and the one question every gated action asks (licensing 4, 15).

use std::collections::BTreeSet;

use async_trait::async_trait;
use ctops_base::{Problem, ProblemKind};
use ctops_pg::Tx;
use uuid::Uuid;

use crate::state::Live;

pub use ctops_licence::{Feature, Tier};

/// What an organisation may use now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entitlement {
    /// Effective tier.
    pub tier: Tier,
    /// Effective features: those of the tier and those the key adds.
    pub features: BTreeSet<Feature>,
    /// Most approved hosts; none is no cap.
    pub max_hosts: Option<u64>,
}

impl Entitlement {
    /// What everybody has.
    pub fn community() -> Self {
        Self::default()
    }

    /// Everything that `tier` contains.
    pub fn of_tier(tier: Tier) -> Self {
        let contained = Feature::ALL.iter().copied().filter(|feature| feature.lowest_tier() <= tier);
        Self { tier, features: contained.collect(), max_hosts: None }
    }

    /// Whether a feature is open.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// Demands a feature (licensing 15).
    ///
    /// # Errors
    /// `feature_not_licensed` with `feature`, `current_tier` and `required_tier`.
    pub fn require(&self, feature: Feature) -> Result<(), Problem> {
        if self.has(feature) {
            return Ok(());
        }
        let required = feature.lowest_tier();
        let detail =
            format!("{} needs the {} tier or a licence that names it", feature.key(), required.title());
        Err(Problem::new(ProblemKind::Forbidden, "feature_not_licensed", detail)
            .with_member("feature", feature.key())
            .with_member("current_tier", self.tier.as_str())
            .with_member("required_tier", required.as_str()))
    }
}

/// Tells what organisations may use. Background work asks the same as routes do.
#[async_trait]
pub trait Entitlements: Send + Sync {
    /// What the organisation may use at this moment; at most a minute old.
    ///
    /// # Errors
    /// Only when the database cannot be asked.
    async fn of(&self, org_id: Uuid) -> Result<Entitlement, Problem>;

    /// Takes a seat for one more host inside the transaction that approves it: concurrent approvals in one organisation
    /// wait for each other here, so that the last seat is given once (licensing 13). Call it before the host counts. It
    /// writes nothing: whoever is refused records that, after the end of a transaction that is rolled back.
    ///
    /// # Errors
    /// `host_limit_reached` when all seats are taken; `internal`.
    async fn take_seat(&self, tx: &mut Tx<'_>, org_id: Uuid) -> Result<(), Problem>;
}

/// Code of the refusal of [`Entitlements::take_seat`].
pub const HOST_LIMIT_REACHED: &str = "host_limit_reached";

/// The refusal of [`Entitlements::take_seat`].
pub fn host_limit_reached(limit: u64) -> Problem {
    let detail =
        format!("the licence covers {limit} hosts, and all are taken; remove a host or extend the licence");
    Problem::new(ProblemKind::Conflict, HOST_LIMIT_REACHED, detail)
}

/// The same entitlement for every organisation, without any key: what tests set, and what tools run with that have no
/// licences. Clones share it. Seats are not counted.
#[derive(Clone, Debug, Default)]
pub struct GivenEntitlements(Live<Entitlement>);

impl GivenEntitlements {
    /// Everybody has this.
    pub fn new(entitlement: Entitlement) -> Self {
        Self(entitlement.into())
    }

    /// Everybody has everything of a tier.
    pub fn tier(tier: Tier) -> Self {
        Self::new(Entitlement::of_tier(tier))
    }

    /// From now on everybody has this.
    pub fn set(&self, entitlement: Entitlement) {
        self.0.set(entitlement);
    }
}

#[async_trait]
impl Entitlements for GivenEntitlements {
    async fn of(&self, _: Uuid) -> Result<Entitlement, Problem> {
        Ok(self.0.get())
    }

    async fn take_seat(&self, _: &mut Tx<'_>, _: Uuid) -> Result<(), Problem> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Spec: licensing 4
    #[test]
    fn each_tier_contains_the_cheaper_ones() {
        let of = |tier| Entitlement::of_tier(tier).features;
        assert!(of(Tier::Community).is_empty());
        assert_eq!((of(Tier::Pro).len(), of(Tier::Enterprise).len()), (13, 19));
        assert!(of(Tier::Pro).is_subset(&of(Tier::Enterprise)));
    }

    /// Spec: licensing 15
    #[test]
    fn require_without_the_feature_names_it_and_both_tiers() {
        assert!(Entitlement::of_tier(Tier::Pro).require(Feature::AuditLog).is_ok());
        let problem = Entitlement::of_tier(Tier::Pro).require(Feature::SsoSaml).unwrap_err();
        assert_eq!((problem.kind(), problem.code()), (ProblemKind::Forbidden, "feature_not_licensed"));
        assert_eq!(
            problem.members(),
            [
                ("feature", "ssoSaml".to_owned()),
                ("current_tier", "pro".into()),
                ("required_tier", "enterprise".into())
            ]
        );
    }

    #[tokio::test]
    async fn given_entitlements_change_for_all_clones() {
        let given = GivenEntitlements::default();
        let other = given.clone();
        assert_eq!(other.of(Uuid::nil()).await.unwrap(), Entitlement::community());
        given.set(Entitlement::of_tier(Tier::Enterprise));
        assert!(other.of(Uuid::nil()).await.unwrap().has(Feature::WhiteLabel));
    }
}
