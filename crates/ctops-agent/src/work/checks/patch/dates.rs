//! When a host was last patched, from the logs of its package manager.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local, NaiveDateTime, TimeZone, Utc};
use flate2::read::MultiGzDecoder;

use super::{CALL, MAX_OUTPUT, Manager};
use crate::work::program::Programs;

/// Read of one log, after decompression, bytes.
const MAX_LOG: u64 = 64 * 1024 * 1024;
/// Longest line looked at, bytes.
const MAX_LINE: u64 = 64 * 1024;
/// Rotated logs looked at.
const MAX_ROTATED: usize = 60;

/// Finds the moment a line tells of, if it tells of one.
type Reading = fn(&str) -> Option<DateTime<Utc>>;

/// The last patch of a host whose file system begins at `root`.
pub(super) fn last_patched(manager: Manager, root: &Path) -> Option<DateTime<Utc>> {
    let log = |name: &str, reading| newest(&root.join("var/log").join(name), reading);
    match manager {
        Manager::Apt => log("dpkg.log", dpkg_upgrade)
            .into_iter()
            .chain(apt_history(&root.join("var/log/apt/history.log")))
            .max()
            .or_else(|| log("dpkg.log", dpkg_install)),
        Manager::Dnf => log("dnf.rpm.log", dnf).or_else(|| log("yum.log", yum)),
        Manager::Yum => log("yum.log", yum).or_else(|| log("dnf.rpm.log", dnf)),
        Manager::Zypper => log("zypp/history", zypp),
        Manager::Pacman => log("pacman.log", pacman),
        Manager::Apk => {
            let modified = fs::metadata(root.join("lib/apk/db/installed")).ok()?.modified().ok()?;
            Some(modified.into())
        }
    }
}

/// The newest installation in the database of rpm.
pub(super) async fn last_installed_rpm(programs: &Programs) -> Option<DateTime<Utc>> {
    let output =
        programs.output("rpm", &["-qa", "--qf", "%{INSTALLTIME}\\n"], CALL, MAX_OUTPUT).await.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let newest = text.lines().filter_map(|line| line.trim().parse::<i64>().ok()).max()?;
    DateTime::from_timestamp(newest, 0)
}

/// The newest moment in a log and its rotated predecessors; the first file that tells of one is enough.
fn newest(log: &Path, reading: Reading) -> Option<DateTime<Utc>> {
    with_rotated(log).iter().find_map(|path| {
        let mut last = None;
        each_line(path, |line| last = reading(line).or(last));
        last
    })
}

/// The end of the newest run of apt that upgraded something. A run is a paragraph.
fn apt_history(log: &Path) -> Option<DateTime<Utc>> {
    with_rotated(log).iter().find_map(|path| {
        let (mut last, mut upgraded) = (None, false);
        each_line(path, |line| {
            if line.starts_with("Start-Date:") {
                upgraded = false;
            } else if line.starts_with("Upgrade:") {
                upgraded = true;
            } else if let Some(date) = line.strip_prefix("End-Date:") {
                let words: Vec<&str> = date.split_whitespace().collect();
                last = Some(words.join(" ")).filter(|_| upgraded).and_then(|text| local(&text)).or(last);
            }
        });
        last
    })
}

/// The log, then its predecessors from new to old.
fn with_rotated(log: &Path) -> Vec<PathBuf> {
    let mut paths = vec![log.to_owned()];
    let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut rotated: Vec<(u64, PathBuf)> = Vec::new();
    for entry in log.parent().and_then(|dir| fs::read_dir(dir).ok()).into_iter().flatten().flatten() {
        let found = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = found.strip_prefix(&name).filter(|rest| rest.starts_with(['.', '-'])) else {
            continue;
        };
        let number = rest[1..].trim_end_matches(".gz");
        if let Ok(number) = number.parse::<u64>() {
            // Names with a date sort the other way round than those with a number.
            rotated.push((if rest.starts_with('-') { u64::MAX - number } else { number }, entry.path()));
        }
    }
    rotated.sort();
    paths.extend(rotated.into_iter().take(MAX_ROTATED).map(|(_, path)| path));
    paths
}

fn each_line(path: &Path, mut take: impl FnMut(&str)) {
    let Ok(file) = File::open(path) else { return };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return;
    }
    let plain: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut reader = BufReader::new(plain.take(MAX_LOG));
    let mut line = Vec::new();
    // A damaged log ends at the damage.
    while let Ok(1..) = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
        take(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}

/// A moment in the time zone of the host.
fn local(text: &str) -> Option<DateTime<Utc>> {
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(Local.from_local_datetime(&naive).earliest()?.to_utc())
}

/// `2026-01-02 10:11:12 upgrade libc6:amd64 2.36-9 2.36-10`
fn dpkg_upgrade(line: &str) -> Option<DateTime<Utc>> {
    let (at, action) = line.split_at_checked(19)?;
    if action.starts_with(" upgrade ") { local(at) } else { None }
}

/// A host that was never upgraded is as old as its newest package.
fn dpkg_install(line: &str) -> Option<DateTime<Utc>> {
    let (at, action) = line.split_at_checked(19)?;
    if action.starts_with(" install ") { local(at) } else { None }
}

/// `2026-01-02T10:11:12+0000 SUBDEBUG Upgrade: foo-1.fc40.x86_64`; older ones end in `Z`.
fn dnf(line: &str) -> Option<DateTime<Utc>> {
    let (at, rest) = line.split_once(' ')?;
    let told =
        ["Upgrade: ", "Upgraded: ", "Installed: ", "Reinstalled: "].iter().any(|word| rest.contains(word));
    if !told {
        return None;
    }
    let at = at.strip_suffix('Z').map_or_else(|| at.to_owned(), |bare| format!("{bare}+0000"));
    DateTime::parse_from_str(&at, "%Y-%m-%dT%H:%M:%S%z").ok().map(|at| at.to_utc())
}

