//! The identity inside an agent certificate: `spiffe://ct-ops/agent/<agent id>` (security 19).

const PREFIX: &str = "spiffe://ct-ops/agent/";
const AGENT_ID_CHARS: usize = 24;

/// Whether `text` has the form of an agent id: 24 characters of `[a-z0-9]`.
pub fn is_agent_id(text: &str) -> bool {
    text.len() == AGENT_ID_CHARS && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// The URI that names an agent. `agent_id` is taken as it is; see [`is_agent_id`].
pub fn agent_uri(agent_id: &str) -> String {
    format!("{PREFIX}{agent_id}")
}

/// The agent id in `uri`, if the URI has exactly the form that [`agent_uri`] makes: no port, user, query, fragment,
/// percent-encoding or further path segment is tolerated, so two spellings never name one agent.
pub fn agent_id_from_uri(uri: &str) -> Option<&str> {
    uri.strip_prefix(PREFIX).filter(|id| is_agent_id(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "abcdefghijklmnopqrst0189";

    #[test]
    fn agent_id_from_uri_when_exact_gives_the_id() {
        assert_eq!(agent_id_from_uri(&agent_uri(ID)), Some(ID));
    }

    /// Spec: security 19
    #[test]
    fn agent_id_from_uri_when_anything_differs_gives_nothing() {
        for uri in [
            "".to_owned(),
            "spiffe://ct-ops/agent/".to_owned(),
            format!("spiffe://ct-ops/agents/{ID}"),
            format!("spiffe://ct-ops/agent//{ID}"),
            format!("spiffe://ct-ops/agent/{ID}/"),
            format!("spiffe://ct-ops/agent/{ID}/x"),
            format!("spiffe://ct-ops/agent/{ID}?a=b"),
            format!("spiffe://ct-ops/agent/{ID}#f"),
            format!("spiffe://ct-ops:443/agent/{ID}"),
            format!("spiffe://u@ct-ops/agent/{ID}"),
            format!("spiffe://ct-ops.evil/agent/{ID}"),
            format!("SPIFFE://ct-ops/agent/{ID}"),
            format!("https://ct-ops/agent/{ID}"),
            format!(" spiffe://ct-ops/agent/{ID}"),
            format!("spiffe://ct-ops/agent/{}", ID.to_uppercase()),
            format!("spiffe://ct-ops/agent/{}%61", &ID[..21]),
            format!("spiffe://ct-ops/agent/{}", &ID[..23]),
            format!("spiffe://ct-ops/agent/{ID}a"),
            format!("spiffe://ct-ops/agent/{}\0", &ID[..23]),
        ] {
            assert_eq!(agent_id_from_uri(&uri), None, "{uri:?}");
        }
    }

    proptest! {
        #[test]
        fn agent_id_from_uri_when_it_accepts_gives_back_the_same_uri(uri in "(spiffe://ct-ops/agent/)?[a-z0-9/?#%]{0,30}") {
            if let Some(id) = agent_id_from_uri(&uri) {
                prop_assert!(is_agent_id(id));
                prop_assert_eq!(agent_uri(id), uri);
            }
        }
    }
}
