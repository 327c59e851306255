//! Databases of package managers as somebody who wants to do harm, or a failing disk, would write them.

#![allow(clippy::unwrap_used)]

use std::fs;

use super::*;
use proptest::prelude::*;

/// A directory with one file in it.
fn with(file: &str, content: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    dir
}

fn dpkg_of(content: &[u8]) -> Vec<SoftwarePackage> {
    dpkg::read(with(dpkg::STATUS, content).path()).unwrap().iter().collect()
}

fn apk_of(content: &[u8]) -> Vec<SoftwarePackage> {
    apk::read(with(apk::INSTALLED, content).path()).unwrap().iter().collect()
}

fn pacman_of(content: &[u8]) -> Vec<SoftwarePackage> {
    let dir = with("var/lib/pacman/local/package-1/desc", content);
    pacman::read(dir.path()).unwrap().iter().collect()
}

fn names(packages: &[SoftwarePackage]) -> Vec<&str> {
    packages.iter().map(|package| package.name.as_str()).collect()
}

const INSTALLED: &str = "Status: install ok installed\n";

/// Spec: software-inventory 2
#[test]
fn fields_of_dpkg_when_given_twice_then_the_first_counts() {
    let status =
        format!("Package: a\nPackage: b\nVersion: 1\nVersion: 2\n{INSTALLED}Status: deinstall ok none\n");
    let packages = dpkg_of(status.as_bytes());
    assert_eq!((names(&packages), packages[0].version.as_str()), (vec!["a"], "1"));
    let other = format!("Package: a\nVersion: 1\nStatus: deinstall ok none\n{INSTALLED}");
    assert!(dpkg_of(other.as_bytes()).is_empty());
}

/// Spec: software-inventory 2
#[test]
fn continuation_of_dpkg_when_it_looks_like_a_field_then_is_none() {
    let status =
        format!("Description: x\n Package: inner\n Version: 9\nPackage: outer\nVersion: 1\n{INSTALLED}");
    let packages = dpkg_of(status.as_bytes());
    assert_eq!((names(&packages), packages[0].version.as_str()), (vec!["outer"], "1"));
}

/// Spec: software-inventory 2
#[test]
fn entry_of_dpkg_when_it_is_incomplete_or_not_installed_then_is_left_out() {
    for entry in [
        "Package: a\nVersion: 1\n",
        "Package: a\nStatus: install ok installed\n",
        "Version: 1\nStatus: install ok installed\n",
        "Package:\nVersion: 1\nStatus: install ok installed\n",
        "Package: a\nVersion:  \nStatus: install ok installed\n",
        "Package: a\nVersion: 1\nStatus: installed\n",
        "Package: a\nVersion: 1\nStatus: install ok\n",
        "Package: a\nVersion: 1\nStatus: install ok half-installed\n",
        "Package: a\nVersion: 1\nStatus: deinstall ok config-files\n",
        "Package: a\nVersion: 1\nStatus: purge ok not-installed\n",
        "Package a\nVersion 1\nStatus install ok installed\n",
        "\u{1b}\u{1b}\n",
    ] {
        let status = format!("{entry}\nPackage: good\nVersion: 1\n{INSTALLED}");
        assert_eq!(names(&dpkg_of(status.as_bytes())), ["good"], "{entry:?}");
    }
}

#[test]
fn source_of_dpkg_when_damaged_then_is_taken_as_it_stands() {
    for (source, name, version) in [
        ("glibc (2.36-9)", "glibc", "2.36-9"),
        ("glibc (2.36-9", "glibc", "2.36-9"),
        ("glibc ()", "glibc", ""),
        ("glibc(2)", "glibc(2)", "1"),
        ("a (b (c", "a", "b (c"),
    ] {
        let status = format!("Package: p\nVersion: 1\nSource: {source}\n{INSTALLED}");
        let package = dpkg_of(status.as_bytes()).remove(0);
        assert_eq!(
            (package.source_name.as_str(), package.source_version.as_str()),
            (name, version),
            "{source:?}"
        );
    }
}

