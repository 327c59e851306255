//! Text from hosts and people: bounded, without control characters.

/// `text` without control and bidirectional-override characters, trimmed, cut to `max_chars` characters.
///
/// Text from hosts is hostile: terminal escapes start with a control character, and the Unicode bidirectional
/// controls (UAX #9) make a name read as another.
pub fn clean(text: &str, max_chars: usize) -> String {
    let kept: String = text.chars().filter(|c| !is_hostile(*c)).collect();
    kept.trim().chars().take(max_chars).collect()
}

/// Whether `c` is a control character or a bidirectional control.
pub fn is_hostile(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` for use inside `LIKE '%…%' ESCAPE '\'`: `%`, `_` and `\` stand for themselves (api-conventions 12).
pub fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_codes_and_overrides_are_removed() {
        assert_eq!(clean("web\u{1b}[31m-1\u{202e}gpj", 64), "web[31m-1gpj");
        assert_eq!(clean("  padded\n", 64), "padded");
        assert_eq!(clean("abcdef", 3), "abc");
    }

    #[test]
    fn like_wildcards_stand_for_themselves() {
        assert_eq!(escape_like(r"50%_a\b"), r"50\%\_a\\b");
    }

    proptest! {
        #[test]
        fn clean_text_is_bounded_and_harmless(text in "\\PC*|[\\x00-\\x1f\u{202a}-\u{202e}a-z]*", max in 0usize..40) {
            let cleaned = clean(&text, max);
            prop_assert!(cleaned.chars().count() <= max);
            prop_assert!(!cleaned.chars().any(is_hostile));
        }
    }
}
