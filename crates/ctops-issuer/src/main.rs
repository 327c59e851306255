//! `ct-ops-licence`: makes keys, reads activation tokens, mints, shows, verifies and revokes licences.

use std::process::ExitCode;

use clap::Parser;
use ctops_issuer::cli::{Cli, run};

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    match run(&Cli::parse(), chrono::Utc::now(), &mut out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
