//! Area: what an organisation has bought, and where its connections may go.

pub mod egress_policy;
pub mod licences;

use ctops_slice::Slice;

pub use licences::{Deps, Licensing, VerifierTrust};

/// The slices of this area.
pub fn slices(deps: &Deps) -> Vec<Slice> {
    vec![licences::slice(deps), egress_policy::slice()]
}
