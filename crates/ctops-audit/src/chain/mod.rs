//! The hash chain: sealing, checkpoints, verification (audit-log 7).
//!
//! Owns `audit_chain` and `audit_checkpoints`, empties `audit_unsealed`. Jobs `audit_seal`, `audit_denied`,
//! `audit_checkpoints`.
//!
//! Writers of events take no lock of the chain. One job gives the events of ended transactions their places, in the
//! order of their time, every five seconds; an event that was committed late comes later in the chain than its time
//! says. What was written within the last seconds is not yet protected by the chain: they are the price for writers
//! that never wait for each other, and for a server that is quiet when nothing happens.

mod checkpoint;
mod http;
mod jobs;
mod seal;
mod store;
mod verify;

use ctops_slice::licence::Feature;
use ctops_slice::{Access, Slice};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::{AUDIT_READ, Deps};

pub use checkpoint::{Checkpoint, CheckpointKind, signing_key, write_daily};
pub use jobs::{CollectDenied, SealEvents, WriteCheckpoints};
pub use seal::seal_all;
pub use store::chains;
pub(crate) use store::{head, links_between, record_checkpoint};
pub use verify::{Break, Report, verify};

/// The chain of events that belong to no organisation.
pub const INSTALLATION_CHAIN: Uuid = Uuid::nil();

pub(crate) fn extend(slice: Slice, deps: &Deps) -> Slice {
    slice
        .operation(Access::Licensed(&AUDIT_READ, Feature::AuditLog), routes!(http::verify_audit_chain))
        .job(std::sync::Arc::new(SealEvents::new(deps)))
        .job(std::sync::Arc::new(CollectDenied::new(deps)))
        .job(std::sync::Arc::new(WriteCheckpoints::new(deps)))
}
