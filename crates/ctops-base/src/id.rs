//! Ids: time-ordered UUIDs for rows, 24-character names for agents.

use rand::RngExt;
use uuid::Uuid;

/// Characters of an agent id (wire contract, `RegisterResponse.agent_id`).
const AGENT_ID_ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// Length of an agent id.
pub const AGENT_ID_LEN: usize = 24;

/// A new time-ordered id (UUID version 7, RFC 9562 section 5.7).
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// A new agent id: 24 random characters `[a-z0-9]`, 124 bits.
pub fn new_agent_id() -> String {
    let mut rng = rand::rng();
    (0..AGENT_ID_LEN)
        .map(|_| char::from(AGENT_ID_ALPHABET[rng.random_range(0..AGENT_ID_ALPHABET.len())]))
        .collect()
}

/// Whether `text` has the form of an agent id.
pub fn is_agent_id(text: &str) -> bool {
    text.len() == AGENT_ID_LEN && text.bytes().all(|b| AGENT_ID_ALPHABET.contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agent_ids_have_the_form_of_the_contract_and_differ() {
        let (a, b) = (new_agent_id(), new_agent_id());
        assert!(is_agent_id(&a) && is_agent_id(&b));
        assert_ne!(a, b);
    }

    #[test]
    fn other_texts_are_not_agent_ids() {
        for text in
            ["", "abc", "ABCDEFGHIJKLMNOPQRSTUVWX", "abcdefghijklmnopqrstuvw/", "abcdefghijklmnopqrstuvwxyz"]
        {
            assert!(!is_agent_id(text), "{text}");
        }
    }
}
