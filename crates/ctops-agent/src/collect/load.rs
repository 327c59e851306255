//! Load averages and the number of processes.

use std::fs;
use std::path::Path;

/// The averages over 1, 5 and 15 minutes of `/proc/loadavg` in hundredths (proc_loadavg(5)).
pub fn averages_centi(loadavg: &str) -> Option<[u32; 3]> {
    let mut fields = loadavg.split_ascii_whitespace();
    let mut averages = [0; 3];
    for average in &mut averages {
        *average = centi(fields.next()?)?;
    }
    Some(averages)
}

/// The kernel writes two decimals, which are read as digits: no rounding takes place.
fn centi(text: &str) -> Option<u32> {
    let (whole, hundredths) = text.split_once('.')?;
    if hundredths.len() != 2 || !hundredths.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(hundredths.parse().ok()?)
}

/// Processes of the system, counted by their directories in `proc`; `None` when it cannot be listed.
pub fn processes(proc: &Path) -> Option<u32> {
    let names = fs::read_dir(proc).ok()?.flatten().map(|entry| entry.file_name());
    let count = names.filter(|name| name.as_encoded_bytes().iter().all(|byte| byte.is_ascii_digit())).count();
    // Without a single process this is not the /proc of a running system.
    u32::try_from(count).ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    /// Spec: monitoring 2
    #[test]
    fn averages_when_read_then_are_exact_hundredths_or_absent() {
        assert_eq!(averages_centi("0.52 10.05 0.00 1/467 12345\n"), Some([52, 1005, 0]));
        for bad in [
            "",
            "0.5 0.5 0.5",
            "0.50 0.50",
            "1 2 3",
            "-0.50 0.50 0.50",
            "0.+5 0.50 0.50",
            "99999999.00 1.00 1.00",
        ] {
            assert_eq!(averages_centi(bad), None, "{bad:?}");
        }
    }

    /// Spec: monitoring 2
    #[test]
    fn processes_when_counted_then_are_the_directories_with_a_number() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(processes(dir.path()), None);
        for name in ["1", "42", "4242", "self", "sys", "1a"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        assert_eq!(processes(dir.path()), Some(3));
        assert_eq!(processes(Path::new("/nonexistent")), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "([0-9]{0,11}\\.?[0-9]{0,3} ){0,4}|\\PC*") {
            let _ = averages_centi(&text);
        }
    }
}
