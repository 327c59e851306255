//! Where the PostgreSQL programs are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Account;
use super::error::EmbeddedError;

/// Where Debian and its relatives put the programs: `<this>/<major>/bin`.
const SYSTEM_ROOT: &str = "/usr/lib/postgresql";

/// A directory with PostgreSQL programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The directory that holds `postgres` and `initdb`.
    pub bin_dir: PathBuf,
    /// The major version, for instance 15.
    pub major: u32,
}

impl Installation {
    /// Finds the programs: in `configured`; else in `postgres/` or `postgres/bin/` beside this executable; else the
    /// system's. Of several system versions, the one that made the data (`wanted`) goes before the newest, so that
    /// installing a newer PostgreSQL does not stop a server whose data is of the older one.
    ///
    /// # Errors
    /// [`EmbeddedError::NotPrograms`] for a configured directory without programs, [`EmbeddedError::NoPrograms`] when
    /// nothing is found, [`EmbeddedError::Program`] when the version cannot be read.
    pub fn find(
        configured: Option<&Path>,
        wanted: Option<u32>,
        account: &Account,
    ) -> Result<Self, EmbeddedError> {
        let bin_dir = match configured {
            Some(dir) if holds_programs(dir) => dir.to_owned(),
            Some(dir) => return Err(EmbeddedError::NotPrograms(dir.to_owned())),
            None => search(&beside_executable(), Path::new(SYSTEM_ROOT), wanted)?,
        };
        account.check_reaches(&bin_dir)?;
        let major = major_of(&bin_dir)?;
        Ok(Self { bin_dir, major })
    }

    /// The path of one of the programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin_dir.join(name)
    }
}

/// `postgres/` and `postgres/bin/` beside the executable of this process.
fn beside_executable() -> Vec<PathBuf> {
    let exe = std::env::current_exe().ok();
    let folder = exe.as_deref().and_then(Path::parent).map(|dir| dir.join("postgres"));
    folder.map(|dir| vec![dir.join("bin"), dir]).unwrap_or_default()
}

fn holds_programs(dir: &Path) -> bool {
    dir.join("postgres").is_file() && dir.join("initdb").is_file()
}

fn search(beside: &[PathBuf], system: &Path, wanted: Option<u32>) -> Result<PathBuf, EmbeddedError> {
    if let Some(dir) = beside.iter().find(|dir| holds_programs(dir)) {
        return Ok(dir.clone());
    }
    let versions = fs::read_dir(system).into_iter().flatten().flatten();
    let versions = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let found: Vec<u32> =
        versions.filter(|v| holds_programs(&system.join(v.to_string()).join("bin"))).collect();
    let best = wanted.filter(|v| found.contains(v)).or_else(|| found.iter().max().copied());
    match best {
        Some(version) => Ok(system.join(version.to_string()).join("bin")),
        None => {
            let mut looked: Vec<String> = beside.iter().map(|dir| dir.display().to_string()).collect();
            looked.push(format!("{}/*/bin", system.display()));
            Err(EmbeddedError::NoPrograms { looked: looked.join(", ") })
        }
    }
}

fn major_of(bin_dir: &Path) -> Result<u32, EmbeddedError> {
    let program = bin_dir.join("postgres");
    let output = Command::new(&program)
        .arg("--version")
        .env_clear()
        .output()
        .map_err(EmbeddedError::io("run", &program))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_major(&text).ok_or_else(|| EmbeddedError::Program {
        program: "postgres",
        output: format!("`postgres --version` said {:?}", text.trim()),
    })
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` and `postgres (PostgreSQL) 19beta1` have the majors 15 and 19.
fn parse_major(text: &str) -> Option<u32> {
    let version = text.split_once("(PostgreSQL)")?.1.trim_start();
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn install(dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("postgres"), "").unwrap();
        fs::write(dir.join("initdb"), "").unwrap();
    }

    #[test]
    fn parse_major_reads_releases_and_betas_and_refuses_other_text() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(parse_major("mysqld 8.0"), None);
    }

    #[test]
    fn search_prefers_beside_then_the_wanted_version_then_the_newest() {
        let root = tempfile::tempdir().unwrap();
        let (beside, system) = (root.path().join("postgres"), root.path().join("system"));
        for version in ["9", "15", "16"] {
            install(&system.join(version).join("bin"));
        }
        fs::create_dir_all(system.join("17/bin")).unwrap();

        let find = |wanted| search(std::slice::from_ref(&beside), &system, wanted).unwrap();
        assert_eq!(find(None), system.join("16/bin"), "17 is empty, 9 is not newer than 16");
        assert_eq!(find(Some(15)), system.join("15/bin"));
        assert_eq!(find(Some(14)), system.join("16/bin"));
        install(&beside);
        assert_eq!(find(Some(15)), beside);
    }

    #[test]
    fn search_without_programs_says_where_it_looked_and_how_to_get_them() {
        let root = tempfile::tempdir().unwrap();
        let error = search(&[root.path().join("postgres")], root.path(), None).unwrap_err().to_string();
        assert!(error.contains("apt-get install postgresql"), "{error}");
        assert!(error.contains(&format!("{}/*/bin", root.path().display())), "{error}");
    }

    #[test]
    fn find_in_a_configured_directory_without_programs_names_it() {
        let root = tempfile::tempdir().unwrap();
        let account = Account::choose(None).unwrap();
        let error = Installation::find(Some(root.path()), None, &account).unwrap_err();
        assert!(matches!(&error, EmbeddedError::NotPrograms(dir) if dir == root.path()), "{error}");
    }
}
