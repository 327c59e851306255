//! The edge where agents arrive: gRPC over mutual TLS on one port (`agent.v1.IngestService`).
//!
//! ```text
//! TcpListener ─ tls ─ listener ─ rpc ─┬─ register   ─► ctops_fleet::agents
//!                                     ├─ renew      ─► ctops_fleet::agents
//!                                     └─ stream     ─► queue (metrics.raw, agent.status)
//! NOTIFY ─ signals ─► live streams, waiting registrations, revoked certificates
//! ```
//!
//! | Module | Does |
//! |---|---|
//! | [`tls`] | verifies client certificates, holds what can be exchanged while running |
//! | `listener` | accepts connections within limits and speaks HTTP/2 on them |
//! | `rpc` | refuses what is not authenticated, finds the method, bounds its messages |
//! | `register`, `renew` | the two unary calls |
//! | `releases` | programs for agents that update themselves |
//! | `stream` | one heartbeat stream: authenticate once, validate, publish, acknowledge |
//! | `validate` | what is accepted from a heartbeat: pure |
//! | `inventory`, `containers` | the two uploads; `bounded` counts what is in their messages |
//! | `signals` | hands notifications of the database to streams and waiting calls |
//! | `work` | asks features what they have for connected agents, and hands it to the streams |
//! | `node` | what all connections share; the node's lease |
//!
//! Invariants:
//! - `ok = true` is sent only after the report is durable in the queue, once per request, in order.
//! - A stream asks the database when it opens, never per heartbeat.
//! - Of several streams of one agent on this node only the newest lives, and only its end is announced.
//!
//! This crate owns no tables; SQL is in `ctops_fleet::agents`.

mod bounded;
mod codec;
mod containers;
mod inventory;
mod limits;
mod listener;
mod measure;
mod node;
mod register;
mod releases;
mod renew;
mod rpc;
mod signals;
mod status;
mod stream;
mod tasks;
pub mod tls;
mod validate;
mod work;

pub use limits::Limits;
pub use measure::describe_metrics;
pub use node::{Ingest, IngestError};
