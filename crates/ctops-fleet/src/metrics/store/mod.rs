//! All SQL of metrics.
//!
//! - `write`: samples of the consumer, one statement per table and batch.
//! - `roll`: aggregates.
//! - `read`: charts, gaps, offline periods.
//! - `keep`: retention and what the settings page shows.
//! - `timescale`: hypertables, continuous aggregates.
//!
//! Names of tables and columns come from the catalogue and are never input.

pub(super) mod keep;
pub(super) mod read;
pub(super) mod roll;
pub(super) mod timescale;
pub(super) mod write;

/// Buckets of every width are counted from here.
const EPOCH: &str = "'1970-01-01 00:00:00+00'::timestamptz";
