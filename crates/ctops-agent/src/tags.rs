//! Tags given by configuration and command line (wire contract 4.7).

use ctops_proto::agent::Tag;
use ctops_proto::limits::{MAX_TAG_KEY_CHARS, MAX_TAG_VALUE_CHARS, MAX_TAGS};
use tracing::warn;

/// The tags of `entries`, later ones winning. An entry is split at its first `=` or `:`; key and value are trimmed;
/// keys are equal without regard to ASCII case: the position of the first, the spelling and value of the last count.
/// Entries without a key or value, too long ones and those beyond the number a host may have are left out with a warning:
/// the server would refuse the registration because of them.
pub fn merge<'e>(entries: impl IntoIterator<Item = &'e str>) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    for entry in entries {
        let Some(tag) = parse(entry) else {
            warn!(entry, "tag without key or value skipped");
            continue;
        };
        if tag.key.chars().count() > MAX_TAG_KEY_CHARS || tag.value.chars().count() > MAX_TAG_VALUE_CHARS {
            warn!(key = tag.key, limits = ?(MAX_TAG_KEY_CHARS, MAX_TAG_VALUE_CHARS), "tag that is too long skipped");
            continue;
        }
        let full = tags.len() >= MAX_TAGS;
        match tags.iter_mut().find(|known| known.key.eq_ignore_ascii_case(&tag.key)) {
            Some(known) => *known = tag,
            None if !full => tags.push(tag),
            None => warn!(entry, limit = MAX_TAGS, "more tags than a host may have, skipped"),
        }
    }
    tags
}

fn parse(entry: &str) -> Option<Tag> {
    let (key, value) = entry.split_once(['=', ':'])?;
    let (key, value) = (key.trim(), value.trim());
    (!key.is_empty() && !value.is_empty()).then(|| Tag { key: key.to_owned(), value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(entries: &[&str]) -> Vec<(String, String)> {
        merge(entries.iter().copied()).into_iter().map(|tag| (tag.key, tag.value)).collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    /// Spec: agents-enrolment 23
    #[test]
    fn entry_when_split_then_keeps_all_behind_the_first_separator_literally() {
        assert_eq!(pairs(&["a=$(id)"]), [pair("a", "$(id)")]);
        assert_eq!(
            pairs(&["a:b=c", "d=e:f", " g = h "]),
            [pair("a", "b=c"), pair("d", "e:f"), pair("g", "h")]
        );
    }

    #[test]
    fn incomplete_entry_when_merged_then_is_left_out() {
        assert_eq!(pairs(&["", "a", "=b", "c=", " : ", "d=e"]), [pair("d", "e")]);
    }

    /// Spec: agents-enrolment 23
    #[test]
    fn tags_when_too_long_or_too_many_then_are_left_out_and_repeated_keys_still_count() {
        let (key, value) = ("k".repeat(100), "ü".repeat(500));
        let entries = [format!("{key}={value}"), format!("{key}k=v"), format!("k={value}ü")];
        assert_eq!(pairs(&entries.each_ref().map(String::as_str)), [pair(&key, &value)]);
        let many: Vec<String> = (0..70).map(|n| format!("k{n}=v")).chain(["K0=last".to_owned()]).collect();
        let merged = pairs(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((merged.len(), &merged[0]), (64, &pair("K0", "last")));
    }

    #[test]
    fn repeated_key_when_merged_then_first_place_and_last_value_count() {
        assert_eq!(pairs(&["Env=dev", "role=web", "ENV:prod"]), [pair("ENV", "prod"), pair("role", "web")]);
    }
}
