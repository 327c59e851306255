//! What a slice is, and everything a slice may use.
//!
//! - [`slice::Slice`]: the one object a slice hands to the server: routes, consumers, jobs, permissions.
//! - [`actor`]: who asks ([`actor::Actor`]) and what they may do ([`actor::Grant`]); [`scope`]: on which hosts.
//! - [`agents`]: how features send work to agents and hear from them.
//! - [`http`]: body, query and id extractors, and the only translation of [`ctops_base::Problem`] into HTTP.
//! - [`guard`]: request ids, sign-in, origin and anti-forgery checks, security headers, in one place.
//! - [`state::AppState`]: the pool, the clock, the event hub and the facts of this installation.
//! - [`settings`], [`flags`], [`mail`]: pages of settings, feature flags, mail to people.
//! - [`licence`]: what an organisation may use; [`ctops_egress`]: the way out of this network.
//! - [`time`]: how moments are written.
//! - [`throttle`], [`audit`], [`events`]: counters shared by all nodes, the audit trail, live views.

pub mod actor;
pub mod agents;
pub mod audit;
pub mod events;
pub mod flags;
pub mod guard;
pub mod http;
pub mod licence;
pub mod mail;
pub mod paging;
pub mod scope;
pub mod settings;
pub mod slice;
pub mod state;
pub mod throttle;
pub mod time;

pub use actor::{Access, Actor, Credential, CustomRights, Grant, Permission, Rights, SignInMethod, Standing};
pub use agents::{
    AgentEvents, AgentWork, Capabilities, ConnectedAgent, announce_work, announce_work_for_org,
};
pub use http::{ApiResult, JsonBody, PathId, QueryParams};
pub use licence::{Entitlement, Entitlements, Feature, Tier};
pub use scope::HostScope;
pub use slice::{Job, Slice};
pub use state::AppState;
pub use time::Timestamp;
