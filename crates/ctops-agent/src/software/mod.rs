//! Software inventory (software-inventory 1, 2; wire contract 8): which packages are installed, read from the databases
//! of the package managers, and their way to the server.
//!
//! All managers that are present are read; the distribution's own is the primary one and comes first. Everything they
//! say is foreign text: bounded and cleaned.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ctops_base::text;
use ctops_proto::agent::SoftwarePackage;

use crate::collect::Sources;
use crate::files;
use crate::work::program::Programs;

pub mod apk;
mod database;
mod desktop;
mod dpkg;
#[cfg(test)]
mod hostile_tests;
mod packages;
mod pacman;
mod rpm;
mod stream;

use packages::MAX_CHARS;
pub use packages::Packages;
pub use stream::{SendError, send};

/// Packages of one source; no host comes near.
const MAX_PACKAGES: usize = 200_000;
/// Largest os-release, bytes.
const MAX_RELEASE: u64 = 64 * 1024;

/// Where packages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Debian and its kin.
    Dpkg,
    /// Fedora, SUSE and their kin.
    Rpm,
    /// Arch.
    Pacman,
    /// Alpine.
    Apk,
    /// Snap, on any distribution.
    Snap,
    /// Flatpak, on any distribution.
    Flatpak,
}

impl Source {
    /// As the wire has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dpkg => "dpkg",
            Self::Rpm => "rpm",
            Self::Pacman => "pacman",
            Self::Apk => "apk",
            Self::Snap => "snap",
            Self::Flatpak => "flatpak",
        }
    }
}

/// The machine to look at; another root and other programs let tests use recorded ones.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Where its file system begins.
    pub root: PathBuf,
    /// Its programs.
    pub programs: Programs,
}

/// What to look for beyond the distribution's packages (software-inventory 3).
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope {
    /// Snap packages.
    pub snap: bool,
    /// Flatpak applications.
    pub flatpak: bool,
}

/// What is installed on a machine.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The distribution, which is named with every package.
    distribution: Distribution,
    /// What was found, the primary source first.
    pub parts: Vec<(Source, Packages)>,
    /// Sources that could not be read; the server keeps what it knows of them.
    pub failed: Vec<(Source, String)>,
}

impl Inventory {
    /// Packages of all sources.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|(_, packages)| packages.len()).sum()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// At most `count` packages of one part, from position `start` on.
    fn slice(&self, part: usize, start: usize, count: usize) -> Vec<SoftwarePackage> {
        let Some((_, packages)) = self.parts.get(part) else { return Vec::new() };
        let described = |mut package| {
            self.distribution.describe(&mut package);
            package
        };
        packages.slice(start..start + count).map(described).collect()
    }
}

/// Why there is no inventory.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CollectError {
    /// None of the known package managers is there.
    #[error("no supported package manager found")]
    NoManager,
    /// The distribution's own packages cannot be read.
    #[error("{0}: {1}")]
    Failed(&'static str, String),
}

impl Machine {
    /// The machine whose `/etc` is that of `sources`.
    pub fn of(sources: &Sources, programs: Programs) -> Self {
        let root = sources.etc.parent().unwrap_or(Path::new("/")).to_owned();
        Self { root, programs }
    }

    /// Reads all managers that are present.
    ///
    /// # Errors
    /// When there is none, or the distribution's own cannot be read or lists nothing: an incomplete inventory would
    /// make packages look removed.
    pub async fn inventory(&self, scope: Scope) -> Result<Inventory, CollectError> {
        let distribution = Distribution::read(&self.root);
        let mut present: Vec<Source> = [Source::Dpkg, Source::Rpm, Source::Pacman, Source::Apk]
            .into_iter()
            .filter(|source| self.has(*source))
            .collect();
        let own = distribution.manager();
        // Stable, so without a known distribution the order above decides.
        present.sort_by_key(|source| Some(*source) != own);
        let mut inventory = Inventory { distribution, ..Inventory::default() };
        for source in present {
            let is_primary = inventory.parts.is_empty();
            match self.read(source).await {
                Ok(packages) if !packages.is_empty() => inventory.parts.push((source, packages)),
                // Another distribution's manager may be installed and manage nothing.
                Ok(_) if !is_primary || Some(source) != own => {}
                Ok(_) => return Err(CollectError::Failed(source.as_str(), "no packages listed".to_owned())),
                Err(error) if is_primary => return Err(CollectError::Failed(source.as_str(), error)),
                Err(error) => inventory.failed.push((source, error)),
            }
        }
        if inventory.parts.is_empty() {
            return Err(CollectError::NoManager);
        }
        for (wanted, source) in [(scope.snap, Source::Snap), (scope.flatpak, Source::Flatpak)] {
            if wanted && self.programs.find(source.as_str()).is_some() {
                match self.read(source).await {
                    Ok(packages) if packages.is_empty() => {}
                    Ok(packages) => inventory.parts.push((source, packages)),
                    Err(error) => inventory.failed.push((source, error)),
                }
            }
        }
        Ok(inventory)
    }

