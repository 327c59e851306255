//! Area: the fleet. Enrolment tokens, agents with their certificates and leases, hosts with their vitals.

pub mod agents;
pub mod enrolment;
pub mod hosts;