/// The dates of file lists are looked up by name: names must not lead elsewhere.
#[test]
fn name_of_dpkg_when_it_is_a_path_then_no_file_outside_is_looked_at() {
    for name in ["../../outside", "/etc/outside", "..", "a/../b"] {
        let status = format!("Package: {name}\nVersion: 1\nArchitecture: ../x\n{INSTALLED}");
        let dir = with(dpkg::STATUS, status.as_bytes());
        fs::write(dir.path().join("var/lib/outside.list"), "x").unwrap();
        fs::create_dir_all(dir.path().join("var/lib/dpkg/info")).unwrap();
        let package = dpkg::read(dir.path()).unwrap().iter().next().unwrap();
        assert_eq!(package.install_date_unix, 0, "{name}");
    }
}

/// Spec: software-inventory 2
#[test]
fn database_when_its_lines_end_like_those_of_dos_then_reads_the_same() {
    let status = format!("Package: a\nVersion: 1\n{INSTALLED}\nPackage: b\nVersion: 2\n{INSTALLED}");
    assert_eq!(dpkg_of(status.as_bytes()), dpkg_of(status.replace('\n', "\r\n").as_bytes()));
    let installed = "P:a\nV:1-r0\nA:x\n\nP:b\nV:2-r0\nA:x\n";
    assert_eq!(apk_of(installed.as_bytes()), apk_of(installed.replace('\n', "\r\n").as_bytes()));
    let desc = "%NAME%\na\n\n%VERSION%\n1-1\n";
    assert_eq!(pacman_of(desc.as_bytes()), pacman_of(desc.replace('\n', "\r\n").as_bytes()));
    assert_eq!(names(&pacman_of(desc.as_bytes())), ["a"]);
}

#[test]
fn text_when_it_is_no_utf8_then_the_rest_of_the_package_survives() {
    let mut status = b"Package: bad\xff\xfename\nMaintainer: J\xf6rg\nVersion: 1\n".to_vec();
    status.extend_from_slice(INSTALLED.as_bytes());
    let package = dpkg_of(&status).remove(0);
    assert_eq!(package.name, "bad\u{fffd}\u{fffd}name");
    assert_eq!(package.publisher, "J\u{fffd}rg");
    assert_eq!(names(&apk_of(b"P:\xc3\nV:1\n\nP:good\nV:1\n")), ["\u{fffd}", "good"]);
    assert_eq!(names(&pacman_of(b"%NAME%\n\xff\n%VERSION%\n1\n")), ["\u{fffd}"]);
}

#[test]
fn record_when_it_has_far_too_many_lines_then_the_first_ones_are_kept_and_the_next_record_is_read() {
    let mut status = format!("Package: a\nVersion: 1\n{INSTALLED}");
    status.push_str(&"Tag: x\n".repeat(10_000));
    status.push_str("Origin: beyond\n\n");
    status.push_str(&format!("Package: b\nVersion: 1\n{INSTALLED}"));
    let packages = dpkg_of(status.as_bytes());
    assert_eq!((names(&packages), packages[0].origin.as_str()), (vec!["a", "b"], ""));
}

#[test]
fn database_when_it_names_more_packages_than_a_host_can_have_then_is_refused() {
    let content = "P:a\nV:1\n\n".repeat(MAX_PACKAGES + 1);
    let error = apk::read(with(apk::INSTALLED, content.as_bytes()).path()).unwrap_err();
    assert!(error.to_string().contains(&MAX_PACKAGES.to_string()), "{error}");
}

/// Spec: software-inventory 2
#[test]
fn entry_of_apk_when_fields_are_missing_or_odd_then_is_left_out_or_has_defaults() {
    assert!(apk_of(b"P:a\n\nV:1\n\nP\nV\n\n:a\n:1\n\np:a\nv:1\n").is_empty(), "letters have a case");
    let package = apk_of(b"P:a\nV:1.2\nP:b\nV:2\n").remove(0);
    assert_eq!((package.name.as_str(), package.version.as_str()), ("a", "1.2"));
    assert_eq!((package.source_name.as_str(), package.package_release.as_str()), ("a", ""));
    let odd = apk_of(b"P:a\nV:-r\no:\n").remove(0);
    assert_eq!(
        (odd.version.as_str(), odd.package_release.as_str(), odd.source_name.as_str()),
        ("-r", "", "")
    );
}

