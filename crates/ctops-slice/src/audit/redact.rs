//! Takes secrets out of what goes into the trail, and cuts what is too long (audit-log 5).
//!
//! Callers should not hand secrets in; this is the net below them. A value goes by the name of its field or by its own
//! looks: private keys, tokens with known beginnings, signed tokens, addresses that carry a password or a token.

use std::borrow::Cow;

use ctops_crypto::secret::sha256_hex;
use serde_json::{Map, Value, json};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";
/// Longest value, bytes of JSON; longer ones are replaced by their beginning and their SHA-256.
pub const VALUE_BYTES: usize = 4 * 1024;
/// How much of a value that is too long is kept, bytes.
const BEGINNING_BYTES: usize = 1024;
/// Deepest nesting kept; deeper values are dropped.
const MAX_DEPTH: usize = 16;

/// Words in the name of a field whose value is a secret.
const SECRET_WORDS: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secrets",
    "token",
    "tokens",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "private",
    "assertion",
    "seed",
    "apikey",
    "otp",
    "pem",
];
/// Words before `key` that make it one that must stay secret.
const SECRET_KEYS: [&str; 9] =
    ["api", "private", "licence", "license", "signing", "encryption", "access", "install", "session"];
/// Last words of names that only speak about a secret.
const HARMLESS_ENDINGS: [&str; 22] = [
    "id",
    "ids",
    "label",
    "hint",
    "prefix",
    "suffix",
    "at",
    "count",
    "status",
    "name",
    "days",
    "hours",
    "length",
    "fingerprint",
    "sha256",
    "type",
    "kind",
    "by",
    "mode",
    "required",
    "policy",
    "method",
];
/// Beginnings of our own secrets.
const TOKEN_BEGINNINGS: [&str; 4] = ["tok_", "ctops_pat_", "ctops_svc_", "ctops_"];
/// Shortest text after such a beginning that can be a secret.
const TOKEN_BYTES: usize = 16;

/// The last four characters of a secret, for telling several apart.
pub fn last_four(secret: &str) -> String {
    let count = secret.chars().count();
    if count < 12 {
        return REDACTED.to_owned();
    }
    let tail: String = secret.chars().skip(count - 4).collect();
    format!("…{tail}")
}

/// `value` without secrets, with every member of at most 4 KiB.
pub fn value(value: &Value) -> Value {
    match clean(value, 0) {
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, member)| (name, shorten(member))).collect())
        }
        other => shorten(other),
    }
}

/// `text` without secrets and characters that cannot be stored, at most `limit` bytes.
pub fn text(text: &str, limit: usize) -> Cow<'_, str> {
    let cleaned = clean_text(text);
    if cleaned.len() <= limit {
        return cleaned;
    }
    let kept = limit.saturating_sub('…'.len_utf8());
    Cow::Owned(format!("{}…", beginning(&cleaned, kept)))
}

