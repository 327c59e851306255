//! A package as an agent reports it, and as it is kept.

use chrono::{DateTime, Utc};
use ctops_base::text::clean;
use ctops_proto::agent::SoftwarePackage;

/// Longest name, bytes: what is unique must fit into an index entry.
const MAX_NAME_BYTES: usize = 512;
/// Longest version and every other short text, bytes.
const MAX_TEXT_BYTES: usize = 256;
/// Longest architecture and source, bytes.
const MAX_WORD_BYTES: usize = 32;
/// Source of packages whose agent does not name one, or not a usable one.
const OTHER: &str = "other";

/// One package, within the bounds of the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// Name, never empty.
    pub name: String,
    /// Version; empty when the source has none.
    pub version: String,
    /// Architecture; empty when the source has none (software-inventory 7).
    pub architecture: String,
    /// Maintainer or vendor.
    pub publisher: Option<String>,
    /// `ID` of os-release.
    pub distro_id: Option<String>,
    /// `VERSION_ID` of os-release.
    pub distro_version: Option<String>,
    /// `VERSION_CODENAME` of os-release.
    pub distro_codename: Option<String>,
    /// Source package.
    pub source_name: Option<String>,
    /// Its version.
    pub source_version: Option<String>,
    /// Epoch.
    pub epoch: Option<String>,
    /// Release.
    pub release: Option<String>,
    /// Repository it came from.
    pub repository: Option<String>,
    /// Origin of that repository.
    pub origin: Option<String>,
    /// When it was installed.
    pub install_date: Option<DateTime<Utc>>,
}

impl Package {
    /// Cleans and bounds what an agent sent; none without a name.
    pub fn from_wire(package: &SoftwarePackage) -> Option<Self> {
        let name = bounded(&package.name, MAX_NAME_BYTES);
        if name.is_empty() {
            return None;
        }
        let text = |text: &str| Some(bounded(text, MAX_TEXT_BYTES)).filter(|text| !text.is_empty());
        let installed = Some(package.install_date_unix).filter(|seconds| *seconds > 0);
        Some(Self {
            name,
            version: bounded(&package.version, MAX_TEXT_BYTES),
            architecture: bounded(&package.architecture, MAX_WORD_BYTES),
            publisher: text(&package.publisher),
            distro_id: text(&package.distro_id),
            distro_version: text(&package.distro_version_id),
            distro_codename: text(&package.distro_codename),
            source_name: text(&package.source_name),
            source_version: text(&package.source_version),
            epoch: text(&package.package_epoch),
            release: text(&package.package_release),
            repository: text(&package.repository),
            origin: text(&package.origin),
            install_date: installed
                .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
                .filter(is_plausible),
        })
    }
}

/// The name of a source in the form in which it is kept: `dpkg`, `rpm`, `snap` and so on. Names of newer agents are kept
/// when they are plain words, everything else is `other`.
pub fn source_name(text: &str) -> String {
    let word = text.trim().to_ascii_lowercase();
    let plain = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    if plain && (1..=MAX_WORD_BYTES).contains(&word.len()) { word } else { OTHER.to_owned() }
}

/// Clean text of at most `max` bytes, cut between characters.
fn bounded(text: &str, max: usize) -> String {
    let mut cleaned = clean(text, max);
    cleaned.truncate(cleaned.floor_char_boundary(max));
    cleaned
}

/// PostgreSQL and the API write years of four digits.
fn is_plausible(at: &DateTime<Utc>) -> bool {
    at.timestamp() < 253_402_300_800
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn wire(name: &str) -> SoftwarePackage {
        SoftwarePackage { name: name.to_owned(), ..SoftwarePackage::default() }
    }

    /// Spec: software-inventory 2
    #[test]
    fn package_of_full_metadata_keeps_all_of_it() {
        let package = Package::from_wire(&SoftwarePackage {
            version: "1:3.0.11-1~deb12u2".into(),
            architecture: "amd64".into(),
            publisher: "Debian OpenSSL Team".into(),
            install_date_unix: 1_700_000_000,
            distro_id: "debian".into(),
            distro_version_id: "12".into(),
            distro_codename: "bookworm".into(),
            source_name: "openssl-src".into(),
            source_version: "3.0.11".into(),
            package_epoch: "1".into(),
            package_release: "1~deb12u2".into(),
            repository: "main".into(),
            origin: "Debian".into(),
            ..wire("openssl")
        })
        .unwrap();
        assert_eq!(package.version, "1:3.0.11-1~deb12u2");
        assert_eq!(package.install_date, DateTime::from_timestamp(1_700_000_000, 0));
        let texts = [
            package.publisher,
            package.distro_id,
            package.distro_version,
            package.distro_codename,
            package.source_name,
            package.source_version,
            package.epoch,
            package.release,
            package.repository,
            package.origin,
        ];
        assert!(texts.iter().all(Option::is_some), "{texts:?}");
    }

    #[test]
    fn package_of_hostile_text_is_cleaned_and_cut_between_characters() {
        let package = Package::from_wire(&SoftwarePackage {
            version: "1\u{0}.2\u{202e}".into(),
            architecture: "ä".repeat(100),
            install_date_unix: i64::MAX,
            ..wire(&"ü".repeat(1000))
        })
        .unwrap();
        assert_eq!(package.name.len(), 512);
        assert_eq!((package.version.as_str(), package.architecture.len()), ("1.2", 32));
        assert_eq!((package.install_date, package.publisher), (None, None));
        assert_eq!(Package::from_wire(&wire(" \u{7} ")), None, "no name is no package");
    }

    /// Spec: software-inventory 1
    #[test]
    fn source_name_of_known_and_new_sources_is_kept_and_of_others_is_other() {
        for name in
            ["dpkg", "rpm", "pacman", "apk", "snap", "flatpak", "macapps", "homebrew", "winreg", "npm"]
        {
            assert_eq!(source_name(name), name);
        }
        assert_eq!(source_name(" DPKG "), "dpkg");
        for odd in ["", "  ", "a b", "x'--", "ä", &"x".repeat(33)] {
            assert_eq!(source_name(odd), "other", "{odd:?}");
        }
    }
}
