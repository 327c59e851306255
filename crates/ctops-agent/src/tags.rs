//! Tags given by configuration and command line (wire contract 4.7).

use ctops_proto::agent::Tag;
use tracing::warn;

/// The tags of `entries`, later ones winning. An entry is split at its first `=` or `:`; key and value are trimmed;
/// keys are equal without regard to ASCII case: the position of the first, the spelling and value of the last count.
/// Entries without a key or value are left out with a warning.
pub fn merge<'e>(entries: impl IntoIterator<Item = &'e str>) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    for entry in entries {
        let Some(tag) = parse(entry) else {
            warn!(entry, "tag without key or value skipped");
            continue;
        };
        match tags.iter_mut().find(|known| known.key.eq_ignore_ascii_case(&tag.key)) {
            Some(known) => *known = tag,
            None => tags.push(tag),
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

    #[test]
    fn repeated_key_when_merged_then_first_place_and_last_value_count() {
        assert_eq!(pairs(&["Env=dev", "role=web", "ENV:prod"]), [pair("ENV", "prod"), pair("role", "web")]);
    }
}
