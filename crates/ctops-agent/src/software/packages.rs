//! Packages in little memory: in their wire form, a quarter of what they take as values. A host has thousands.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use ctops_base::text;
use ctops_proto::agent::SoftwarePackage;
use prost::Message;

/// Longest value, characters.
pub(super) const MAX_CHARS: usize = 256;

/// Packages of one source, each name, version and architecture once: the original server cannot store a chunk with a
/// repetition (wire contract 8).
#[derive(Clone, Debug, Default)]
pub struct Packages {
    bytes: Vec<u8>,
    /// Where each package ends in `bytes`.
    ends: Vec<usize>,
    /// Hashes of what identifies a package; by chance two of 200,000 share one in a thousand million scans.
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Packages {
    /// Adds a package, cleaned. One without name or version, or one that is there already, is left out.
    pub(super) fn push(&mut self, package: SoftwarePackage) {
        let package = cleaned(package);
        if package.name.is_empty() || package.version.is_empty() {
            return;
        }
        let identity = (&package.name, &package.version, &package.architecture);
        if self.seen.insert(self.hasher.hash_one(identity)) {
            self.bytes.extend_from_slice(&package.encode_to_vec());
            self.ends.push(self.bytes.len());
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The packages at these positions, as far as there are any.
    pub fn slice(&self, range: Range<usize>) -> impl Iterator<Item = SoftwarePackage> + '_ {
        (range.start..range.end.min(self.len())).filter_map(|at| {
            let start = if at == 0 { 0 } else { self.ends[at - 1] };
            SoftwarePackage::decode(&self.bytes[start..self.ends[at]]).ok()
        })
    }

    /// All packages, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = SoftwarePackage> + '_ {
        self.slice(0..self.len())
    }

    /// Nothing more will be added.
    pub(super) fn finish(mut self) -> Self {
        self.seen = HashSet::new();
        self.bytes.shrink_to_fit();
        self
    }
}

impl FromIterator<SoftwarePackage> for Packages {
    fn from_iter<I: IntoIterator<Item = SoftwarePackage>>(packages: I) -> Self {
        let mut all = Self::default();
        packages.into_iter().for_each(|package| all.push(package));
        all.finish()
    }
}

fn cleaned(mut package: SoftwarePackage) -> SoftwarePackage {
    for value in [
        &mut package.name,
        &mut package.version,
        &mut package.architecture,
        &mut package.publisher,
        &mut package.source_name,
        &mut package.source_version,
        &mut package.package_epoch,
        &mut package.package_release,
        &mut package.repository,
        &mut package.origin,
    ] {
        *value = text::clean(value, MAX_CHARS);
    }
    package.install_date_unix = package.install_date_unix.max(0);
    package
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn package(name: &str, version: &str, architecture: &str) -> SoftwarePackage {
        let own = str::to_owned;
        SoftwarePackage {
            name: own(name),
            version: own(version),
            architecture: own(architecture),
            install_date_unix: -5,
            ..SoftwarePackage::default()
        }
    }

    /// Spec: software-inventory 7
    #[test]
    fn package_when_added_again_or_without_name_then_is_left_out() {
        let all = [
            ("a", "1", "x"),
            ("a", "1", "x"),
            ("a", "1", "y"),
            ("a", "2", "x"),
            ("", "1", "x"),
            ("b", "", "x"),
        ];
        let packages: Packages = all.into_iter().map(|(n, v, a)| package(n, v, a)).collect();
        let found: Vec<_> = packages.iter().map(|package| (package.version, package.architecture)).collect();
        assert_eq!(found, [("1", "x"), ("1", "y"), ("2", "x")].map(|(v, a)| (v.to_owned(), a.to_owned())));
        assert_eq!(packages.slice(1..9).count(), 2);
        assert_eq!(packages.iter().next().unwrap().install_date_unix, 0);
    }

    proptest! {
        #[test]
        fn any_package_comes_back_clean(name in "\\PC{1,400}|[a-z\\x00-\\x1f]{1,20}", version in "[0-9]{1,5}") {
            let packages: Packages = [package(&name, &version, "")].into_iter().collect();
            for package in packages.iter() {
                prop_assert_eq!(&package.name, &text::clean(&name, MAX_CHARS));
                prop_assert_eq!(&package.version, &version);
            }
        }
    }
}
