//! rpm's database, which is binary and read through rpm itself.

use std::time::Duration;

use ctops_base::text;
use ctops_proto::agent::SoftwarePackage;

use super::{MAX_CHARS, Packages};
use crate::work::program::Programs;

const CALL: Duration = Duration::from_secs(120);
/// Of the list, bytes: a package has 200.
const MAX_OUTPUT: usize = 32 * 1024 * 1024;
const FORMAT: &str =
    "%{NAME}\\t%{EPOCH}\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\t%{INSTALLTIME}\\t%{SOURCERPM}\\t%{VENDOR}\\n";
/// How rpm prints what a package does not have.
const NONE: &str = "(none)";

/// The installed packages.
pub(super) async fn read(programs: &Programs) -> Result<Packages, String> {
    let output = programs
        .output("rpm", &["-qa", "--qf", FORMAT], CALL, MAX_OUTPUT)
        .await
        .map_err(|error| error.to_string())?;
    if output.code != 0 || output.cut {
        let words = text::clean(output.stderr.lines().next().unwrap_or_default(), MAX_CHARS);
        return Err(format!("rpm ended with {} or said too much: {words}", output.code));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(package).collect())
}

fn package(line: &str) -> Option<SoftwarePackage> {
    let fields: Vec<&str> =
        line.splitn(8, '\t').map(|field| if field == NONE { "" } else { field }).collect();
    let [name, epoch, version, release, architecture, installed, source, vendor] = fields[..] else {
        return None;
    };
    // Keys that packages are verified with lie in the same database.
    if name.is_empty() || name == "gpg-pubkey" {
        return None;
    }
    let epoch = if epoch == "0" { "" } else { epoch };
    let prefix = if epoch.is_empty() { String::new() } else { format!("{epoch}:") };
    let (source_name, source_version) = source_of(source).unwrap_or_default();
    Some(SoftwarePackage {
        name: name.to_owned(),
        version: format!("{prefix}{version}-{release}"),
        architecture: architecture.to_owned(),
        publisher: vendor.to_owned(),
        install_date_unix: installed.parse().unwrap_or(0),
        source_name,
        source_version,
        package_epoch: epoch.to_owned(),
        package_release: release.to_owned(),
        ..SoftwarePackage::default()
    })
}

/// `bash-5.2.26-3.fc40.src.rpm`: name, then version and release.
fn source_of(file: &str) -> Option<(String, String)> {
    let bare = file.strip_suffix(".rpm")?;
    let bare = bare.strip_suffix(".src").or_else(|| bare.strip_suffix(".nosrc"))?;
    let (rest, release) = bare.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some((name.to_owned(), format!("{version}-{release}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    /// Spec: software-inventory 2
    #[test]
    fn line_of_rpm_when_read_then_every_field_is_in_its_place() {
        let line = "bash\t0\t5.2.26\t3.fc40\tx86_64\t1718000000\tbash-5.2.26-3.fc40.src.rpm\tFedora Project";
        let bash = package(line).unwrap();
        assert_eq!((bash.version.as_str(), bash.package_epoch.as_str()), ("5.2.26-3.fc40", ""));
        assert_eq!((bash.source_name.as_str(), bash.source_version.as_str()), ("bash", "5.2.26-3.fc40"));
        assert_eq!((bash.publisher.as_str(), bash.install_date_unix), ("Fedora Project", 1_718_000_000));
        let with_epoch = package("vim\t2\t9.1\t1\tx86_64\tsoon\t(none)\t(none)").unwrap();
        assert_eq!((with_epoch.version.as_str(), with_epoch.package_epoch.as_str()), ("2:9.1-1", "2"));
        assert_eq!((with_epoch.publisher.as_str(), with_epoch.install_date_unix), ("", 0));
        assert_eq!(package("gpg-pubkey\t(none)\ta\tb\t(none)\t1\t(none)\t(none)"), None);
        assert_eq!(package("warning: something"), None);
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_panic(line in "(\\PC{0,20}\t){0,9}\\PC{0,20}", source in "\\PC{0,30}(\\.src)?(\\.rpm)?") {
            let _ = package(&line);
            let _ = source_of(&source);
        }
    }
}
