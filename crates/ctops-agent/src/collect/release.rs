//! Name of the operating system and time since its start.

/// `PRETTY_NAME` of `/etc/os-release` without its quotes (os-release(5)).
pub fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.trim_start().strip_prefix("PRETTY_NAME="))?.trim();
    let unquoted = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value);
    let mut name = String::with_capacity(unquoted.len());
    let mut characters = unquoted.chars();
    while let Some(c) = characters.next() {
        // A backslash protects the character behind it, as in a shell.
        name.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    (!name.is_empty()).then_some(name)
}

/// Whole seconds since the start of the system, from `/proc/uptime`.
pub fn uptime_seconds(uptime: &str) -> Option<i64> {
    let (seconds, _) = uptime.split_ascii_whitespace().next()?.split_once('.')?;
    seconds.parse().ok().filter(|seconds| *seconds >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn name_when_quoted_in_any_way_then_is_bare() {
        let name = |text| pretty_name(text).unwrap_or_default();
        assert_eq!(
            name("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
            "Debian GNU/Linux 12 (bookworm)"
        );
        assert_eq!(name("PRETTY_NAME='Alpine Linux v3.20'"), "Alpine Linux v3.20");
        assert_eq!(name("PRETTY_NAME=Arch"), "Arch");
        assert_eq!(name("PRETTY_NAME=\"a \\\"b\\\" \\$c\""), "a \"b\" $c");
        assert_eq!(pretty_name("PRETTY_NAME=\"\""), None);
        assert_eq!(pretty_name("NAME=x"), None);
    }

    /// Spec: monitoring 1
    #[test]
    fn uptime_when_read_then_is_cut_to_seconds_or_absent() {
        assert_eq!(uptime_seconds("12345.99 54321.00\n"), Some(12345));
        for bad in ["", "x", "12", "-1.0 0.0", "1e5.0", "99999999999999999999.0"] {
            assert_eq!(uptime_seconds(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(PRETTY_NAME=|[\"'\\\\]|\\PC|\n)*") {
            let _ = pretty_name(&text);
            let _ = uptime_seconds(&text);
        }
    }
}
