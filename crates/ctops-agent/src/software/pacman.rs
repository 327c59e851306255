//! pacman's local database: a directory per package with a file `desc` in it.

use std::fs;
use std::io;
use std::path::Path;

use ctops_proto::agent::SoftwarePackage;

use super::{MAX_PACKAGES, Packages};
use crate::files;

/// Where pacman keeps what is installed.
pub(super) const LOCAL: &str = "var/lib/pacman/local";
/// Largest description of a package, bytes.
const MAX_DESCRIPTION: u64 = 1024 * 1024;

/// The installed packages of the machine at `root`.
pub(super) fn read(root: &Path) -> io::Result<Packages> {
    let mut packages = Packages::default();
    for entry in fs::read_dir(root.join(LOCAL))?.take(MAX_PACKAGES) {
        let path = entry?.path().join("desc");
        // The file ALPM_DB_VERSION lies between the packages.
        match files::read(&path, MAX_DESCRIPTION) {
            Ok(content) => {
                if let Some(package) = package(&String::from_utf8_lossy(&content)) {
                    packages.push(package);
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(packages.finish())
}

/// `%NAME%`, then the value on the next line.
fn package(description: &str) -> Option<SoftwarePackage> {
    let field = |name: &str| {
        let mut lines = description.lines().skip_while(|line| line.trim() != name).skip(1);
        lines.next().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let (name, version) = (field("%NAME%")?, field("%VERSION%")?);
    let (epoch, rest) = version.split_once(':').unwrap_or(("", &version));
    let release = rest.rsplit_once('-').map_or("", |(_, release)| release);
    Some(SoftwarePackage {
        architecture: field("%ARCH%").unwrap_or_default(),
        publisher: field("%PACKAGER%").unwrap_or_default(),
        install_date_unix: field("%INSTALLDATE%").and_then(|date| date.parse().ok()).unwrap_or(0),
        source_name: field("%BASE%").unwrap_or_else(|| name.clone()),
        source_version: version.clone(),
        package_epoch: epoch.to_owned(),
        package_release: release.to_owned(),
        name,
        version,
        ..SoftwarePackage::default()
    })
}
