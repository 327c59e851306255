//! Area: LDAP directories.
//!
//! | Slice | What it does | Tables it writes |
//! |---|---|---|
//! | [`ldap_configurations`] | which directories there are, and how they are asked | `ldap_configurations` |
//! | [`ldap`] | sign-in with the account of a directory | none of its own |
//! | [`directory`] | looking people up, live | none |
//!
//! [`connection`] speaks to one server, [`directories`] chooses the server and bounds how many ask at once, [`groups`]
//! finds out what groups somebody is in. [`dn`], [`filter`], [`times`] and [`entry`] hold what the RFCs say about names,
//! filters, moments and values; they are pure.

mod connection;
mod directories;
pub mod directory;
mod dn;
mod entry;
mod filter;
mod groups;
mod ldap;
pub mod ldap_configurations;
mod times;

use std::sync::Arc;

use ctops_identity::reauthentication::Reauthenticate;
use ctops_slice::Slice;

/// What this area gives to the server.
pub struct Area {
    /// Its slices.
    pub slices: Vec<Slice>,
    /// How people of directories confirm that it is still them (auth 17).
    pub reauthenticate: Arc<dyn Reauthenticate>,
}

/// The slices of this area. They share who is at which directory.
pub fn area() -> Area {
    let directories = directories::Directories::default();
    let slices = vec![
        ldap_configurations::slice(),
        ldap::slice(directories.clone()),
        directory::slice(directories.clone()),
    ];
    Area { slices, reauthenticate: Arc::new(ldap::ByBind(directories)) }
}
