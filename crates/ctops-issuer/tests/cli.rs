//! The commands from key to revocation.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use ctops_issuer::cli::{Cli, run};
use ctops_issuer::keys::{Home, SigningKey};
use ctops_licence::{ActivationToken, DEVELOPMENT_VERIFIER_PEM, Moment, Verifier, read_bundle, read_licence};

const ORG: &str = "0198c3d2-0000-7000-8000-000000000001";

fn now() -> DateTime<Utc> {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// The answer of a command, or its refusal.
fn call(arguments: &[&str]) -> Result<String, String> {
    let cli = Cli::try_parse_from([&["ct-ops-licence"], arguments].concat()).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    run(&cli, now(), &mut out).map_err(|error| format!("{error:#}"))?;
    Ok(String::from_utf8(out).unwrap())
}

fn token(age: TimeDelta) -> String {
    let token = ActivationToken {
        organisation_id: ORG.into(),
        organisation_name: "Dubois".into(),
        generated_at: now() - age,
        nonce: "n".into(),
    };
    token.encode()
}

const ORDER: [&str; 7] =
    ["mint", "--tier", "pro", "--customer-name", "Dubois", "--customer-email", "it@dubois.example"];

fn mint(more: &[&str]) -> Result<String, String> {
    call(&[&ORDER[..], more].concat())
}

/// A directory with a key, and the arguments that name it.
struct Issuer {
    dir: tempfile::TempDir,
    passphrase: String,
}

impl Issuer {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passphrase");
        std::fs::write(&file, "correct horse battery\n").unwrap();
        let issuer = Self { passphrase: file.to_str().unwrap().to_owned(), dir };
        issuer.call(&["keygen", "--bits", "2048"]).unwrap();
        issuer
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn call(&self, arguments: &[&str]) -> Result<String, String> {
        let place = ["--dir", self.path().to_str().unwrap(), "--passphrase-file", &self.passphrase];
        call(&[arguments, &place[..]].concat())
    }

    fn mint(&self, more: &[&str]) -> Result<String, String> {
        self.call(&[&ORDER[..], more].concat())
    }

    fn ring(&self) -> Vec<Verifier> {
        Home::new(self.path()).ring().unwrap()
    }
}

/// Spec: licensing 22
#[test]
fn a_key_is_made_a_licence_minted_verified_and_revoked() {
    let issuer = Issuer::new();
    let private = std::fs::read_to_string(issuer.path().join("issuer-key.pem")).unwrap();
    assert!(private.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    let public = issuer.path().join("issuer-public.pem");
    let key = issuer
        .mint(&["--token", &token(TimeDelta::days(1)), "--max-hosts", "25", "--features", "ssoSaml"])
        .unwrap();
    let verified = call(&["verify", &key, "--public-key", public.to_str().unwrap()]).unwrap();
    for part in [ORG, "Dubois <it@dubois.example>", "pro", "ssoSaml", "25", "(valid)"] {
        assert!(verified.contains(part), "{part}: {verified}");
    }
    assert!(call(&["inspect", &key]).unwrap().starts_with("NOT VERIFIED"));
    let development = issuer.path().join("dev.pem");
    std::fs::write(&development, DEVELOPMENT_VERIFIER_PEM).unwrap();
    let refused = call(&["verify", &key, "--public-key", development.to_str().unwrap()]).unwrap_err();
    assert!(refused.contains("not signed by"), "{refused}");

    let jti = read_licence(key.trim(), &issuer.ring()[0], Moment::Any).unwrap().jti;
    assert!(std::fs::read_to_string(issuer.path().join("ledger.jsonl")).unwrap().contains(&jti));
    for _ in 0..2 {
        issuer.call(&["revoke", "add", &jti, "--reason", "refunded"]).unwrap();
    }
    assert_eq!(issuer.call(&["revoke", "list"]).unwrap().lines().count(), 1);
    let bundle = issuer.call(&["revoke", "publish"]).unwrap();
    assert!(read_bundle(bundle.trim(), &issuer.ring()).unwrap().revoked.contains(&jti));
}

/// Spec: licensing 22
#[test]
fn rotation_keeps_old_public_keys_in_the_ring() {
    let issuer = Issuer::new();
    let old = issuer.mint(&["--org", ORG]).unwrap();
    issuer.call(&["rotate", "--bits", "2048"]).unwrap();
    let new = issuer.mint(&["--org", ORG]).unwrap();
    let ring = issuer.ring();
    assert_eq!(ring.len(), 2);
    for (key, position) in [(&old, 0), (&new, 1)] {
        for (at, verifier) in ring.iter().enumerate() {
            assert_eq!(read_licence(key.trim(), verifier, Moment::Any).is_ok(), at == position);
        }
    }
    assert!(issuer.call(&["keygen"]).unwrap_err().contains("use rotate"));
    std::fs::write(&issuer.passphrase, "wrong horse battery").unwrap();
    assert!(issuer.mint(&["--org", ORG]).unwrap_err().contains("passphrase is wrong"));
    std::fs::write(&issuer.passphrase, "short").unwrap();
    let other = tempfile::tempdir().unwrap();
    let place = ["--dir", other.path().to_str().unwrap(), "--passphrase-file", &issuer.passphrase];
    let short = call(&[&["keygen", "--bits", "2048"], &place[..]].concat()).unwrap_err();
    assert!(short.contains("at least 12"), "{short}");
}

/// Spec: licensing 6, 23
#[test]
fn mint_refuses_what_is_likely_a_mistake() {
    let refused = |more: &[&str]| mint(&[&["--dev"], more].concat()).unwrap_err();
    assert!(refused(&["--token", &token(TimeDelta::days(31))]).contains("older than 30 days"));
    assert!(refused(&["--token", &token(-TimeDelta::minutes(6))]).contains("5 minutes ahead"));
    assert!(refused(&["--org", ORG, "--days", "1097"]).contains("1096"));
    assert!(refused(&["--org", ORG, "--days", "0"]).contains("at least one day"));
    assert!(refused(&["--org", ORG, "--features", "teleport"]).contains("teleport"));
    assert!(refused(&["--org", ORG, "--max-hosts", "0"]).contains("at least one host"));
    assert!(
        refused(&["--org", ORG, "--dir", "/anywhere"]).contains("development key"),
        "a production key with --dev"
    );
    assert!(mint(&["--org", ORG]).unwrap_err().contains("--dir"), "no key, and not --dev");
    assert!(mint(&["--dev", "--org", ORG, "--days", "1097", "--force"]).is_ok());
    assert!(mint(&["--dev", "--org", ORG, "--features", "teleport", "--allow-unknown"]).is_ok());
    let community = call(&[
        "mint",
        "--dev",
        "--org",
        ORG,
        "--tier",
        "community",
        "--customer-name",
        "x",
        "--customer-email",
        "y",
    ]);
    assert!(community.unwrap_err().contains("community needs no licence"));
}

/// Spec: licensing 10, 22
#[test]
fn the_development_key_is_the_one_that_production_refuses() {
    let key = SigningKey::development().unwrap();
    assert_eq!(key.verifier(), &Verifier::from_pem(DEVELOPMENT_VERIFIER_PEM).unwrap());
    let token = mint(&["--dev", "--token", &token(TimeDelta::zero())]).unwrap();
    assert!(read_licence(token.trim(), key.verifier(), Moment::At(now().timestamp())).is_ok());
}

/// Spec: licensing 22
#[test]
fn a_token_is_shown_for_people_to_compare() {
    let shown = call(&["token", "decode", &token(TimeDelta::days(2))]).unwrap();
    assert!(
        shown.contains("organisation Dubois")
            && shown.contains(ORG)
            && shown.contains("2026-11-20T10:00:00Z")
    );
    assert!(call(&["token", "decode", "infw-act_x"]).unwrap_err().contains("not an activation token"));
    assert!(call(&["token", "decode", &token(TimeDelta::days(40))]).is_err());
}
