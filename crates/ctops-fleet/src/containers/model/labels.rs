//! Which labels are kept, and which of them without their value.

use std::collections::BTreeMap;

use ctops_proto::agent::DockerContainerLabel;

use super::{MAX_LABEL_BYTES, MAX_LABELS, bounded};

/// Beginnings of keys that everybody collects (containers 11).
const USUAL: [&str; 2] = ["com.docker.compose.", "org.opencontainers.image."];
/// Keys with one of these in them lose their value (containers 11).
const SECRETIVE: [&str; 4] = ["secret", "token", "password", "key"];
/// What stands for a value that must not be seen.
const HIDDEN: &str = "hidden";
/// Longest key and value, bytes (wire contract 9.2).
const MAX_KEY_BYTES: usize = 256;
const MAX_VALUE_BYTES: usize = 1024;
/// Key that names the compose project.
const PROJECT: &str = "com.docker.compose.project";

/// An organisation's policy for labels.
pub(in crate::containers) struct LabelPolicy<'a> {
    /// Beginnings of further keys to keep.
    pub(in crate::containers) prefixes: &'a [String],
}

impl LabelPolicy<'_> {
    /// The labels to keep. The policy holds here as well as in agents, because those of the original product send all.
    pub(in crate::containers) fn apply(&self, labels: &[DockerContainerLabel]) -> BTreeMap<String, String> {
        let mut kept = BTreeMap::new();
        let mut bytes = 0;
        for label in labels.iter().filter(|label| self.collects(&label.key)) {
            let key = bounded(&label.key, MAX_KEY_BYTES);
            let value = if is_secretive(&label.key) {
                HIDDEN.to_owned()
            } else {
                bounded(&label.value, MAX_VALUE_BYTES)
            };
            bytes += key.len() + value.len();
            if kept.len() == MAX_LABELS || bytes > MAX_LABEL_BYTES {
                break;
            }
            kept.insert(key, value);
        }
        kept
    }

    fn collects(&self, key: &str) -> bool {
        USUAL.iter().any(|prefix| key.starts_with(prefix))
            || self.prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()))
    }
}

fn is_secretive(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRETIVE.iter().any(|word| key.contains(word))
}

/// The compose project among these labels.
pub(super) fn project(labels: &BTreeMap<String, String>) -> Option<String> {
    labels.get(PROJECT).filter(|name| !name.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(prefixes: &[&str], labels: &[(&str, &str)]) -> Vec<(String, String)> {
        let prefixes: Vec<String> = prefixes.iter().map(|&prefix| prefix.to_owned()).collect();
        let label = |&(key, value): &(&str, &str)| DockerContainerLabel {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        let labels: Vec<_> = labels.iter().map(label).collect();
        LabelPolicy { prefixes: &prefixes }.apply(&labels).into_iter().collect()
    }

    fn kept(prefixes: &[&str], key: &str) -> Option<String> {
        apply(prefixes, &[(key, "v")]).pop().map(|(_, value)| value)
    }

    /// Spec: containers 11
    #[test]
    fn apply_keeps_the_usual_keys_and_those_on_the_list_and_hides_values_that_may_be_secret() {
        assert_eq!(kept(&[], "com.docker.compose.project").as_deref(), Some("v"));
        assert_eq!(kept(&[], "org.opencontainers.image.version").as_deref(), Some("v"));
        assert_eq!(kept(&[], "com.example.team"), None);
        assert_eq!(kept(&["com.example."], "com.example.team").as_deref(), Some("v"));
        for key in
            ["com.example.API_TOKEN", "com.example.dbPassword", "com.example.secrets", "com.example.sshKey"]
        {
            assert_eq!(kept(&["com.example."], key).as_deref(), Some("hidden"), "{key}");
        }
    }

    /// Spec: containers 12
    #[test]
    fn apply_to_more_than_the_limits_keeps_what_fits() {
        let many: Vec<(String, String)> =
            (0..300).map(|n| (format!("com.docker.compose.{n}"), String::new())).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(apply(&[], &many).len(), 128);
        let long = "x".repeat(5000);
        let keys: Vec<String> = (0..100).map(|n| format!("com.docker.compose.{n}")).collect();
        let long: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), long.as_str())).collect();
        let fitting = apply(&[], &long);
        assert_eq!(fitting[0].1.len(), 1024);
        assert_eq!(fitting.len(), 15, "16 KiB in all");
    }
}
