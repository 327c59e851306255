//! The issuer's list of revoked keys: one JSON object a line, only ever appended to.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use ctops_licence::{ISSUER, REVOCATION_AUDIENCE};
use serde_json::{Value, json};

use crate::keys::{Home, SigningKey};

const LIST_FILE: &str = "revoked.jsonl";

/// Adds a key to the list. Adding it again changes nothing.
///
/// # Errors
/// When the list cannot be read or written.
pub fn add(home: &Home, jti: &str, reason: &str, now: DateTime<Utc>) -> Result<()> {
    ensure!(!jti.trim().is_empty(), "the id of the key is empty");
    if list(home)?.iter().any(|entry| entry["jti"] == jti) {
        return Ok(());
    }
    let at = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    home.append(LIST_FILE, &format!("{}\n", json!({"jti": jti, "reason": reason, "at": at})))
}

/// The entries, oldest first.
///
/// # Errors
/// When the list cannot be read.
pub fn list(home: &Home) -> Result<Vec<Value>> {
    let path = home.file(LIST_FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let parse = |line| serde_json::from_str(line).with_context(|| format!("{} is damaged", path.display()));
    text.lines().filter(|line| !line.trim().is_empty()).map(parse).collect()
}

/// The signed bundle (licensing 17).
///
/// # Errors
/// When the list cannot be read or the key cannot sign.
pub fn publish(home: &Home, key: &SigningKey, days: i64, now: DateTime<Utc>) -> Result<String> {
    let entries = list(home)?;
    let revoked: BTreeSet<&str> = entries.iter().filter_map(|entry| entry["jti"].as_str()).collect();
    let ends =
        TimeDelta::try_days(days).and_then(|term| now.checked_add_signed(term)).context("too many days")?;
    key.sign(&json!({
        "iss": ISSUER,
        "aud": REVOCATION_AUDIENCE,
        "iat": now.timestamp(),
        "exp": ends.timestamp(),
        "revoked": revoked,
    }))
}
