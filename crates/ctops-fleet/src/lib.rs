//! Area: the fleet. Enrolment tokens, agents with their certificates and leases, hosts with their vitals.

pub mod agents;
pub mod enrolment;
pub mod hosts;

use ctops_slice::Slice;

/// The slices of this area.
pub fn slices(deps: &agents::AgentDeps) -> Vec<Slice> {
    vec![enrolment::slice(), agents::slice(deps), hosts::slice(&deps.pool, &deps.clock)]
}
