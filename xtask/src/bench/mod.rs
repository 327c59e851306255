//! `make bench`: the budgets, measured on this machine with release programs on loopback.
//!
//! `--quick` takes a few minutes less, prints the table and records nothing. Every other run writes
//! `docs/dev/bench/latest.json` and the table in `docs/dev/performance.md`.

mod fleet;
mod parts;
mod programs;
mod readings;
mod report;
mod site;

use anyhow::Result;

use crate::setup::{Purpose, ensure};
use programs::Programs;
use report::Report;
use site::Site;

/// How long things are watched.
pub(super) struct Scope {
    /// Shorter and not recorded.
    quick: bool,
    /// Simulated agents that are held at once.
    agents: u32,
    /// Simulated agents that come back at once.
    storm: u32,
    /// Sizes of the fleets that are compared. The largest is bounded by the open files that one process is often allowed.
    fleets: [u32; 3],
}

impl Scope {
    fn from_arguments() -> Self {
        let quick = std::env::args().skip(2).any(|argument| argument == "--quick");
        if quick {
            Self { quick, agents: 500, storm: 500, fleets: [100, 250, 500] }
        } else {
            Self { quick, agents: 2_000, storm: 10_000, fleets: [1_000, 10_000, 15_000] }
        }
    }

    /// Seconds of one measurement: the first value, or the second when it should be quick.
    fn seconds(&self, usual: u64, quick: u64) -> u64 {
        if self.quick { quick } else { usual }
    }
}

/// Measures everything and prints one table.
pub(crate) fn all() -> Result<()> {
    let scope = Scope::from_arguments();
    ensure(Purpose::Run)?;
    let programs = Programs::build()?;
    let mut report = Report::begin()?;
    parts::bundle(&mut report)?;
    parts::queue(&programs, &scope, &mut report)?;
    let mut site = Site::new(&programs)?;
    parts::cold_start(&mut site, &mut report)?;
    parts::agent(&site, &programs, &scope, &mut report)?;
    // Before the fleets whose hosts stay behind, which the database goes on tidying up for minutes.
    fleet::idle(&site, &scope, &mut report)?;
    fleet::held(&site, &scope, &mut report)?;
    fleet::storm(&mut site, &scope, &mut report)?;
    fleet::growth(&mut site, &scope, &mut report)?;
    fleet::throughput(&site, &scope, &mut report)?;
    parts::hosts_list(&site, &programs, &mut report)?;
    parts::charts(&site, &programs, &mut report)?;
    site.stop()?;
    parts::commands(&programs, &mut report)?;
    println!("\n{}", report.text());
    if !scope.quick {
        report.record()?;
    }
    Ok(())
}
