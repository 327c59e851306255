//! Which labels of a container leave the host, and how (containers 11, 12).

use std::collections::BTreeMap;

use ctops_base::text;
use ctops_proto::agent::DockerContainerLabel;

use super::{Orders, cut};

/// Keys with one of these words have their value hidden.
const SECRET: &[&str] = &["secret", "token", "password", "key"];
/// What a hidden value becomes.
const HIDDEN: &str = "hidden";
const MAX_LABELS: usize = 128;
const MAX_KEY_BYTES: usize = 256;
const MAX_VALUE_BYTES: usize = 1024;

/// The labels to report of `labels`, sorted by key.
pub(super) fn collected(labels: &BTreeMap<String, String>, orders: &Orders) -> Vec<DockerContainerLabel> {
    let mut left = orders.label_bytes;
    labels
        .iter()
        .filter(|(key, _)| {
            key.len() <= MAX_KEY_BYTES && orders.label_prefixes.iter().any(|prefix| key.starts_with(prefix))
        })
        .map(|(key, value)| {
            // Judged as it is shown: a control character in the middle of a word would hide the word.
            let key = text::clean(key, MAX_KEY_BYTES);
            let value = if is_secret(&key) { HIDDEN.to_owned() } else { shown(value) };
            DockerContainerLabel { key, value }
        })
        .take_while(|label| {
            let size = label.key.len() + label.value.len();
            let fits = size <= left;
            left = left.saturating_sub(size);
            fits
        })
        .take(MAX_LABELS)
        .collect()
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET.iter().any(|word| key.contains(word))
}

fn shown(value: &str) -> String {
    cut(&text::clean(value, MAX_VALUE_BYTES), MAX_VALUE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// Spec: containers 11
    #[test]
    fn labels_when_collected_then_only_known_ones_leave_and_secrets_are_hidden() {
        let given = labels(&[
            ("com.docker.compose.project", "shop"),
            ("com.docker.compose.API_Token", "abc"),
            ("org.opencontainers.image.version", "1.2"),
            ("org.opencontainers.image.signing-key", "abc"),
            ("com.example.owner", "team"),
            ("COM.docker.compose.project", "x"),
            ("maintainer", "me"),
        ]);
        let found: Vec<_> =
            collected(&given, &Orders::default()).into_iter().map(|label| (label.key, label.value)).collect();
        let expected = [
            ("com.docker.compose.API_Token", "hidden"),
            ("com.docker.compose.project", "shop"),
            ("org.opencontainers.image.signing-key", "hidden"),
            ("org.opencontainers.image.version", "1.2"),
        ];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let orders = Orders { label_prefixes: vec!["com.example.".to_owned()], ..Orders::default() };
        let found: Vec<_> = collected(&given, &orders).into_iter().map(|label| label.value).collect();
        assert_eq!(found, ["team"], "the server decides which");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Spec: containers 12
        #[test]
        fn any_labels_stay_within_their_bounds(
            given in proptest::collection::btree_map("com\\.docker\\.compose\\.[a-zé€]{0,300}", "[a-zé€\n]{0,1200}", 0..160),
            max_bytes in 0usize..20_000,
        ) {
            let orders = Orders { label_bytes: max_bytes, ..Orders::default() };
            let found = collected(&given, &orders);
            prop_assert!(found.len() <= MAX_LABELS);
            prop_assert!(found.iter().all(|label| label.key.len() <= MAX_KEY_BYTES && label.value.len() <= MAX_VALUE_BYTES));
            prop_assert!(found.iter().map(|label| label.key.len() + label.value.len()).sum::<usize>() <= max_bytes);
        }
    }
}
