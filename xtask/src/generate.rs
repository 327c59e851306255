//! Generated files: written by the tests that also compare them, so that there is one way to make each.

use anyhow::{Context, Result};

use crate::process::{command, output, run};
use crate::setup::{Purpose, ensure};
use crate::{root, web};

/// Rewrites every generated file.
pub(crate) fn all() -> Result<()> {
    ensure(Purpose::Test)?;
    let bless = |package: &str, test: &str| {
        let args = ["test", "--locked", "--quiet", "-p", package, test];
        run(command(&root(), "cargo", &args).env("CT_OPS_BLESS", "1"))
    };
    bless("ctops-pg", "schema_in_the_repository")?;
    bless("ctops-server", "committed")?;
    let ct_ops = |args: &[&str]| {
        let mut words = vec!["run", "--locked", "--quiet", "-p", "ctops-server", "--bin", "ct-ops", "--"];
        words.extend(args);
        output(&mut command(&root(), "cargo", &words))
    };
    for (args, path) in [
        (["config", "reference"], "docs/reference/settings.md"),
        (["config", "example"], "deploy/.env.example"),
    ] {
        std::fs::write(root().join(path), ct_ops(&args)? + "\n").context(path)?;
    }
    web::install()?;
    run(&mut web::npm(&["run", "--silent", "generate"])?)
}
