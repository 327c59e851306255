//! The `ct-ops` program: composes the slices into one server and offers the operator's tools.
//!
//! - [`settings`]: what can be set, and the only place that reads the environment.
//! - [`composition`]: slices and state put together; the API document comes from here.
//! - [`roles`]: what one process runs; [`serve`]: that process, start to clean stop.
//! - [`assembly`]: what every role needs; [`queue`], [`queue_claim`], [`certificates`], [`jobs`], [`measure`]: parts of it.
//! - [`web`]: the HTTPS listener, the UI, the documentation, health.
//! - [`web_pin`]: tells agents which certificate the web server shows.
//! - [`tls`], [`install_key`]: certificates and keys that the server makes for itself.
//! - [`outgoing`]: what the outbound client may reach.
//! - [`dead_letters`]: the slice that shows and replays what consumers could not apply.
//! - [`doctor`]: looks at everything the server depends on.
//! - [`migrate_profile`]: moves an installation from one queue to the other.
//! - [`admin`]: commands for the operator on the server's machine.

pub mod admin;
pub mod admin_people;
pub mod assembly;
pub mod audit;
pub mod certificates;
pub mod composition;
pub mod dead_letters;
pub mod doctor;
pub mod facts;
pub mod install_key;
pub mod jobs;
pub mod measure;
pub mod migrate_profile;
pub mod outgoing;
pub mod queue;
pub mod queue_claim;
mod registry;
pub mod release;
pub mod roles;
pub mod serve;
pub mod settings;
pub mod storage;
pub mod tls;
pub mod web;
pub mod web_pin;
