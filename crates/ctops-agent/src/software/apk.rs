//! Alpine's database of installed packages.

use std::io;
use std::path::Path;

use ctops_proto::agent::SoftwarePackage;

use super::Packages;
use super::database::each_record;

/// Where apk keeps what is installed.
pub(super) const INSTALLED: &str = "lib/apk/db/installed";

/// The installed packages of the machine at `root`.
pub(super) fn read(root: &Path) -> io::Result<Packages> {
    let mut packages = Packages::default();
    each_record(&root.join(INSTALLED), |record| {
        if let Some(package) = package(record) {
            packages.push(package);
        }
    })?;
    Ok(packages.finish())
}

/// Each line begins with a letter that says what follows.
fn package(record: &[String]) -> Option<SoftwarePackage> {
    let field = |name: char| {
        record.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::to_owned))
    };
    let (name, version) = (field('P')?, field('V')?);
    let release = version.rsplit_once("-r").map(|(_, release)| release.to_owned());
    Some(SoftwarePackage {
        architecture: field('A').unwrap_or_default(),
        publisher: field('m').unwrap_or_default(),
        source_name: field('o').unwrap_or_else(|| name.clone()),
        source_version: version.clone(),
        package_release: release.unwrap_or_default(),
        name,
        version,
        ..SoftwarePackage::default()
    })
}

/// Name and version of a package as apk prints it: `busybox-1.36.1-r29` is split at the last hyphen before a digit.
pub fn split(package: &str) -> Option<(&str, &str)> {
    let at = package
        .match_indices('-')
        .rfind(|(at, _)| package[at + 1..].starts_with(|c: char| c.is_ascii_digit()))?
        .0;
    Some((&package[..at], &package[at + 1..])).filter(|(name, _)| !name.is_empty())
}