/// `Jan 02 10:11:12 Updated: foo-1.x86_64`: the year is that of the last such day.
fn yum(line: &str) -> Option<DateTime<Utc>> {
    let (at, rest) = line.split_at_checked(15)?;
    if !["Updated: ", "Installed: "].iter().any(|word| rest.trim_start().starts_with(word)) {
        return None;
    }
    let now = Local::now().naive_local();
    let year = now.format("%Y").to_string().parse::<i32>().ok()?;
    [year, year - 1].iter().find_map(|year| {
        let naive = NaiveDateTime::parse_from_str(&format!("{year} {at}"), "%Y %b %d %H:%M:%S").ok()?;
        let at = Local.from_local_datetime(&naive).earliest()?;
        (naive <= now).then(|| at.to_utc())
    })
}

/// `2026-01-02 10:11:12|install|foo|1-1|x86_64||repo|…`
fn zypp(line: &str) -> Option<DateTime<Utc>> {
    let (at, rest) = line.split_once('|')?;
    if rest.starts_with("install|") || rest.starts_with("patch") { local(at) } else { None }
}

/// `[2026-01-02T10:11:12+0100] [ALPM] upgraded foo (1-1 -> 2-1)`; before 2019 `[2018-01-02 10:11]`.
fn pacman(line: &str) -> Option<DateTime<Utc>> {
    let (at, rest) = line.strip_prefix('[')?.split_once(']')?;
    if !(rest.contains("[ALPM] upgraded ") || rest.contains("starting full system upgrade")) {
        return None;
    }
    DateTime::parse_from_str(at, "%Y-%m-%dT%H:%M:%S%z")
        .map(|at| at.to_utc())
        .ok()
        .or_else(|| local(&format!("{at}:00")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn host(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        dir
    }

    fn gz(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn history_of_apt_when_rotated_and_compressed_then_is_read_newest_first() {
        let old =
            "Start-Date: 2026-01-02  10:00:00\nUpgrade: a:amd64 (1, 2)\nEnd-Date: 2026-01-02  10:11:12\n";
        let older =
            "Start-Date: 2025-01-02  10:00:00\nUpgrade: a:amd64 (1, 2)\nEnd-Date: 2025-01-02  10:11:12\n";
        let now = "Start-Date: 2026-03-02  10:00:00\nInstall: b:amd64 (1)\nEnd-Date: 2026-03-02  10:11:12\n";
        let host = host(&[
            ("var/log/apt/history.log", now.as_bytes()),
            ("var/log/apt/history.log.10.gz", &gz(older)),
            ("var/log/apt/history.log.2.gz", &gz(old)),
            ("var/log/apt/history.log.1", b""),
        ]);
        let expected = local("2026-01-02 10:11:12");
        assert_eq!(last_patched(Manager::Apt, host.path()), expected);
    }

    #[test]
    fn log_of_each_manager_when_read_then_the_last_patch_is_found() {
        let dpkg = "2026-01-02 10:11:12 upgrade a:amd64 1 2\n2026-02-02 10:11:12 install b:amd64 <none> 1\n";
        let host = host(&[
            ("var/log/dpkg.log", dpkg.as_bytes()),
            (
                "var/log/dnf.rpm.log",
                b"2026-01-02T10:11:12+0100 SUBDEBUG Upgrade: a\n2026-01-03T00:00:00Z INFO --- logging\n",
            ),
            ("var/log/zypp/history", b"# x\n2026-01-02 10:11:12|install|a|1|x86_64||r|\n2026-02-02 10:11:12|remove |b\n"),
            (
                "var/log/pacman.log",
                b"[2026-01-02T10:11:12+0100] [ALPM] upgraded a (1 -> 2)\n[2026-02-02T10:11:12+0100] [PACMAN] Running\n",
            ),
            ("lib/apk/db/installed", b""),
        ]);
        let root = host.path();
        assert_eq!(last_patched(Manager::Apt, root), local("2026-01-02 10:11:12"));
        assert_eq!(last_patched(Manager::Dnf, root), Some(utc("2026-01-02T09:11:12Z")));
        assert_eq!(last_patched(Manager::Yum, root), Some(utc("2026-01-02T09:11:12Z")));
        assert_eq!(last_patched(Manager::Zypper, root), local("2026-01-02 10:11:12"));
        assert_eq!(last_patched(Manager::Pacman, root), Some(utc("2026-01-02T09:11:12Z")));
        assert!(last_patched(Manager::Apk, root).is_some());
        assert!(yum("Jan 02 10:11:12 Updated: a-1.x86_64").is_some_and(|at| at <= Utc::now()));
        assert_eq!(pacman("[2018-01-02 10:11] [ALPM] upgraded a (1 -> 2)"), local("2018-01-02 10:11:00"));
        assert_eq!(last_patched(Manager::Apt, Path::new("/nonexistent")), None);
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_panic(line in "\\PC{0,60}|[0-9: T\\[\\]|+-]{0,40} (upgrade|install|Updated: |Upgrade: )?\\PC*") {
            for reading in [dpkg_upgrade, dpkg_install, dnf, yum, zypp, pacman] {
                let _ = reading(&line);
            }
        }

        #[test]
        fn any_compressed_log_is_read_without_panic(content: Vec<u8>) {
            let host = host(&[("var/log/dpkg.log.1.gz", &content)]);
            let _ = last_patched(Manager::Apt, host.path());
        }
    }
}
