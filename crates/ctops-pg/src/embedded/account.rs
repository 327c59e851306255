//! The account that PostgreSQL runs as: PostgreSQL refuses to run as root.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Uid, User};

use super::error::EmbeddedError;

/// The account used when this process is root and none is configured: packages of PostgreSQL make it.
const DEFAULT_ACCOUNT: &str = "postgres";

/// The account that PostgreSQL runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    name: String,
    uid: u32,
    gid: u32,
    /// Whether this process is somebody else, which only root can be.
    switch: bool,
    /// The name of the account of this process, which connects to the server.
    current: String,
}

impl Account {
    /// As root: `configured`, else `postgres`. Otherwise: the account of this process.
    ///
    /// # Errors
    /// [`EmbeddedError::NoAccount`] when root has nobody to switch to, [`EmbeddedError::NotRoot`] when another
    /// account is configured and this process is not root.
    pub fn choose(configured: Option<&str>) -> Result<Self, EmbeddedError> {
        let current = Uid::effective();
        let current_name = name_of(current.as_raw());
        if !current.is_root() {
            return match configured.filter(|wanted| *wanted != current_name) {
                Some(wanted) => {
                    Err(EmbeddedError::NotRoot { wanted: wanted.to_owned(), current: current_name })
                }
                None => Ok(Self {
                    name: current_name.clone(),
                    uid: current.as_raw(),
                    gid: nix::unistd::Gid::effective().as_raw(),
                    switch: false,
                    current: current_name,
                }),
            };
        }
        let wanted = configured.unwrap_or(DEFAULT_ACCOUNT);
        let user = User::from_name(wanted).ok().flatten().filter(|user| !user.uid.is_root());
        let user = user.ok_or_else(|| EmbeddedError::NoAccount(wanted.to_owned()))?;
        Ok(Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            switch: true,
            current: current_name,
        })
    }

    /// The name of the account.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user id of the account.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The accounts that may connect to the server: that of this process and the server's own.
    pub(super) fn clients(&self) -> Vec<&str> {
        if self.switch { vec![&self.current, &self.name] } else { vec![&self.name] }
    }

    /// Makes `command` run as this account. Supplementary groups are dropped along with root.
    pub fn apply(&self, command: &mut Command) {
        if self.switch {
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// Gives `path` to this account.
    ///
    /// # Errors
    /// Those of the system.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        if self.switch { chown(path, Some(self.uid), Some(self.gid)) } else { Ok(()) }
    }

    /// Whether every directory on the way to `target` lets this account through. Only asked when root switches:
    /// otherwise the system refuses by itself. Access lists beyond the permission bits are not looked at.
    pub(super) fn check_reaches(&self, target: &Path) -> Result<(), EmbeddedError> {
        if !self.switch {
            return Ok(());
        }
        let target = target.canonicalize().map_err(EmbeddedError::io("find", target))?;
        let mut way: Vec<&Path> = target.ancestors().collect();
        way.reverse();
        for dir in way {
            let metadata = fs::metadata(dir).map_err(EmbeddedError::io("look at", dir))?;
            let needed = if metadata.uid() == self.uid {
                0o100
            } else if metadata.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            if metadata.mode() & needed == 0 {
                return Err(EmbeddedError::NotTraversable {
                    account: self.name.clone(),
                    dir: dir.to_owned(),
                    target: target.clone(),
                });
            }
        }
        Ok(())
    }

    /// Whether `dir` belongs to this account, as PostgreSQL demands of its data directory.
    pub(super) fn check_owns(&self, dir: &Path) -> Result<(), EmbeddedError> {
        let owner = fs::metadata(dir).map_err(EmbeddedError::io("look at", dir))?.uid();
        if owner == self.uid {
            return Ok(());
        }
        Err(EmbeddedError::Owner { dir: dir.to_owned(), owner: name_of(owner), account: self.name.clone() })
    }
}

/// The name of a user, or the number of one without a name.
fn name_of(uid: u32) -> String {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// An account without any right of its own.
    fn stranger() -> Account {
        Account {
            name: "stranger".to_owned(),
            uid: 4_000_000_001,
            gid: 4_000_000_001,
            switch: true,
            current: "root".to_owned(),
        }
    }

    #[test]
    fn choose_with_an_account_that_does_not_fit_is_refused() {
        let error = Account::choose(Some("no-such-account")).unwrap_err();
        match Uid::effective().is_root() {
            true => assert!(matches!(error, EmbeddedError::NoAccount(name) if name == "no-such-account")),
            false => assert!(matches!(error, EmbeddedError::NotRoot { .. })),
        }
    }

    #[test]
    fn choose_root_is_refused() {
        assert!(
            Uid::effective().is_root()
                == matches!(Account::choose(Some("root")), Err(EmbeddedError::NoAccount(_)))
        );
    }

    #[test]
    fn check_reaches_names_the_closed_directory() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (closed, target) = (root.path().join("closed"), root.path().join("closed/data"));
        fs::create_dir_all(&target).unwrap();
        assert!(stranger().check_reaches(&target).is_ok(), "everything is open");

        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        let error = stranger().check_reaches(&target).unwrap_err();
        let EmbeddedError::NotTraversable { dir, .. } = error else { panic!("unexpected {error}") };
        assert_eq!(dir, closed.canonicalize().unwrap());
    }

    #[test]
    fn check_owns_names_the_other_owner() {
        let root = tempfile::tempdir().unwrap();
        let error = stranger().check_owns(root.path()).unwrap_err();
        let me = name_of(Uid::effective().as_raw());
        assert!(matches!(&error, EmbeddedError::Owner { owner, .. } if *owner == me), "{error}");
    }
}
