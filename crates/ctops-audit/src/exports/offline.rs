//! Checks an exported file without a server: the signature over any format, and hash by hash what JSON Lines hold.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use ctops_crypto::signing::is_signed;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::model::signed_message;
use crate::event::{Hash, SealedEvent};

/// The detached signature of an export, as the server hands it out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The export.
    pub export: Uuid,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Ed25519 over `ct-ops audit export v1`, the id and the SHA-256, each with a line feed; hex.
    pub signature: String,
    /// The key, hex. Compare it with the one that the installation shows.
    pub public_key: String,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileReport {
    /// Events in the file.
    pub events: u64,
    /// Whether the signature is right; none when none was given.
    pub signed: Option<bool>,
    /// Neighbours in the chain that are both in the file and fit.
    pub links: u64,
    /// The first thing that is wrong.
    pub first_break: Option<String>,
}

impl FileReport {
    /// Whether nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.first_break.is_none() && self.signed != Some(false)
    }
}

/// Checks a file. `public_key` is the one the installation shows; without it the one in the signature is believed, which
/// proves only that the file was not damaged. Hashes are recomputed in files of JSON Lines.
///
/// # Errors
/// When the file cannot be read.
pub fn verify_file(
    file: impl Read,
    json_lines: bool,
    signature: Option<&Signature>,
    public_key: Option<&str>,
) -> std::io::Result<FileReport> {
    let mut report = FileReport::default();
    let mut hasher = Sha256::new();
    let mut places: BTreeMap<i64, (Hash, Hash)> = BTreeMap::new();
    let mut reader = std::io::BufReader::new(file);
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        hasher.update(&line);
        number += 1;
        if json_lines && number > 1 {
            check_line(&line, number, &mut places, &mut report);
        }
    }
    for (before, after) in places.iter().zip(places.iter().skip(1)) {
        if before.0 + 1 != *after.0 {
            continue;
        }
        if before.1.1 == after.1.0 {
            report.links += 1;
        } else if report.first_break.is_none() {
            report.first_break = Some(format!("event {} does not follow event {}", after.0, before.0));
        }
    }
    let sha256: Hash = hasher.finalize().into();
    report.signed = signature.map(|signature| is_right(signature, &sha256, public_key));
    Ok(report)
}

fn check_line(line: &[u8], number: u64, places: &mut BTreeMap<i64, (Hash, Hash)>, report: &mut FileReport) {
    let wrong = match serde_json::from_slice::<SealedEvent>(line) {
        Err(_) => Some(format!("line {number} is not an event")),
        Ok(sealed) => {
            report.events += 1;
            let known = places.insert(sealed.seq, (sealed.prev_hash.0, sealed.hash.0));
            if known.is_some() {
                Some(format!("line {number}: event {} is in the file twice", sealed.seq))
            } else if sealed.is_intact() {
                None
            } else {
                Some(format!("line {number}: event {} was changed", sealed.seq))
            }
        }
    };
    report.first_break = report.first_break.take().or(wrong);
}

fn is_right(signature: &Signature, sha256: &Hash, public_key: Option<&str>) -> bool {
    let expected = public_key.unwrap_or(&signature.public_key);
    let key: Option<[u8; 32]> = hex::decode(expected).ok().and_then(|bytes| bytes.try_into().ok());
    let (Some(key), Ok(bytes)) = (key, hex::decode(&signature.signature)) else { return false };
    signature.public_key.eq_ignore_ascii_case(expected)
        && signature.sha256.eq_ignore_ascii_case(&hex::encode(sha256))
        && is_signed(&key, signed_message(signature.export, sha256).as_bytes(), &bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ctops_crypto::signing::SigningKey;

    use super::*;
    use crate::event::{GENESIS, HashBytes, tests::sample};

    fn file(count: i64) -> Vec<String> {
        let mut previous = GENESIS;
        let mut lines = vec!["{\"about\":{}}\n".to_owned()];
        for seq in 1..=count {
            let mut event = sample();
            event.summary = format!("event {seq}");
            let hash = event.hash(&previous);
            let sealed = SealedEvent { seq, prev_hash: HashBytes(previous), hash: HashBytes(hash), event };
            lines.push(format!("{}\n", serde_json::to_string(&sealed).unwrap()));
            previous = hash;
        }
        lines
    }

    fn check(lines: &[String]) -> FileReport {
        verify_file(lines.concat().as_bytes(), true, None, None).unwrap()
    }

    /// Spec: audit-log 7, 14
    #[test]
    fn file_when_an_event_was_changed_or_exchanged_is_broken() {
        let lines = file(4);
        assert_eq!(check(&lines), FileReport { events: 4, links: 3, ..FileReport::default() });
        let mut changed = lines.clone();
        changed[2] = changed[2].replace("event 2", "event X");
        assert_eq!(check(&changed).first_break.unwrap(), "line 3: event 2 was changed");
        let mut other = lines.clone();
        let mut sealed: SealedEvent = serde_json::from_str(&other[3]).unwrap();
        sealed.prev_hash = HashBytes([9; 32]);
        sealed.hash = HashBytes(sealed.event.hash(&[9; 32]));
        other[3] = format!("{}\n", serde_json::to_string(&sealed).unwrap());
        assert_eq!(check(&other).first_break.unwrap(), "event 3 does not follow event 2");
        let mut twice = lines.clone();
        twice.push(lines[1].clone());
        assert!(check(&twice).first_break.unwrap().contains("twice"));
        let mut part = lines;
        part.remove(2);
        assert_eq!((check(&part).is_intact(), check(&part).links), (true, 1), "a filter leaves events out");
    }

    /// Spec: audit-log 14
    #[test]
    fn signature_is_right_for_its_file_and_key_only() {
        let key = SigningKey::generate();
        let bytes = file(2).concat();
        let sha256: Hash = Sha256::digest(bytes.as_bytes()).into();
        let export = Uuid::from_u128(5);
        let signature = Signature {
            export,
            sha256: hex::encode(sha256),
            signature: hex::encode(key.sign(signed_message(export, &sha256).as_bytes())),
            public_key: hex::encode(key.public_key()),
        };
        let signed = |bytes: &str, public: Option<&str>| {
            verify_file(bytes.as_bytes(), true, Some(&signature), public).unwrap().signed.unwrap()
        };
        assert!(signed(&bytes, None) && signed(&bytes, Some(&signature.public_key)));
        assert!(!signed(&bytes[1..], None), "another file");
        assert!(!signed(&bytes, Some(&hex::encode(SigningKey::generate().public_key()))), "another key");
    }
}
