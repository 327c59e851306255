//! Versions that agents report with their facts.

mod store;
#[cfg(test)]
mod store_tests;

pub use store::record_versions;
