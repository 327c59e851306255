//! Hosts: every machine that runs an agent, with what it is (facts), how it is (vitals) and whether it is there
//! (status).
//!
//! Owns `hosts`, `host_vitals`, `metric_samples`. Reads `agents`, `agent_leases`, `users`.
//! Consumes `metrics.raw` (group `metrics`) and `agent.status` (group `events`).
//! Sends `NOTIFY ctops_changes` with `vitals`, `status` and `hosts`; [`watch`] turns these into live views.
//!
//! Invariants:
//! - A row of `host_vitals` exists exactly while the host is not deleted. It carries everything the list sorts and
//!   filters by, so that lists and counts read this one narrow table.
//! - Vitals move forward only by the agent's clock, `last_seen_at` only by ours.
//! - Nothing writes `hosts` or `host_vitals` but this slice; the agents slice calls [`create`], [`reidentify`],
//!   [`set_status`] and [`soft_delete`]. Rows are locked in the order agents, vitals (by id), hosts.

mod model;
mod service;

pub use model::{HostIdentity, HostStatus, NewHost};
pub use service::{create, reidentify, set_status, soft_delete};
