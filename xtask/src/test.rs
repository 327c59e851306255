//! `make test` and `make lint`: every check, cheapest first, with the time each stage took.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::process::{command, run};
use crate::setup::{Purpose, ensure, nextest, with_node};
use crate::{browser, docs_site, root, tidy, web};

/// Everything.
pub(crate) fn all() -> Result<()> {
    let mut times = Stages::default();
    times.stage("set-up", || ensure(Purpose::Test))?;
    times.stage("format", format)?;
    times.stage("tidy", tidy::check)?;
    times.stage("UI packages", web::install)?;
    times.stage("UI checks", web::check)?;
    times.stage("UI build", web::build)?;
    times.stage("documentation", docs_site::build)?;
    times.stage("clippy", clippy)?;
    times.stage("build", build_programs)?;
    times.stage("browser journeys", || browser::journeys(&[]))?;
    times.stage("tests", rust_tests)?;
    times.print();
    Ok(())
}

/// Format, clippy, structure rules and the UI's linters.
pub(crate) fn lint() -> Result<()> {
    ensure(Purpose::Test)?;
    format()?;
    tidy::check()?;
    web::lint()?;
    web::build()?;
    docs_site::build()?;
    clippy()
}

fn cargo(args: &[&str]) -> Command {
    command(&root(), "cargo", args)
}

fn format() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    run(&mut cargo(&[
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))
}

/// The programs that system tests and browser journeys start.
fn build_programs() -> Result<()> {
    run(&mut cargo(&["build", "--locked", "--workspace", "--all-targets", "--quiet"]))
}

fn rust_tests() -> Result<()> {
    let runner = nextest().context("cargo-nextest is missing; run `cargo xtask setup`")?;
    let mut command = command(
        &root(),
        &runner.to_string_lossy(),
        &["nextest", "run", "--locked", "--workspace", "--no-fail-fast"],
    );
    run(command.env("PATH", with_node()))
}

#[derive(Default)]
struct Stages(Vec<(&'static str, u64)>);

impl Stages {
    fn stage(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let result = work().with_context(|| format!("stage {name:?}"));
        self.0.push((name, start.elapsed().as_secs()));
        if result.is_err() {
            self.print();
        }
        result
    }

    fn print(&self) {
        eprintln!("\nstages:");
        for (name, seconds) in &self.0 {
            eprintln!("  {name:<18} {seconds:>5} s");
        }
    }
}