fn beginning(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn shorten(value: Value) -> Value {
    let written = match &value {
        Value::String(text) if text.len() > VALUE_BYTES => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
        _ => return value,
    };
    if written.len() <= VALUE_BYTES {
        return value;
    }
    json!({
        "truncated": true,
        "bytes": written.len(),
        "sha256": sha256_hex(written.as_bytes()),
        "beginning": beginning(&written, BEGINNING_BYTES),
    })
}

fn clean(value: &Value, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::String("[nested too deeply]".to_owned());
    }
    match value {
        Value::String(text) => Value::String(clean_text(text).into_owned()),
        Value::Array(items) => Value::Array(items.iter().map(|item| clean(item, depth + 1)).collect()),
        Value::Object(members) => {
            let kept: Map<String, Value> = members
                .iter()
                .map(|(name, member)| {
                    let member =
                        if is_secret(name, member) { hidden(member) } else { clean(member, depth + 1) };
                    (clean_text(name).into_owned(), member)
                })
                .collect();
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

/// An empty value is no secret, and whether there is one is worth knowing.
fn hidden(value: &Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() => value.clone(),
        Value::Array(items) if items.is_empty() => value.clone(),
        _ => Value::String(REDACTED.to_owned()),
    }
}

/// Whether the value under this name is a secret. Numbers and yes or no are settings about secrets, not secrets.
fn is_secret(name: &str, value: &Value) -> bool {
    if !matches!(value, Value::String(_) | Value::Array(_) | Value::Object(_)) {
        return false;
    }
    let words = words_of(name);
    let Some(last) = words.last() else { return false };
    if HARMLESS_ENDINGS.contains(&last.as_str()) {
        return false;
    }
    let is_public = words.iter().any(|word| word == "public");
    let has_key = words.windows(2).any(|pair| pair[1] == "key" && SECRET_KEYS.contains(&pair[0].as_str()));
    !is_public && (has_key || words.iter().any(|word| SECRET_WORDS.contains(&word.as_str())))
}

/// The lower-case words of a name in any of the usual spellings.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        let starts = c.is_uppercase() && after_lower;
        if !c.is_alphanumeric() || starts {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase() || c.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Replaces what looks like a secret inside a text.
fn clean_text(text: &str) -> Cow<'_, str> {
    if text.contains("PRIVATE KEY") && text.contains("-----BEGIN") {
        return Cow::Borrowed(REDACTED);
    }
    let suspicious = ["eyJ", "tok_", "ctops_", "://", "earer "].iter().any(|sign| text.contains(sign));
    if !suspicious {
        return if text.contains('\0') {
            Cow::Owned(text.replace('\0', "\u{fffd}"))
        } else {
            Cow::Borrowed(text)
        };
    }
    let is_edge = |c: char| c.is_whitespace() || c == '\0' || ['"', '\'', '<', '>', ','].contains(&c);
    let mut out = String::with_capacity(text.len());
    let mut after_bearer = false;
    for word in text.split_inclusive(is_edge) {
        let bare = word.trim_end_matches(is_edge);
        if after_bearer && !bare.is_empty() {
            out.push_str(REDACTED);
        } else if bare.contains("://") {
            out.push_str(&clean_url(bare));
        } else {
            clean_word(bare, &mut out);
        }
        out.push_str(&word[bare.len()..]);
        if !bare.is_empty() {
            after_bearer = bare.eq_ignore_ascii_case("bearer");
        }
    }
    Cow::Owned(out.replace('\0', "\u{fffd}"))
}

/// Writes a word without tokens in it, as in `key=tok_…` and `(tok_…)`.
fn clean_word(word: &str, out: &mut String) {
    let is_edge = |c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c);
    for part in word.split_inclusive(is_edge) {
        let bare = part.trim_end_matches(is_edge);
        out.push_str(if looks_secret(bare.trim_end_matches('.')) { REDACTED } else { bare });
        out.push_str(&part[bare.len()..]);
    }
}

fn looks_secret(word: &str) -> bool {
    let is_signed_token = word.starts_with("eyJ") && word.len() > 40 && word.split('.').count() == 3;
    let is_own = TOKEN_BEGINNINGS.iter().any(|start| {
        word.strip_prefix(start).is_some_and(|rest| {
            rest.len() >= TOKEN_BYTES && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        })
    });
    is_signed_token || is_own
}

/// An address without password, query and, where the path is the secret, path.
fn clean_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{REDACTED}@{host}"),
        None => authority.to_owned(),
    };
    let secret_paths = ["/services/", "/bot", "/webhook", "/hooks/", "/api/webhooks"];
    let (bare, query) = path.find(['?', '#']).map_or((path, ""), |at| path.split_at(at));
    let long_part = bare.split('/').any(|part| {
        part.len() >= 24
            && part.bytes().any(|b| b.is_ascii_digit())
            && part.bytes().any(|b| b.is_ascii_alphabetic())
    });
    let path = if secret_paths.iter().any(|start| bare.contains(start)) || long_part && !is_id(bare) {
        format!("/{REDACTED}")
    } else {
        bare.to_owned()
    };
    let query = if query.is_empty() { String::new() } else { format!("?{REDACTED}") };
    format!("{scheme}://{authority}{path}{query}")
}

