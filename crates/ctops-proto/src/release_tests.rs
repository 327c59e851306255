//! Versions and manifests of releases, as whoever wants to pass something off would write them.

#![allow(clippy::unwrap_used)]

use std::cmp::Ordering;

use proptest::prelude::*;

use crate::release::{Manifest, ReleaseError, Version, check_channel, parse_key, parse_signature, to_hex};

fn version() -> impl Strategy<Value = Version> {
    let number = || prop_oneof![0_u32..4, 0_u32..=999_999];
    (number(), number(), number())
        .prop_map(|(major, minor, patch)| Version::new(major, minor, patch).unwrap())
}

/// A manifest with one program, `change` made to its JSON.
fn parsed(change: impl FnOnce(&mut serde_json::Value)) -> Result<Manifest, ReleaseError> {
    let mut json = serde_json::json!({
        "channel": "stable", "version": "v1.2.3", "minimum_version": "v1.0.0", "released_at": "2026-06-03T12:00:00Z",
        "artifacts": [{"os": "linux", "arch": "amd64", "url": "/x", "size": 3, "sha256": "ab".repeat(32), "signature": "cd".repeat(64)}],
    });
    change(&mut json);
    Manifest::parse(&serde_json::to_vec(&json).unwrap())
}

/// Spec: agents-enrolment 28, 30
#[test]
fn version_when_it_names_a_pre_release_or_a_build_then_is_none() {
    for bad in [
        "1.2.3-rc.1",
        "v1.2.3-alpha",
        "1.2.3+build5",
        "1.2.3-",
        "v1.2.3 ",
        " v1.2.3",
        "vv1.2.3",
        "V1.2.3",
        "1.2.3\n",
        "1..3",
        "1.2.",
        ".2.3",
        "1.2.-3",
        "1.2.+3",
        "1.2.03",
        "1.2.3.0",
        "1.2.1e3",
        "1.2.٣",
        "4294967296.0.0",
        "1000000.0.0",
        "v",
        "latest",
        "1.2.3\0",
        "99999999999999999999.0.0",
    ] {
        assert_eq!(bad.parse::<Version>(), Err(ReleaseError::Version), "{bad:?}");
    }
    assert!("v999999.999999.999999".parse::<Version>().is_ok());
    assert_eq!(Version::new(0, 0, 1_000_000), Err(ReleaseError::Version));
}

/// Spec: agents-enrolment 28
#[test]
fn manifest_when_a_platform_or_digest_leads_out_of_the_store_then_is_refused() {
    assert!(parsed(|_| ()).is_ok());
    for (field, values) in [
        ("os", ["../linux", "linux/..", "Linux", "linux\0", ""]),
        ("arch", ["../amd64", "amd64/", "x86_64", "amd64 ", ""]),
        ("sha256", ["../../../../etc/shadow", "/etc/passwd", "ab", "", "."]),
        ("signature", ["../x", "cd", "", "zz", "."]),
    ] {
        for value in values {
            let refused = parsed(|json| json["artifacts"][0][field] = value.into());
            assert_eq!(refused, Err(ReleaseError::Artifact), "{field} {value:?}");
        }
    }
    let path = format!("{}/..", "a".repeat(61));
    assert_eq!(
        parsed(|json| json["artifacts"][0]["sha256"] = path.into()),
        Err(ReleaseError::Artifact),
        "64 characters"
    );
    for channel in ["..", "stable/../x", "stable ", "", "ü", "a_b", "A", &"a".repeat(33)] {
        assert_eq!(
            parsed(|json| json["channel"] = channel.into()),
            Err(ReleaseError::Channel),
            "{channel:?}"
        );
        assert_eq!(check_channel(channel), Err(ReleaseError::Channel));
    }
}

