//! The only outbound client whose targets people can choose (security 7 to 10).
//!
//! - [`Egress::connect`]: a TCP connection to a host that the organisation may reach, for protocols with a client of
//!   their own (LDAP, SMTP, syslog).
//! - [`Egress::https`]: one request and its bounded answer. Redirects are not followed.
//! - [`Egress::tls`]: TLS over such a connection.
//! - [`address`], [`policy`], [`target`]: what is never reached, what needs an entry, what an entry opens. Pure.
//!
//! Invariants:
//! - Every address of a name is checked before any is dialled, and the one that is dialled is one of those.
//! - What is never reached (loopback, link-local, metadata services and the like) no entry can open.

pub mod address;
mod client;
mod dial;
pub mod policy;
mod store;
pub mod target;
mod tls;

pub use client::{OutboundRequest, OutboundResponse};
pub use dial::{Egress, EgressError, EgressOptions, Resolver};
pub use policy::{Mode, Policy, Purpose, Refusal};
pub use store::load_policy;
pub use target::{Target, TargetError};
pub use tls::{TlsTrust, client_config};