/// Spec: software-inventory 2
#[test]
fn description_of_pacman_when_damaged_then_gives_no_package_or_defaults() {
    for bad in ["", "%NAME%", "%NAME%\n\n%VERSION%\n1\n", "%NAME%\na\n%VERSION%", "NAME\na\nVERSION\n1\n"] {
        assert!(pacman_of(bad.as_bytes()).is_empty(), "{bad:?}");
    }
    let at = |date: &str| {
        pacman_of(format!("%NAME%\na\n%VERSION%\n1\n%INSTALLDATE%\n{date}\n").as_bytes())[0].install_date_unix
    };
    for date in ["", "soon", "-5", "1e9", "99999999999999999999"] {
        assert_eq!(at(date), 0, "{date:?}");
    }
    assert_eq!(at("1718000000"), 1_718_000_000);
}

#[test]
fn database_of_pacman_when_a_package_is_a_directory_or_too_large_then_nothing_is_read_of_it() {
    let dir = with("var/lib/pacman/local/good-1/desc", b"%NAME%\ngood\n%VERSION%\n1\n");
    fs::create_dir_all(dir.path().join("var/lib/pacman/local/empty-1")).unwrap();
    assert_eq!(pacman::read(dir.path()).unwrap().len(), 1);
    let large = vec![b'x'; 2 * 1024 * 1024];
    fs::write(dir.path().join("var/lib/pacman/local/good-1/desc"), large).unwrap();
    assert!(pacman::read(dir.path()).is_err(), "half an inventory would be taken for the whole");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever the disk holds, what comes out can be sent and stored.
    #[test]
    fn any_bytes_give_bounded_and_clean_packages(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), marked: bool) {
        let mut content = if marked { b"Status: install ok installed\nPackage: a\nVersion: 1\nP:a\nV:1\n".to_vec() } else { Vec::new() };
        content.extend(bytes);
        for packages in [dpkg_of(&content), apk_of(&content), pacman_of(&content)] {
            prop_assert!(packages.len() <= content.len());
            for package in packages {
                for value in [
                    &package.name, &package.version, &package.architecture, &package.publisher, &package.source_name,
                    &package.source_version, &package.package_release, &package.origin, &package.repository,
                ] {
                    prop_assert!(value.chars().count() <= MAX_CHARS);
                    prop_assert!(!value.chars().any(text::is_hostile));
                }
                prop_assert!(package.install_date_unix >= 0);
                prop_assert!(!package.name.is_empty() && !package.version.is_empty());
            }
        }
    }

    /// Spec: software-inventory 1, 2
    #[test]
    fn any_well_formed_packages_come_back_from_every_database(
        given in proptest::collection::btree_map("[a-z][a-z0-9+.-]{1,30}", "[0-9][0-9a-z.~+]{0,20}-r[0-9]{1,3}", 1..20),
    ) {
        let expected: Vec<_> = given.iter().map(|(name, version)| (name.clone(), version.clone())).collect();
        let written = |record: &dyn Fn(&str, &str) -> String| -> String {
            given.iter().map(|(name, version)| record(name, version)).collect()
        };
        let status = written(&|name, version| format!("Package: {name}\n{INSTALLED}Version: {version}\n\n"));
        let installed = written(&|name, version| format!("P:{name}\nV:{version}\n\n"));
        for packages in [dpkg_of(status.as_bytes()), apk_of(installed.as_bytes())] {
            let found: Vec<_> = packages.into_iter().map(|package| (package.name, package.version)).collect();
            prop_assert_eq!(&found, &expected);
        }
        for (name, version) in &given {
            let package = pacman_of(format!("%NAME%\n{name}\n\n%VERSION%\n{version}\n").as_bytes()).remove(0);
            prop_assert_eq!((&package.name, &package.version), (name, version));
            let joined = format!("{name}-{version}");
            let (first, rest) = apk::split(&joined).unwrap();
            prop_assert_eq!(format!("{first}-{rest}"), joined.as_str());
            prop_assert!(rest.starts_with(|c: char| c.is_ascii_digit()));
        }
    }
}