/// Whether the long parts of a path are ids (UUIDs), which are no secrets.
fn is_id(path: &str) -> bool {
    path.split('/').filter(|part| part.len() >= 24).all(|part| uuid::Uuid::try_parse(part).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: audit-log 5
    #[test]
    fn value_when_its_name_speaks_of_a_secret_is_hidden() {
        let cleaned = value(&json!({
            "bind_password": "hunter2", "clientSecret": "s", "api_key": "k", "private_key_pem": "x", "token": "t",
            "nested": {"smtp": [{"Password": "p", "host": "mail"}]}, "recovery_tokens": ["a", "b"],
            "has_password": true, "password_min_length": 12, "token_id": "7", "public_key": "visible",
            "tags": [{"key": "env", "value": "prod"}], "empty_password": "", "key_fingerprint": "SHA256:ab",
        }));
        for name in
            ["bind_password", "clientSecret", "api_key", "private_key_pem", "token", "recovery_tokens"]
        {
            assert_eq!(cleaned[name], REDACTED, "{name}");
        }
        assert_eq!(cleaned["nested"]["smtp"][0], json!({"Password": REDACTED, "host": "mail"}));
        assert_eq!(cleaned["has_password"], true);
        assert_eq!(cleaned["password_min_length"], 12);
        assert_eq!((&cleaned["token_id"], &cleaned["public_key"]), (&json!("7"), &json!("visible")));
        assert_eq!(cleaned["tags"][0], json!({"key": "env", "value": "prod"}));
        assert_eq!(
            (&cleaned["empty_password"], &cleaned["key_fingerprint"]),
            (&json!(""), &json!("SHA256:ab"))
        );
    }

    /// Spec: audit-log 5
    #[test]
    fn text_when_it_holds_a_secret_keeps_only_the_rest() {
        let jwt = format!("eyJ{}.{}.{}", "a".repeat(30), "b".repeat(30), "c".repeat(30));
        for (given, kept) in [
            ("made tok_0123456789abcdef0123 today".to_owned(), "made [redacted] today"),
            (format!("activated {jwt}"), "activated [redacted]"),
            ("sent \"Bearer abc\" on".to_owned(), "sent \"Bearer [redacted]\" on"),
            ("https://u:p@mail.example.com/x".to_owned(), "https://[redacted]@mail.example.com/x"),
            ("https://hooks.slack.com/services/T0/B0/xyz".to_owned(), "https://hooks.slack.com/[redacted]"),
            ("https://a.example.com/in?sig=1".to_owned(), "https://a.example.com/in?[redacted]"),
            ("-----BEGIN PRIVATE KEY-----\nMC4\n".to_owned(), REDACTED),
            ("https://a.example.com/hosts".to_owned(), "https://a.example.com/hosts"),
            ("(key=tok_0123456789abcdef0123)\0".to_owned(), "(key=[redacted])\u{fffd}"),
            ("tok_short and a\0b".to_owned(), "tok_short and a\u{fffd}b"),
        ] {
            assert_eq!(text(&given, 500), kept);
        }
        assert_eq!(last_four("sk-1234567890abcd"), "…abcd");
        assert_eq!(last_four("short"), REDACTED);
    }

    /// Spec: audit-log 5
    #[test]
    fn value_over_4_kib_is_cut_and_names_its_hash() {
        let long = "x".repeat(VALUE_BYTES + 1);
        let cleaned = value(&json!({"script": long, "name": "y".repeat(VALUE_BYTES)}));
        assert_eq!(cleaned["script"]["sha256"], sha256_hex(long.as_bytes()));
        assert_eq!(cleaned["script"]["bytes"], VALUE_BYTES + 1);
        assert!(cleaned["name"].is_string());
        let listed = value(&json!({"hosts": vec!["host"; 2_000]}));
        assert_eq!(listed["hosts"]["truncated"], true);
        assert_eq!(text("äöü", 5), "ä…");
    }
}
