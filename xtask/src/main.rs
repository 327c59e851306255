//! `cargo xtask <command>`: set-up, run, test, checks, generated files and benchmarks. The Makefile names the daily ones.

mod bench;
mod browser;
mod docs_site;
mod generate;
mod process;
mod run;
mod setup;
mod test;
mod tidy;
mod web;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <command>

  run       set up what is missing, build, start the server and an agent on this machine
  stop      stop what `run` started
  test      set up what is missing and run every check and test
  lint      format, clippy, tidy and the UI's own linters
  bench     measure the budgets and print them
  clean     remove build results and what `run` keeps
  generate  rewrite the generated files (schema, API document, references, UI types)
  tidy      structure rules only
  browser   browser journeys only, all or those named (after `test` has built everything)
  setup     install what is missing only";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let result = match command.as_str() {
        "run" => run::start(),
        "stop" => run::stop(),
        "test" => test::all(),
        "lint" => test::lint(),
        "bench" => bench::all(),
        "clean" => run::clean(),
        "generate" => generate::all(),
        "tidy" => tidy::check(),
        "browser" => browser::journeys(&std::env::args().skip(2).collect::<Vec<_>>()),
        "setup" => setup::ensure(setup::Purpose::Test),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{command} failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Where cargo puts what it builds.
fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