/// Spec: agents-enrolment 28
#[test]
fn manifest_when_a_value_has_another_type_or_is_missing_then_is_malformed() {
    for (field, value) in [
        ("version", serde_json::json!("1.2.3-rc1")),
        ("version", serde_json::json!(1)),
        ("minimum_version", serde_json::json!(null)),
        ("channel", serde_json::json!(["stable"])),
        ("artifacts", serde_json::json!({})),
        ("also_trust", serde_json::json!("ab")),
        ("released_at", serde_json::json!(5)),
    ] {
        assert_eq!(
            parsed(|json| json[field] = value.clone()),
            Err(ReleaseError::Malformed),
            "{field} {value}"
        );
    }
    for size in
        [serde_json::json!(-1), serde_json::json!(1.5), serde_json::json!("3"), serde_json::json!(1e30)]
    {
        assert_eq!(
            parsed(|json| json["artifacts"][0]["size"] = size.clone()),
            Err(ReleaseError::Malformed),
            "{size}"
        );
    }
    for field in ["channel", "version", "minimum_version", "released_at", "artifacts"] {
        let without = parsed(|json| drop(json.as_object_mut().unwrap().remove(field)));
        assert_eq!(without, Err(ReleaseError::Malformed), "{field}");
    }
    let twice = br#"{"channel":"a","channel":"b","version":"v1.0.0","minimum_version":"v1.0.0","released_at":"","artifacts":[]}"#;
    assert_eq!(Manifest::parse(twice), Err(ReleaseError::Malformed), "a key twice could mean two things");
    let deep = "[".repeat(50_000);
    assert_eq!(Manifest::parse(deep.as_bytes()), Err(ReleaseError::Malformed));
}

proptest! {
    /// Spec: agents-enrolment 28
    #[test]
    fn any_three_versions_are_in_one_order(a in version(), b in version(), c in version()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse(), "antisymmetric");
        prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
        if a <= b && b <= c {
            prop_assert!(a <= c, "transitive");
        }
        prop_assert_eq!(a.rank().cmp(&b.rank()), a.cmp(&b), "the database orders like us");
        prop_assert!(a.rank() >= 0);
    }

    #[test]
    fn any_version_has_one_spelling_that_is_read_back(version in version(), text in "v?[0-9]{1,7}\\.[0-9]{1,7}\\.[0-9]{1,7}") {
        let shown = version.to_string();
        prop_assert_eq!(shown.parse::<Version>(), Ok(version));
        prop_assert_eq!(shown[1..].parse::<Version>(), Ok(version));
        prop_assert_eq!(serde_json::to_string(&version).unwrap(), format!("\"{shown}\""));
        if let Ok(read) = text.parse::<Version>() {
            prop_assert_eq!(read.to_string(), format!("v{}", text.trim_start_matches('v')));
        }
    }

    #[test]
    fn any_bytes_are_no_manifest_or_one_within_the_limits(bytes: Vec<u8>, place in any::<proptest::sample::Index>(), byte: u8) {
        prop_assert!(Manifest::parse(&bytes).is_err());
        let mut json = serde_json::to_vec(&parsed(|_| ()).unwrap()).unwrap();
        let place = place.index(json.len());
        json[place] = byte;
        if let Ok(manifest) = Manifest::parse(&json) {
            prop_assert_eq!(manifest.check(), Ok(()));
            let artifact = &manifest.artifacts[0];
            prop_assert!(artifact.sha256.bytes().all(|b| b.is_ascii_hexdigit()) && artifact.sha256.len() == 64);
            prop_assert!(!artifact.signed_text(manifest.version).starts_with('{'), "passes for no manifest");
            prop_assert_eq!(Manifest::parse(&serde_json::to_vec(&manifest).unwrap()), Ok(manifest));
        }
    }

    #[test]
    fn any_key_is_read_back_and_any_other_text_refused(key: [u8; 32], text in "\\PC{0,130}|[0-9a-fé]{60,66}") {
        prop_assert_eq!(parse_key(&to_hex(&key)), Ok(key));
        prop_assert_eq!(parse_key(&to_hex(&key).to_uppercase()), Ok(key));
        let is_key = text.trim().len() == 64 && text.trim().bytes().all(|b| b.is_ascii_hexdigit());
        prop_assert_eq!(parse_key(&text).is_ok(), is_key);
        let is_signature = text.len() == 128 && text.bytes().all(|b| b.is_ascii_hexdigit());
        prop_assert_eq!(parse_signature(&text).is_ok(), is_signature);
    }
}