    /// Versions of the distribution's own packages by name and architecture.
    ///
    /// # Errors
    /// As [`Machine::inventory`].
    pub async fn versions(&self) -> Result<HashMap<(String, String), String>, CollectError> {
        let inventory = self.inventory(Scope::default()).await?;
        let packages = inventory.parts.into_iter().next().map(|(_, packages)| packages).unwrap_or_default();
        Ok(packages.iter().map(|package| ((package.name, package.architecture), package.version)).collect())
    }

    fn has(&self, source: Source) -> bool {
        match source {
            Source::Dpkg => self.root.join(dpkg::STATUS).is_file(),
            Source::Pacman => self.root.join(pacman::LOCAL).is_dir(),
            Source::Apk => self.root.join(apk::INSTALLED).is_file(),
            Source::Rpm => self.programs.find("rpm").is_some(),
            Source::Snap | Source::Flatpak => self.programs.find(source.as_str()).is_some(),
        }
    }

    async fn read(&self, source: Source) -> Result<Packages, String> {
        let root = self.root.clone();
        let from_files = |read: fn(&Path) -> std::io::Result<Packages>| async move {
            let read = tokio::task::spawn_blocking(move || read(&root)).await;
            read.map_err(|_| "reading ended unexpectedly".to_owned())?.map_err(|error| error.to_string())
        };
        match source {
            Source::Dpkg => from_files(dpkg::read).await,
            Source::Pacman => from_files(pacman::read).await,
            Source::Apk => from_files(apk::read).await,
            Source::Rpm => rpm::read(&self.programs).await,
            Source::Snap => desktop::snaps(&self.programs).await,
            Source::Flatpak => desktop::flatpaks(&self.programs).await,
        }
    }
}

/// What os-release(5) says about the distribution.
#[derive(Clone, Debug, Default)]
struct Distribution {
    id: String,
    version_id: String,
    codename: String,
    id_like: Vec<String>,
}

impl Distribution {
    fn read(root: &Path) -> Self {
        let content = files::read(&root.join("etc/os-release"), MAX_RELEASE)
            .or_else(|_| files::read(&root.join("usr/lib/os-release"), MAX_RELEASE))
            .unwrap_or_default();
        let content = String::from_utf8_lossy(&content).into_owned();
        let value = |key: &str| {
            let line = content.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
            text::clean(line.unwrap_or_default().trim_matches(['"', '\'']), MAX_CHARS)
        };
        Self {
            id: value("ID"),
            version_id: value("VERSION_ID"),
            codename: value("VERSION_CODENAME"),
            id_like: value("ID_LIKE").split_whitespace().take(8).map(str::to_owned).collect(),
        }
    }

    /// The distribution's own package manager.
    fn manager(&self) -> Option<Source> {
        std::iter::once(&self.id).chain(&self.id_like).find_map(|id| match id.as_str() {
            "debian" | "ubuntu" | "linuxmint" | "raspbian" => Some(Source::Dpkg),
            "fedora"
            | "rhel"
            | "centos"
            | "rocky"
            | "almalinux"
            | "ol"
            | "amzn"
            | "suse"
            | "opensuse"
            | "sles"
            | "opensuse-leap"
            | "opensuse-tumbleweed" => Some(Source::Rpm),
            "arch" | "archlinux" | "manjaro" => Some(Source::Pacman),
            "alpine" => Some(Source::Apk),
            _ => None,
        })
    }

    fn describe(&self, package: &mut SoftwarePackage) {
        package.distro_id.clone_from(&self.id);
        package.distro_version_id.clone_from(&self.version_id);
        package.distro_codename.clone_from(&self.codename);
        package.distro_id_like.clone_from(&self.id_like);
    }
}

#[cfg(test)]
mod tests;
