#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use proptest::prelude::*;

/// A machine made of files and programs.
struct Made(tempfile::TempDir);

impl Made {
    fn new(release: &str, files: &[(&str, &str)]) -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(made.0.path().join("bin")).unwrap();
        made.write("etc/os-release", release);
        for (name, content) in files {
            made.write(name, content);
        }
        made
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn program(&self, name: &str, script: &str) {
        self.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
        let path = self.0.path().join("bin").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn machine(&self) -> Machine {
        let programs = Programs::in_directories(&self.0.path().join("bin").display().to_string());
        Machine { root: self.0.path().to_owned(), programs }
    }

    async fn primary(&self) -> (Source, Vec<SoftwarePackage>) {
        let inventory = self.inventory().await.unwrap();
        (inventory.parts[0].0, inventory.slice(0, 0, 100))
    }

    async fn inventory(&self) -> Result<Inventory, CollectError> {
        self.machine().inventory(Scope { snap: true, flatpak: true }).await
    }
}

const DEBIAN: &str = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
const STATUS: &str = "\
Package: bash
Essential: yes
Status: install ok installed
Maintainer: Matthias Klose <doko@debian.org>
Architecture: amd64
Version: 5.2.15-2+b7
Description: GNU Bourne Again SHell
 with more lines
 .
 of text

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: glibc (2.36-9)
Version: 2.36-9+deb12u4
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1.0

Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b7
";

/// Spec: software-inventory 1, 2
#[tokio::test]
async fn packages_of_debian_when_read_then_are_those_installed_each_once() {
    let made =
        Made::new(DEBIAN, &[("var/lib/dpkg/status", STATUS), ("var/lib/dpkg/info/bash.list", "/bin/bash\n")]);
    let (source, packages) = made.primary().await;
    let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!((source, names), (Source::Dpkg, vec!["bash", "libc6"]));
    let (bash, libc) = (&packages[0], &packages[1]);
    assert_eq!((bash.source_name.as_str(), bash.source_version.as_str()), ("bash", "5.2.15-2+b7"));
    assert_eq!(bash.publisher, "Matthias Klose <doko@debian.org>");
    assert!(bash.install_date_unix > 1_700_000_000 && libc.install_date_unix == 0);
    assert_eq!((libc.source_name.as_str(), libc.source_version.as_str()), ("glibc", "2.36-9"));
    assert_eq!((libc.distro_id.as_str(), libc.distro_codename.as_str()), ("debian", "bookworm"));
}

/// Spec: software-inventory 1, 2
#[tokio::test]
async fn packages_of_alpine_when_read_then_have_origin_and_release() {
    let installed = "C:Q1x=\nP:busybox\nV:1.36.1-r29\nA:x86_64\no:busybox\nm:Natanael Copa <n@alpinelinux.org>\nF:bin\nR:busybox\n\nP:ssl_client\nV:1.36.1-r29\nA:x86_64\no:busybox\n\n";
    let made = Made::new("ID=alpine\nVERSION_ID=3.20.0\n", &[("lib/apk/db/installed", installed)]);
    let (source, packages) = made.primary().await;
    assert_eq!((source, packages.len()), (Source::Apk, 2));
    assert_eq!((packages[1].source_name.as_str(), packages[1].package_release.as_str()), ("busybox", "29"));
    assert_eq!(apk::split("busybox-1.36.1-r29"), Some(("busybox", "1.36.1-r29")));
    assert_eq!(apk::split("gtk+3.0-lang-3.24-r1"), Some(("gtk+3.0-lang", "3.24-r1")));
    assert_eq!((apk::split("nothing"), apk::split("-1")), (None, None));
}

/// Spec: software-inventory 1, 2
#[tokio::test]
async fn packages_of_arch_when_read_then_have_their_dates() {
    let desc = "%NAME%\nlinux\n\n%VERSION%\n1:6.9.1-1\n\n%BASE%\nlinux\n\n%ARCH%\nx86_64\n\n%INSTALLDATE%\n1718000000\n\n%PACKAGER%\nJan\n";
    let made = Made::new(
        "ID=endeavouros\nID_LIKE=\"arch\"\n",
        &[
            ("var/lib/pacman/local/linux-1:6.9.1-1/desc", desc),
            ("var/lib/pacman/local/ALPM_DB_VERSION", "9\n"),
        ],
    );
    let package = &made.primary().await.1[0];
    assert_eq!((package.version.as_str(), package.package_epoch.as_str()), ("1:6.9.1-1", "1"));
    assert_eq!((package.install_date_unix, package.package_release.as_str()), (1_718_000_000, "1"));
    assert_eq!(package.distro_id_like, ["arch"]);
}

/// Spec: software-inventory 1
#[tokio::test]
async fn managers_when_several_are_present_then_the_distributions_own_comes_first() {
    let files = [("var/lib/dpkg/status", STATUS)];
    let made = Made::new("ID=rocky\nID_LIKE=\"rhel centos fedora\"\n", &files);
    made.program("rpm", "printf 'bash\\t0\\t5\\t1\\tx86_64\\t1\\tbash-5-1.src.rpm\\tRocky\\n'");
    made.program(
        "snap",
        "echo 'Name Version Rev Tracking Publisher Notes'; echo 'core22 1 2 latest canonical** base'",
    );
    made.program("flatpak", "exit 1");
    let inventory = made.inventory().await.unwrap();
    let sources: Vec<_> = inventory.parts.iter().map(|(source, _)| source.as_str()).collect();
    assert_eq!(sources, ["rpm", "dpkg", "snap"]);
    assert_eq!(inventory.failed[0].0, Source::Flatpak);
    assert_eq!(inventory.len(), 4);
    let without = made.machine().inventory(Scope::default()).await.unwrap();
    assert_eq!((without.parts.len(), without.failed.len()), (2, 0), "snap and flatpak only when wanted");
}

/// Spec: software-inventory 5, 6
#[tokio::test]
async fn source_when_it_cannot_be_read_then_there_is_no_inventory_to_send() {
    let made = Made::new("ID=fedora\n", &[]);
    assert_eq!(made.inventory().await.unwrap_err(), CollectError::NoManager);
    made.program("rpm", "echo damaged >&2; exit 1");
    assert!(
        matches!(made.inventory().await, Err(CollectError::Failed("rpm", error)) if error.contains("damaged"))
    );
    made.program("rpm", "exit 0");
    assert!(
        matches!(made.inventory().await, Err(CollectError::Failed("rpm", _))),
        "no packages is a failure"
    );
    let made = Made::new(DEBIAN, &[("var/lib/dpkg/status", "")]);
    assert!(matches!(made.inventory().await, Err(CollectError::Failed("dpkg", _))));
    let made = Made::new(DEBIAN, &[("var/lib/dpkg/status", STATUS)]);
    made.program("rpm", "exit 0");
    assert_eq!(made.inventory().await.unwrap().parts.len(), 1, "rpm on Debian manages nothing");
}

#[tokio::test]
async fn versions_when_asked_for_then_are_those_of_the_distribution() {
    let made = Made::new(DEBIAN, &[("var/lib/dpkg/status", STATUS)]);
    let versions = made.machine().versions().await.unwrap();
    assert_eq!(versions[&("bash".to_owned(), "amd64".to_owned())], "5.2.15-2+b7");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_database_gives_clean_and_bounded_packages(
        text in "((Package|Version|Status|Architecture|P|V|A): ?(install ok installed|[a-z\u{1b}\u{202e}]{0,300})\n|\n|\\PC{0,40}\n)*",
        bytes: Vec<u8>,
    ) {
        let made = Made::new(DEBIAN, &[("var/lib/dpkg/status", &text), ("lib/apk/db/installed", &text)]);
        let path = made.0.path().join("var/lib/pacman/local/x");
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("desc"), &bytes).unwrap();
        let root = made.0.path();
        for packages in [dpkg::read(root), apk::read(root), pacman::read(root)] {
            for package in packages.unwrap().iter() {
                prop_assert!(package.name.chars().count() <= MAX_CHARS && !package.name.is_empty());
                prop_assert!(!package.version.chars().any(text::is_hostile));
            }
        }
    }
}

#[test]
fn long_line_when_read_then_is_cut_and_the_next_one_is_intact() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("database");
    fs::write(&path, format!("Package: {}\nVersion: 1\n\n", "x".repeat(200_000))).unwrap();
    let mut lines = Vec::new();
    database::each_record(&path, |record| lines.extend_from_slice(record)).unwrap();
    assert_eq!((lines[0].len(), lines[1].as_str()), (64 * 1024, "Version: 1"));
}
