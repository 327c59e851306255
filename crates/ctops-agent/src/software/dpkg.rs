//! dpkg's status file (deb-control(5)), and the dates of its file lists.

use std::fs;
use std::io;
use std::path::Path;

use ctops_proto::agent::SoftwarePackage;

use super::Packages;
use super::database::each_record;

/// Where dpkg keeps what is installed.
pub(super) const STATUS: &str = "var/lib/dpkg/status";
const LISTS: &str = "var/lib/dpkg/info";

/// The installed packages of the machine at `root`.
pub(super) fn read(root: &Path) -> io::Result<Packages> {
    let mut packages = Packages::default();
    let lists = root.join(LISTS);
    each_record(&root.join(STATUS), |record| {
        if let Some(mut package) = package(record) {
            let installed = installed_at(&lists, &package.name, &package.architecture);
            package.install_date_unix = installed.unwrap_or(0);
            packages.push(package);
        }
    })?;
    Ok(packages.finish())
}

fn package(record: &[String]) -> Option<SoftwarePackage> {
    let field = |name: &str| {
        let of = |line: &String| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        record.iter().find_map(of)
    };
    // Wanted, flag, state: packages that are removed keep their entry while their configuration lies around.
    if field("Status")?.split_whitespace().nth(2) != Some("installed") {
        return None;
    }
    let (name, version) = (field("Package")?, field("Version")?);
    // Without a source its package is its own; `source (version)` when the versions differ.
    let (source_name, source_version) = match field("Source") {
        None => (name.clone(), version.clone()),
        Some(source) => match source.split_once(" (") {
            Some((source, version)) => (source.to_owned(), version.trim_end_matches(')').to_owned()),
            None => (source, version.clone()),
        },
    };
    Some(SoftwarePackage {
        architecture: field("Architecture").unwrap_or_default(),
        publisher: field("Maintainer").unwrap_or_default(),
        origin: field("Origin").unwrap_or_default(),
        name,
        version,
        source_name,
        source_version,
        ..SoftwarePackage::default()
    })
}

/// dpkg writes the list of a package's files when it installs it.
fn installed_at(lists: &Path, name: &str, architecture: &str) -> Option<i64> {
    // The name is part of a path.
    if name.contains('/') || architecture.contains('/') {
        return None;
    }
    let metadata = fs::metadata(lists.join(format!("{name}.list")))
        .or_else(|_| fs::metadata(lists.join(format!("{name}:{architecture}.list"))))
        .ok()?;
    let age = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(age.as_secs()).ok()
}
