//! Area: the fleet. Enrolment tokens, agents with their certificates and leases, hosts with their vitals.

pub mod agents;
pub mod bulk_delete;
pub mod containers;
pub mod deleted_hosts;
pub mod enrolment;
pub mod host_defaults;
pub mod host_groups;
pub mod host_keys;
pub mod hosts;
pub mod metrics;
pub mod queries;
pub mod releases;
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
        host_defaults::slice(pool),
        hosts::slice(),
        deleted_hosts::slice(deps),
        metrics::slice(pool, clock),
        queries::slice(pool, clock),
        releases::slice(deps),
        software::slice(pool, clock),
        tasks::slice(pool, clock),
        host_keys::slice(),
        host_groups::slice(),
    ]
}
