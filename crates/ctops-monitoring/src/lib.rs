//! Area: monitoring. Health checks that agents run.

pub mod checks;

use std::sync::Arc;

use ctops_base::Clock;
use ctops_crypto::seal::InstallKey;
use ctops_pg::Pool;
use ctops_slice::Slice;

/// What the slices of this area are made from.
#[derive(Clone)]
pub struct Deps {
    /// The database.
    pub pool: Pool,
    /// The time.
    pub clock: Clock,
    /// Seals what must not be readable in the database.
    pub install_key: Arc<InstallKey>,
}

/// The slices of this area.
pub fn slices(deps: &Deps) -> Vec<Slice> {
    vec![checks::slice(deps)]
}
