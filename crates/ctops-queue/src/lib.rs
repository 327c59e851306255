//! Publish and consume: the queue contract, the embedded log and the consumer runner.
//!
//! - [`Queue`] and [`Subscription`] are the contract. It has the shape of a Kafka API broker (topics, keys, partitions,
//!   groups, offsets, assignment), and the embedded log serves it from local files with one partition per topic.
//! - [`log::Log`] is the embedded log of the `single` profile: acknowledged means on disk, a full log slows publishers.
//! - `kafka::KafkaQueue` (feature `kafka`) is the same on brokers that speak the Kafka API, for several processes.
//! - [`run_consumer`] applies batches to PostgreSQL with the offset in the same transaction, so that a crash neither
//!   loses nor doubles a record. It is the one place that turns failures into "done", "again later" or "parked".
//!
//! Offsets in the table `consumer_offsets` are authoritative. What a queue is told by [`Subscription::committed`] only
//! lets it drop what nobody needs any more.
//!
//! [`dead_letters`] shows what could not be applied and applies it again on request.
//!
//! [`transfer()`] moves what is not applied yet from one queue into another.
//!
//! Owns the tables `consumer_offsets` and `dead_letters`.

mod consumer;
pub mod dead_letters;
mod handler;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod log;
mod measure;
mod offsets;
mod queue;
mod topic;
mod transfer;

pub use consumer::run_consumer;
pub use handler::{Handler, HandlerError, Parked};
pub use measure::{describe_metrics, report_dead_letters};
pub use queue::{
    Batch, BatchLimits, Cause, Delivery, Health, Origin, Position, PublishError, Queue, QueueError, Record,
    Started, Subscription,
};
pub use topic::Topic;
pub use transfer::{TransferError, Transferred, transfer};
