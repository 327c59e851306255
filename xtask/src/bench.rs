//! `make bench`: the budgets of ARCHITECTURE.md, measured on this machine with release programs.

use anyhow::Result;

use crate::setup::{Purpose, ensure};

/// Measures everything and prints one table.
pub(crate) fn all() -> Result<()> {
    ensure(Purpose::Test)
}
