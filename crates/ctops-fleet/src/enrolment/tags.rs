//! Tags that a token or an agent gives to a host.

use ctops_base::{FieldProblem, text};
use ctops_proto::limits::{MAX_TAG_KEY_CHARS, MAX_TAG_VALUE_CHARS, MAX_TAGS};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A label on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// 1 to 100 characters; compared without regard to ASCII case.
    pub key: String,
    /// 1 to 500 characters.
    pub value: String,
}

/// Checks tags as a person or an agent gave them; keys and values lose surrounding white space.
///
/// # Errors
/// One entry per tag that is not acceptable, under the path `tags`.
pub(crate) fn check_tags(tags: Vec<Tag>) -> Result<Vec<Tag>, Vec<FieldProblem>> {
    let problem = |code, message| FieldProblem { path: "tags".to_owned(), code, message };
    if tags.len() > MAX_TAGS {
        return Err(vec![problem("too_many", format!("there are {} tags, at most {MAX_TAGS}", tags.len()))]);
    }
    let mut fields = Vec::new();
    let mut checked = Vec::with_capacity(tags.len());
    for (at, tag) in tags.into_iter().enumerate() {
        let (key, value) = (tag.key.trim().to_owned(), tag.value.trim().to_owned());
        for (name, text, max) in [("key", &key, MAX_TAG_KEY_CHARS), ("value", &value, MAX_TAG_VALUE_CHARS)] {
            let length = text.chars().count();
            if !(1..=max).contains(&length) {
                fields.push(problem(
                    "invalid_length",
                    format!("{name} of tag {} has {length} characters, 1 to {max} are needed", at + 1),
                ));
            } else if text.chars().any(text::is_hostile) {
                fields.push(problem(
                    "invalid",
                    format!("{name} of tag {} contains control characters", at + 1),
                ));
            }
        }
        checked.push(Tag { key, value });
    }
    if fields.is_empty() { Ok(merge_tags([checked])) } else { Err(fields) }
}

/// Merges layers of tags, weakest first: a key keeps the place of its first occurrence and takes spelling and value of
/// its last. Keys are the same when they differ in ASCII case only (wire contract 4.7).
pub fn merge_tags(layers: impl IntoIterator<Item = Vec<Tag>>) -> Vec<Tag> {
    let mut merged: Vec<Tag> = Vec::new();
    for tag in layers.into_iter().flatten() {
        match merged.iter_mut().find(|known| known.key.eq_ignore_ascii_case(&tag.key)) {
            Some(known) => *known = tag,
            None => merged.push(tag),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag { key: key.to_owned(), value: value.to_owned() }
    }

    /// Spec: agents-enrolment 14
    #[test]
    fn merge_tags_when_keys_repeat_keeps_the_first_place_and_the_last_value() {
        let token = vec![tag("Env", "test"), tag("team", "web")];
        let request = vec![tag("rack", "7"), tag("ENV", "prod")];
        assert_eq!(merge_tags([token, request]), [tag("ENV", "prod"), tag("team", "web"), tag("rack", "7")]);
    }

    #[test]
    fn check_tags_at_the_limits_accepts_and_beyond_them_names_the_tag() {
        let most: Vec<Tag> = (0..64).map(|n| tag(&format!("k{n}"), "v")).collect();
        assert_eq!(check_tags(most.clone()).unwrap().len(), 64);
        assert_eq!(check_tags([most, vec![tag("one", "more")]].concat()).unwrap_err()[0].code, "too_many");
        assert!(check_tags(vec![tag(&"k".repeat(100), &"v".repeat(500))]).is_ok());
        for bad in [
            tag("", "v"),
            tag("k", " "),
            tag(&"k".repeat(101), "v"),
            tag("k", &"v".repeat(501)),
            tag("k\u{1b}[2J", "v"),
            tag("k", "a\u{202e}b"),
        ] {
            let fields = check_tags(vec![tag("good", "v"), bad]).unwrap_err();
            assert!(fields[0].message.contains("tag 2"), "{}", fields[0].message);
        }
    }

    /// Spec: agents-enrolment 22
    #[test]
    fn check_tags_when_a_value_is_shell_text_keeps_it_literally() {
        assert_eq!(check_tags(vec![tag("a", "$(id)")]).unwrap(), [tag("a", "$(id)")]);
    }
}
