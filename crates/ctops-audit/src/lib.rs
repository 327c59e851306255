//! Area: the audit log. `ctops_slice::audit` writes events; everything else about them is here.
//!
//! - [`chain`]: seals events into the hash chain of their organisation, signs checkpoints, verifies.
//! - [`events`]: the list, one event with its neighbours, everybody's own sign-ins.
//! - [`exports`]: CSV, JSON Lines and CEF with a detached signature, and the check of such a file without a server.
//! - [`retention`]: how long events are kept, legal hold, pruning.
//! - [`forwarders`]: syslog and webhooks.
//!
//! Invariants:
//! - Nothing here changes or removes an event but pruning, which signs what it removed.
//! - An event gets its place in the chain after its transaction ended, never before: a place is never empty.
//! - Whoever reads in the order of the chain (exports, forwarders, verification) misses nothing, however late an event
//!   was committed.

pub mod chain;
pub mod event;
pub mod events;
pub mod exports;
pub mod forwarders;
pub mod retention;
mod timeout;

use std::sync::Arc;

use ctops_base::{Clock, Role};
use ctops_crypto::seal::InstallKey;
use ctops_egress::Egress;
use ctops_pg::Pool;
use ctops_slice::licence::Entitlements;
use ctops_slice::{Permission, Slice};

/// Roles that administer an organisation.
const ADMINISTRATORS: &[Role] = &[Role::OrgAdmin, Role::SuperAdmin];

/// See, filter and verify the audit log.
pub static AUDIT_READ: Permission =
    Permission { name: "audit.read", roles: ADMINISTRATORS, about: "See, filter and verify the audit log." };

/// Export the audit log.
pub static AUDIT_EXPORT: Permission =
    Permission { name: "audit.export", roles: ADMINISTRATORS, about: "Export the audit log." };

/// Retention, legal hold and forwarding.
pub static AUDIT_MANAGE: Permission = Permission {
    name: "audit.manage",
    roles: ADMINISTRATORS,
    about: "Set how long audit events are kept, put them on hold, and forward them.",
};

/// What the slice is made from.
#[derive(Clone)]
pub struct Deps {
    /// The database.
    pub pool: Pool,
    /// The time.
    pub clock: Clock,
    /// Signs checkpoints and exports, seals the secrets of forwarders.
    pub seal: Arc<InstallKey>,
    /// What organisations may use.
    pub entitlements: Arc<dyn Entitlements>,
    /// The way out.
    pub egress: Egress,
}

/// The slices of this area.
pub fn slices(deps: &Deps) -> Vec<Slice> {
    let slice = Slice::new("audit").permissions(&[&AUDIT_READ, &AUDIT_EXPORT, &AUDIT_MANAGE]);
    let slice = chain::extend(slice, deps);
    let slice = events::extend(slice);
    let slice = exports::extend(slice);
    let slice = retention::extend(slice, deps);
    vec![forwarders::extend(slice, deps)]
}
