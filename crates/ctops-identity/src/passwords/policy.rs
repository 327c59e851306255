//! The rule for new passwords (auth 9).

use std::collections::HashSet;
use std::sync::LazyLock;

use ctops_base::FieldProblem;

use super::Secret;

/// Shortest password, characters.
pub const MIN_CHARS: usize = 12;
/// Longest password, characters. Longer input is refused before it is hashed.
pub const MAX_CHARS: usize = 128;

/// Common passwords of [`MIN_CHARS`] and more, lower case, one per line; where they come from is written in
/// `docs/dev/data-sources.md`. Shorter ones are refused by their length already.
const COMMON: &str = include_str!("../../data/common-passwords.txt");

static COMMON_SET: LazyLock<HashSet<&'static str>> = LazyLock::new(|| COMMON.lines().collect());

/// What a password must not repeat.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// E-mail address of the account.
    pub email: &'a str,
    /// Name of the organisation.
    pub organisation_name: &'a str,
}

/// Checks the length alone; for passwords that are only compared.
///
/// # Errors
/// `too_long` above [`MAX_CHARS`].
pub fn check_length(path: &str, password: &Secret) -> Result<(), FieldProblem> {
    let chars = password.reveal().chars().count();
    if chars > MAX_CHARS {
        return Err(problem(path, "too_long", format!("has {chars} characters, at most {MAX_CHARS}")));
    }
    Ok(())
}

/// Checks a new password.
///
/// # Errors
/// `too_short`, `too_long`, `equals_email`, `equals_organisation` or `common_password`, on the field `path`.
pub fn check(path: &str, password: &Secret, context: Context<'_>) -> Result<(), FieldProblem> {
    check_length(path, password)?;
    let chars = password.reveal().chars().count();
    if chars < MIN_CHARS {
        return Err(problem(path, "too_short", format!("has {chars} characters, at least {MIN_CHARS}")));
    }
    let folded = password.reveal().trim().to_lowercase();
    if folded == context.email.trim().to_lowercase() {
        return Err(problem(path, "equals_email", "must differ from the e-mail address".to_owned()));
    }
    if folded == context.organisation_name.trim().to_lowercase() {
        return Err(problem(
            path,
            "equals_organisation",
            "must differ from the organisation's name".to_owned(),
        ));
    }
    if COMMON_SET.contains(folded.as_str()) {
        return Err(problem(path, "common_password", "is in the list of common passwords".to_owned()));
    }
    Ok(())
}

fn problem(path: &str, code: &'static str, message: String) -> FieldProblem {
    FieldProblem { path: path.to_owned(), code, message }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTEXT: Context<'static> =
        Context { email: "ada@ops.example.com", organisation_name: "Lovelace Industries" };

    fn code_of(password: &str) -> Result<(), &'static str> {
        check("password", &Secret::new(password), CONTEXT).map_err(|problem| problem.code)
    }

    /// Spec: auth 9
    #[test]
    fn password_length_counts_characters_at_both_limits() {
        assert_eq!(code_of("elevenchars"), Err("too_short"));
        assert_eq!(code_of("twelve chars"), Ok(()));
        assert_eq!(code_of(&"x".repeat(128)), Ok(()));
        assert_eq!(code_of(&"x".repeat(129)), Err("too_long"));
        assert_eq!(code_of(&"ü".repeat(128)), Ok(()), "characters, not bytes");
        assert_eq!(code_of(&"🔑".repeat(11)), Err("too_short"));
    }

    /// Spec: auth 9
    #[test]
    fn password_that_repeats_what_is_known_is_refused_in_any_case() {
        assert_eq!(code_of("Ada@Ops.Example.com"), Err("equals_email"));
        assert_eq!(code_of(" lovelace INDUSTRIES "), Err("equals_organisation"));
        assert_eq!(code_of("1qaz2wsx3edc"), Err("common_password"));
        assert_eq!(code_of("QWERTY123456"), Err("common_password"));
        assert_eq!(code_of("1qaz2wsx3edc-and-more"), Ok(()));
    }

    #[test]
    fn common_passwords_are_sorted_lower_case_and_long_enough_to_matter() {
        let entries: Vec<&str> = COMMON.lines().collect();
        assert!(entries.len() > 300, "{} entries", entries.len());
        assert!(entries.is_sorted());
        for entry in entries {
            assert!((MIN_CHARS..=MAX_CHARS).contains(&entry.chars().count()), "{entry}");
            assert_eq!(entry, entry.trim().to_lowercase());
        }
    }

    proptest! {
        #[test]
        fn no_message_ever_repeats_the_password(password in "\\PC{4,200}") {
            if let Err(problem) = check("password", &Secret::new(password.clone()), CONTEXT) {
                prop_assert!(!problem.message.contains(&password));
            }
        }
    }
}
