//! The browser UI: packages, build, and its own checks.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{command, run};
use crate::root;
use crate::setup::node_dir;

/// `npm` in `web/`, with the right Node.js first on the path.
pub(crate) fn npm(args: &[&str]) -> Result<Command> {
    let node = node_dir().context("Node.js is missing; run `cargo xtask setup`")?;
    let mut command = command(&web(), &node.join("npm").to_string_lossy(), args);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", node.display()));
    Ok(command)
}

/// Installs the packages when the lock file changed since the last time.
pub(crate) fn install() -> Result<()> {
    let stamp = web().join("node_modules/.lock-installed");
    let lock = std::fs::read(web().join("package-lock.json")).context("web/package-lock.json")?;
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run(&mut npm(&["ci", "--no-audit", "--no-fund", "--loglevel=error"])?)?;
    std::fs::write(stamp, lock).context("marking the packages as installed")
}

/// Builds `web/dist` when a source is newer than the last build.
pub(crate) fn build() -> Result<()> {
    install()?;
    let built = modified(&web().join("dist/index.html"));
    let newest = ["src", "public", "index.html", "package-lock.json", "vite.config.ts"]
        .iter()
        .filter_map(|name| newest_below(&web().join(name)))
        .max();
    if built.is_some() && built > newest {
        return Ok(());
    }
    run(&mut npm(&["run", "--silent", "build"])?)
}

/// The generated API types must be those of the committed API document.
fn check_generated() -> Result<()> {
    let fresh = root().join(".cache/schema.gen.ts");
    std::fs::create_dir_all(root().join(".cache"))?;
    let target = fresh.to_string_lossy().into_owned();
    run(&mut npm(&["exec", "--", "openapi-typescript", "../api/openapi.json", "-o", &target])?)?;
    if std::fs::read(&fresh)? != std::fs::read(web().join("src/api/schema.gen.ts"))? {
        bail!("web/src/api/schema.gen.ts is out of date; run `cargo xtask generate`");
    }
    Ok(())
}

/// Generated types, lint, types and component tests.
pub(crate) fn check() -> Result<()> {
    install()?;
    check_generated()?;
    run(&mut npm(&["run", "--silent", "lint"])?)?;
    run(&mut npm(&["run", "--silent", "typecheck"])?)?;
    run(&mut npm(&["run", "--silent", "test"])?)
}

/// Lint and types only.
pub(crate) fn lint() -> Result<()> {
    install()?;
    run(&mut npm(&["run", "--silent", "lint"])?)?;
    run(&mut npm(&["run", "--silent", "typecheck"])?)
}

fn web() -> PathBuf {
    root().join("web")
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    path.metadata().ok()?.modified().ok()
}

fn newest_below(path: &Path) -> Option<std::time::SystemTime> {
    if !path.is_dir() {
        return modified(path);
    }
    let entries = std::fs::read_dir(path).ok()?;
    entries.filter_map(|entry| newest_below(&entry.ok()?.path())).max()
}
