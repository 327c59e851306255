//! Which packages could be replaced by newer ones, as the package managers list them.

use ctops_base::text;

use super::{CALL, MAX_OUTPUT, Manager, Update};
use crate::work::program::Programs;

/// Longest name or version, characters.
const MAX_CHARS: usize = 200;
/// Updates read from one list; the check reports at most 1,000.
const MAX_UPDATES: usize = 5000;

/// Asks `program` for the packages that could be updated.
///
/// # Errors
/// A warning when it gives no list.
pub(super) async fn pending(
    manager: Manager,
    program: &str,
    programs: &Programs,
) -> Result<Vec<Update>, String> {
    let arguments: &[&str] = match manager {
        Manager::Apt if program == "apt-get" => &["-s", "upgrade"],
        Manager::Apt => &["list", "--upgradable"],
        Manager::Dnf | Manager::Yum => &["check-update", "--quiet"],
        Manager::Zypper => &["--non-interactive", "list-updates"],
        Manager::Pacman => &["-Qu"],
        Manager::Apk => &["list", "--upgradable"],
    };
    let output = programs
        .output(program, arguments, CALL, MAX_OUTPUT)
        .await
        .map_err(|error| format!("updates cannot be listed: {error}"))?;
    // dnf and yum say 100 when there are updates; pacman says 1 when there are none.
    let understood = match manager {
        Manager::Dnf | Manager::Yum => matches!(output.code, 0 | 100),
        Manager::Pacman => output.code == 0 || (output.code == 1 && output.stderr.is_empty()),
        _ => output.code == 0,
    };
    if !understood {
        let words = text::clean(output.stderr.lines().next().unwrap_or_default(), MAX_CHARS);
        return Err(format!("updates cannot be listed: {program} ended with {}: {words}", output.code));
    }
    let listed = String::from_utf8_lossy(&output.stdout);
    let parse: fn(&str) -> Option<Update> = match manager {
        Manager::Apt if program == "apt-get" => apt_get,
        Manager::Apt => apt,
        Manager::Dnf | Manager::Yum => dnf,
        Manager::Zypper => zypper,
        Manager::Pacman => pacman,
        Manager::Apk => apk,
    };
    // What dnf lists behind this line are not updates but what they replace.
    let lines = listed.lines().take_while(|line| !line.starts_with("Obsoleting Packages"));
    Ok(lines.filter_map(parse).map(cleaned).take(MAX_UPDATES).collect())
}

fn cleaned(update: Update) -> Update {
    let clean = |text: String| text::clean(&text, MAX_CHARS);
    Update {
        name: clean(update.name),
        current_version: clean(update.current_version),
        available_version: clean(update.available_version),
        architecture: clean(update.architecture),
        repository: clean(update.repository),
    }
}

fn update(
    name: &str,
    current: &str,
    available: &str,
    architecture: &str,
    repository: &str,
) -> Option<Update> {
    let own = str::to_owned;
    (!name.is_empty() && !available.is_empty()).then(|| Update {
        name: own(name),
        current_version: own(current),
        available_version: own(available),
        architecture: own(architecture),
        repository: own(repository),
    })
}

/// `libc6/stable-security,stable 2.36-10 amd64 [upgradable from: 2.36-9]`
fn apt(line: &str) -> Option<Update> {
    let (name, rest) = line.split_once('/')?;
    let mut words = rest.split_whitespace();
    let (repository, available, architecture) = (words.next()?, words.next()?, words.next()?);
    let current = rest.split_once("upgradable from: ")?.1.trim_end_matches(']');
    update(name, current, available, architecture, repository)
}

/// `Inst libc6 [2.36-9] (2.36-10 Debian:12.5/stable [amd64])`
fn apt_get(line: &str) -> Option<Update> {
    let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
    let current = rest.strip_prefix('[')?.split_once(']')?.0;
    let inside = rest.split_once('(')?.1.split_once(')')?.0;
    let (available, rest) = inside.split_once(' ')?;
    let (repository, architecture) = rest.rsplit_once(" [").unwrap_or((rest, ""));
    update(name, current, available, architecture.trim_end_matches(']'), repository)
}

/// `glibc.x86_64    2.39-15.fc40    updates`
fn dnf(line: &str) -> Option<Update> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [package, available, repository] = words[..] else { return None };
    let (name, architecture) = package.rsplit_once('.')?;
    if !available.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    update(name, "", available, architecture, repository)
}

/// `v | repository | name | current | available | architecture`
fn zypper(line: &str) -> Option<Update> {
    let columns: Vec<&str> = line.split('|').map(str::trim).collect();
    let [mark, repository, name, current, available, architecture] = columns[..] else { return None };
    if mark != "v" {
        return None;
    }
    update(name, current, available, architecture, repository)
}

/// `linux 6.1-1 -> 6.2-1`, perhaps with `[ignored]` behind it
fn pacman(line: &str) -> Option<Update> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [name, current, "->", available] => update(name, current, available, "", ""),
        _ => None,
    }
}

/// `busybox-1.36.1-r29 x86_64 {busybox} (GPL-2.0-only) [upgradable from: busybox-1.36.1-r28]`
fn apk(line: &str) -> Option<Update> {
    let mut words = line.split_whitespace();
    let (package, architecture) = (words.next()?, words.next()?);
    let (name, available) = crate::software::apk::split(package)?;
    let old = line.split_once("upgradable from: ")?.1.trim_end_matches(']');
    let current = crate::software::apk::split(old).map_or("", |(_, version)| version);
    update(name, current, available, architecture, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_of_each_manager_when_read_then_give_the_update() {
        let full = |current, architecture, repository| update("a", current, "2-1", architecture, repository);
        assert_eq!(
            apt("a/stable-security,stable 2-1 amd64 [upgradable from: 1-1]"),
            full("1-1", "amd64", "stable-security,stable")
        );
        assert_eq!(
            apt_get("Inst a [1-1] (2-1 Debian:12.5/stable [amd64]) []"),
            full("1-1", "amd64", "Debian:12.5/stable")
        );
        assert_eq!(dnf("a.x86_64   2-1   updates"), full("", "x86_64", "updates"));
        assert_eq!(zypper("v | Main | a | 1-1 | 2-1 | x86_64"), full("1-1", "x86_64", "Main"));
        assert_eq!(pacman("a 1-1 -> 2-1"), full("1-1", "", ""));
        let line = "a-2-r1 x86_64 {a} (MIT) [upgradable from: a-1-r0]";
        assert_eq!(apk(line), update("a", "1-r0", "2-r1", "x86_64", ""));
        assert_eq!(apt("Listing... Done"), None);
        assert_eq!(dnf("Last metadata expiration"), None);
        assert_eq!(zypper("S | Repository | Name | Current Version | Available Version | Arch"), None);
        assert_eq!(pacman("a 1-1 -> 2-1 [ignored]"), None);
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_panic(line in "\\PC{0,80}|(Inst )?[a-z0-9./|>()\\[\\] -]{0,80}") {
            for parse in [apt, apt_get, dnf, zypper, pacman, apk] {
                let _ = parse(&line);
            }
        }
    }
}
