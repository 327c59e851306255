//! The programs that are measured.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::process::{command, run};
use crate::{docs_site, root, target_dir, web};

/// Where the built programs are.
pub(super) struct Programs {
    target: PathBuf,
}

impl Programs {
    /// Builds everything as it is shipped: the agent static and small, the rest with the release profile.
    pub(super) fn build() -> Result<Self> {
        web::build()?;
        docs_site::build()?;
        let cargo = |args: &[&str]| run(&mut command(&root(), "cargo", args));
        // As `make run` builds it.
        cargo(&["build", "--locked", "--release", "-p", "ctops-server", "-p", "ctops-agent"])?;
        let agent = ["rustc", "--locked", "--profile", "agent", "-p", "ctops-agent", "--bin", "ct-ops-agent"];
        // Packed relocations take a twentieth off the file.
        let link = ["--", "-C", "target-feature=+crt-static", "-C", "link-arg=-Wl,-z,pack-relative-relocs"];
        cargo(&[&agent[..], &link].concat())?;
        let tools =
            ["-p", "ctops-loadtest", "-p", "ctops-queue", "-p", "ctops-fleet", "--bins", "--examples"];
        cargo(&[&["build", "--locked", "--release"][..], &tools].concat())?;
        cargo(&["build", "--locked", "--release", "-p", "ctops-system", "--example", "command_latency"])?;
        let target = target_dir();
        Ok(Self { target })
    }

    pub(super) fn server(&self) -> PathBuf {
        self.target.join("release/ct-ops")
    }

    pub(super) fn load_test(&self) -> PathBuf {
        self.target.join("release/ct-ops-loadtest")
    }

    pub(super) fn agent(&self) -> PathBuf {
        self.target.join("agent/ct-ops-agent")
    }

    pub(super) fn example(&self, name: &str) -> PathBuf {
        self.target.join("release/examples").join(name)
    }
}

/// A path as an argument.
pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
