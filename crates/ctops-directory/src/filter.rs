//! Search filters (RFC 4515): escaping what people type, and templates with placeholders.

use std::fmt::Write;

/// Longest template, characters.
const MAX_TEMPLATE_CHARS: usize = 1000;

/// `value` as an assertion value: what has a meaning in filters, control characters and everything outside ASCII stands
/// as `\xx`, so that it can match only itself (RFC 4515 section 3).
pub(crate) fn escape(value: impl AsRef<[u8]>) -> String {
    let mut escaped = String::with_capacity(value.as_ref().len());
    for byte in value.as_ref() {
        match byte {
            b'*' | b'(' | b')' | b'\\' | 0..=0x1f | 0x7f..=0xff => {
                // Writing to a string does not fail.
                let _ = write!(escaped, "\\{byte:02x}");
            }
            _ => escaped.push(char::from(*byte)),
        }
    }
    escaped
}

/// What a template has holes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    /// What somebody typed as their name.
    Username,
    /// The name of an entry.
    Dn,
}

impl Hole {
    /// Either of them.
    pub(crate) const BOTH: [Self; 2] = [Self::Username, Self::Dn];

    /// As templates write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Username => "{{username}}",
            Self::Dn => "{{dn}}",
        }
    }
}

/// Fills every hole of `template`. The values must be escaped; a value that looks like a hole is not filled again.
pub(crate) fn fill(template: &str, values: &[(Hole, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find("{{") {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let value = values.iter().find(|(hole, _)| rest.starts_with(hole.as_str()));
        match value {
            Some((hole, value)) => {
                filled.push_str(value);
                rest = &rest[hole.as_str().len()..];
            }
            None => {
                filled.push_str("{{");
                rest = &rest[2..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// Checks a template that has to contain one of `needed`. Returns what is wrong.
pub(crate) fn check_template(template: &str, needed: &[Hole]) -> Result<(), &'static str> {
    if template.chars().count() > MAX_TEMPLATE_CHARS {
        return Err("has more than 1000 characters");
    }
    if !needed.iter().any(|hole| template.contains(hole.as_str())) {
        return Err("must contain the placeholder");
    }
    for hole in Hole::BOTH {
        let holes = template.match_indices(hole.as_str());
        let in_value = |at: usize| {
            let before = &template[..at];
            before.rfind('(').is_some_and(|open| before[open..].contains('='))
        };
        if holes.map(|(at, _)| at).any(|at| !in_value(at)) {
            return Err("may contain placeholders after an equals sign only");
        }
    }
    // Both forms are used: exact at sign-in, as a beginning while somebody types.
    for sample in ["x", "x*"] {
        let filled = fill(template, &[(Hole::Username, sample), (Hole::Dn, "x")]);
        if !filled.starts_with('(') || ldap3::parse_filter(&filled).is_err() {
            return Err("is not a filter: check its parentheses");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const TEMPLATE: &str = "(|(uid={{username}})(mail={{username}}))";

    /// Spec: ldap-directory-lookup 5
    #[test]
    fn escape_takes_the_meaning_out_of_everything_that_has_one() {
        assert_eq!(escape("*)(uid=*"), r"\2a\29\28uid=\2a");
        assert_eq!(escape(r"a\b"), r"a\5cb");
        assert_eq!(escape("a\0b"), r"a\00b");
        assert_eq!(escape("Zoë"), r"Zo\c3\ab");
        assert_eq!(escape([0xff, 0xfe]), r"\ff\fe");
        assert_eq!(escape("ada.lovelace@example.com"), "ada.lovelace@example.com");
    }

    /// Spec: auth 30
    #[test]
    fn fill_replaces_every_occurrence_and_nothing_inside_values() {
        assert_eq!(fill(TEMPLATE, &[(Hole::Username, "ada")]), "(|(uid=ada)(mail=ada))");
        let tricky = fill("(&(a={{username}})(b={{dn}}))", &[(Hole::Username, "{{dn}}"), (Hole::Dn, "x")]);
        assert_eq!(tricky, "(&(a={{dn}})(b=x))");
        assert_eq!(fill("(a={{other}})", &[(Hole::Dn, "x")]), "(a={{other}})");
    }

    #[test]
    fn templates_without_placeholder_or_with_broken_parentheses_are_refused() {
        assert_eq!(check_template(TEMPLATE, &[Hole::Username]), Ok(()));
        for bad in [
            "(uid=ada)",
            "(uid={{username}}",
            "uid={{username}}",
            "(uid={{username}}))",
            "({{username}}=x)",
            "(&({{username}})(a=b))",
            "",
        ] {
            assert!(check_template(bad, &[Hole::Username]).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn escaped_text_never_changes_the_shape_of_the_filter(typed in any::<String>()) {
            let filled = fill(TEMPLATE, &[(Hole::Username, &escape(&typed))]);
            let plain = fill(TEMPLATE, &[(Hole::Username, "x")]);
            let count = |text: &str, c: char| text.matches(c).count();
            for c in ['(', ')', '*', '|', '='] {
                let typed = if matches!(c, '|' | '=') { 2 * count(&typed, c) } else { 0 };
                prop_assert_eq!(count(&filled, c), count(&plain, c) + typed);
            }
            prop_assert!(ldap3::parse_filter(&filled).is_ok());
        }

        #[test]
        fn escaped_bytes_are_read_back_as_they_were(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let escaped = escape(&bytes);
            let mut read = Vec::new();
            let mut rest = escaped.as_bytes();
            while let Some((first, tail)) = rest.split_first() {
                if *first == b'\\' {
                    read.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
                    rest = &tail[2..];
                } else {
                    read.push(*first);
                    rest = tail;
                }
            }
            prop_assert_eq!(read, bytes);
        }
    }
}
