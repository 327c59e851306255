//! Area: the fleet. Enrolment tokens, agents with their certificates and leases, hosts with their vitals.

pub mod agents;
pub mod containers;
pub mod enrolment;
pub mod hosts;
pub mod queries;
pub mod software;
pub mod tasks;

use ctops_slice::Slice;

/// The slices of this area.
pub fn slices(deps: &agents::AgentDeps) -> Vec<Slice> {
    let (pool, clock) = (&deps.pool, &deps.clock);
    vec![
        enrolment::slice(),
        agents::slice(deps),
        containers::slice(pool, clock),
        hosts::slice(pool, clock),
        queries::slice(pool, clock),
        software::slice(pool, clock),
        tasks::slice(pool, clock),
    ]
}
