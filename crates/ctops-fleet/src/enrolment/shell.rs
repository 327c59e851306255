//! Text for a POSIX shell (IEEE 1003.1, Shell Command Language, section 2.2): quoted, it means nothing but itself.

/// `text` as one word: between single quotes nothing is special but the single quote.
pub(crate) fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `text` as one word between double quotes, where the backslash takes the meaning from what would keep one.
pub(crate) fn double_quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What a shell without any environment takes the quoted text for.
    fn echoed(quoted: &str) -> String {
        let output = Command::new("/bin/sh")
            .args(["-c", &format!("printf '%s.' {quoted}")])
            .env_clear()
            .output()
            .unwrap();
        assert!(output.status.success(), "{quoted}");
        assert!(output.stderr.is_empty(), "{quoted}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.strip_suffix('.').unwrap().to_owned()
    }

    /// Spec: agents-enrolment 22
    #[test]
    fn quoted_text_when_hostile_arrives_literally() {
        for text in [
            "",
            "a=$(id)",
            "`id`",
            "'; id; '",
            r"\",
            "\"$HOME\"",
            "a\nb",
            "$'\\x41'",
            "*",
            "~",
            "!!",
            "a'\\''b",
        ] {
            assert_eq!(echoed(&single_quoted(text)), text);
            assert_eq!(echoed(&double_quoted(text)), text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Spec: agents-enrolment 22
        #[test]
        fn quoted_text_whatever_it_is_arrives_literally(text in "[^\0]{0,24}|['\"`$();&|<> \\\\\n*?~#!a]{0,24}") {
            prop_assert_eq!(echoed(&single_quoted(&text)), text.clone());
            prop_assert_eq!(echoed(&double_quoted(&text)), text);
        }
    }
}
