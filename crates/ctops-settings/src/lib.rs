//! Area: settings. The pages of settings that slices declare, feature flags, personal preferences, mail to people, and
//! the health of the whole system.

pub mod feature_flags;
pub mod mail;
pub mod preferences;
pub mod settings;
pub mod system;

use std::sync::Arc;

use ctops_base::Clock;
use ctops_crypto::seal::InstallKey;
use ctops_egress::Egress;
use ctops_pg::Pool;
use ctops_slice::settings::{Overrides, PageInfo};
use ctops_slice::{Permission, Slice};

/// What the slices of this area are made from.
#[derive(Clone)]
pub struct Deps {
    /// The database.
    pub pool: Pool,
    /// The time.
    pub clock: Clock,
    /// Seals what must not be readable in the database.
    pub seal: Arc<InstallKey>,
    /// The way to mail relays.
    pub egress: Egress,
    /// What the environment fixes.
    pub overrides: Arc<Overrides>,
    /// The relay that the environment names, if any.
    pub relay: Option<mail::EnvironmentRelay>,
    /// Name of this server in its greeting to mail relays and in the ids of mails.
    pub server_name: String,
    /// What only the process knows about its health.
    pub facts: Arc<dyn system::ServerFacts>,
}

/// The permissions that the slices of this area declare, for those who are built before them.
pub static PERMISSIONS: [&Permission; 2] = [&mail::MAIL_PENDING, &system::SYSTEM_READ];

/// The slices of this area. `pages` are the pages of settings that slices of other areas declare.
pub fn slices(deps: &Deps, pages: impl IntoIterator<Item = PageInfo>) -> Vec<Slice> {
    let mail = mail::slice(deps);
    let own = mail.settings_pages().iter().copied().chain(settings::own_pages());
    let pages = settings::Pages::new(own.chain(pages), Arc::clone(&deps.overrides));
    vec![
        settings::slice(&pages),
        feature_flags::slice(),
        preferences::slice(),
        mail,
        system::slice(deps, &pages),
    ]
}
