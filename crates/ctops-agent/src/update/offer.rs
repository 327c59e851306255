//! Whether an offered update may be made (agents-enrolment 28, 30): signature, order of versions, platform. Pure.

use ctops_proto::agent::UpdateOffer;
use ctops_proto::release::{self, Artifact, Manifest, PUBLIC_KEY_BYTES, Version};
use ring::signature::{ED25519, UnparsedPublicKey};

/// Public key that releases must be signed with.
pub(super) type Key = [u8; PUBLIC_KEY_BYTES];

/// What this machine runs, in Go names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Platform {
    pub(super) os: &'static str,
    pub(super) arch: &'static str,
}

/// An offer that was checked and is to be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) version: Version,
    pub(super) pinned: bool,
    pub(super) artifact: Artifact,
    /// The manifest names further keys.
    pub(super) names_keys: bool,
    pub(super) manifest_json: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// Why an offer is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("manifest is not signed with the trusted key")]
    Signature,
    #[error("program is not signed with the trusted key")]
    ArtifactSignature,
    #[error(transparent)]
    Manifest(#[from] release::ReleaseError),
    #[error("offered version is not the manifest's")]
    OtherVersion,
    #[error("offered version is older than {0}, which runs, and not pinned")]
    Downgrade(Version),
    #[error("version was rolled back before and is not tried again")]
    Rejected,
    #[error("release has no program for {0}/{1}")]
    NoProgram(&'static str, &'static str),
}

/// What the running agent knows of itself.
pub(super) struct Running<'a> {
    pub(super) version: Version,
    pub(super) platform: Platform,
    pub(super) keys: &'a [Key],
    pub(super) rejected: &'a [Version],
}

/// Checks an offer; none when the offered version runs already.
pub(super) fn check(offer: &UpdateOffer, running: &Running<'_>) -> Result<Option<Plan>, Refusal> {
    let manifest = verify_manifest(running.keys, &offer.manifest_json, &offer.signature)?;
    let wanted: Version = offer.version.parse()?;
    if manifest.version != wanted {
        return Err(Refusal::OtherVersion);
    }
    if wanted == running.version {
        return Ok(None);
    }
    if wanted < running.version && !offer.pinned {
        return Err(Refusal::Downgrade(running.version));
    }
    if running.rejected.contains(&wanted) {
        return Err(Refusal::Rejected);
    }
    let Platform { os, arch } = running.platform;
    let artifact = manifest.artifact(os, arch).ok_or(Refusal::NoProgram(os, arch))?;
    let signature = release::parse_signature(&artifact.signature)?;
    if !is_signed(running.keys, artifact.signed_text(wanted).as_bytes(), &signature) {
        return Err(Refusal::ArtifactSignature);
    }
    Ok(Some(Plan {
        version: wanted,
        pinned: offer.pinned,
        artifact: artifact.clone(),
        names_keys: !manifest.also_trust.is_empty(),
        manifest_json: offer.manifest_json.clone(),
        signature: offer.signature.clone(),
    }))
}

/// The manifest of signed JSON. Nothing of it is looked at before the signature is known to be good.
pub(super) fn verify_manifest(keys: &[Key], json: &[u8], signature: &[u8]) -> Result<Manifest, Refusal> {
    if !is_signed(keys, json, signature) {
        return Err(Refusal::Signature);
    }
    Ok(Manifest::parse(json)?)
}

fn is_signed(keys: &[Key], message: &[u8], signature: &[u8]) -> bool {
    keys.iter().any(|key| UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    const PLATFORM: Platform = Platform { os: "linux", arch: "amd64" };

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn key(pair: &Ed25519KeyPair) -> Key {
        pair.public_key().as_ref().try_into().unwrap()
    }

    fn offer_of(signer: &Ed25519KeyPair, version: &str, change: impl FnOnce(&mut Manifest)) -> UpdateOffer {
        let mut artifact = Artifact {
            os: "linux".into(),
            arch: "amd64".into(),
            url: String::new(),
            size: 3,
            sha256: "ab".repeat(32),
            signature: String::new(),
        };
        let number: Version = version.parse().unwrap();
        artifact.signature = release::to_hex(signer.sign(artifact.signed_text(number).as_bytes()).as_ref());
        let mut manifest = Manifest {
            channel: "stable".into(),
            version: number,
            minimum_version: number,
            released_at: "2026-06-03T12:00:00Z".into(),
            artifacts: vec![artifact],
            also_trust: Vec::new(),
        };
        change(&mut manifest);
        let manifest_json = serde_json::to_vec(&manifest).unwrap();
        let signature = signer.sign(&manifest_json).as_ref().to_vec();
        UpdateOffer { manifest_json, signature, version: version.into(), pinned: false }
    }

    fn judged(offer: &UpdateOffer, running: &str, rejected: &[Version]) -> Result<Option<Plan>, Refusal> {
        let key = key(&pair(1));
        check(
            offer,
            &Running { version: running.parse().unwrap(), platform: PLATFORM, keys: &[key], rejected },
        )
    }

    /// Spec: agents-enrolment 28
    #[test]
    fn offer_when_signed_and_newer_then_is_followed() {
        let plan = judged(&offer_of(&pair(1), "v1.1.0", |_| ()), "v1.0.0", &[]).unwrap().unwrap();
        assert_eq!((plan.version.to_string().as_str(), plan.artifact.size), ("v1.1.0", 3));
    }

    /// Spec: agents-enrolment 28
    #[test]
    fn offer_when_anything_in_it_was_changed_then_is_refused() {
        assert_eq!(judged(&offer_of(&pair(2), "v1.1.0", |_| ()), "v1.0.0", &[]), Err(Refusal::Signature));
        let mut tampered = offer_of(&pair(1), "v1.1.0", |_| ());
        let place = tampered.manifest_json.len() / 2;
        tampered.manifest_json[place] ^= 1;
        assert_eq!(judged(&tampered, "v1.0.0", &[]), Err(Refusal::Signature));
        let resized = offer_of(&pair(1), "v1.1.0", |manifest| manifest.artifacts[0].size += 1);
        assert_eq!(judged(&resized, "v1.0.0", &[]), Err(Refusal::ArtifactSignature));
        let mut renamed = offer_of(&pair(1), "v1.1.0", |_| ());
        renamed.version = "v1.2.0".into();
        assert_eq!(judged(&renamed, "v1.0.0", &[]), Err(Refusal::OtherVersion));
        let foreign = offer_of(&pair(1), "v1.1.0", |manifest| manifest.artifacts[0].arch = "arm64".into());
        assert_eq!(judged(&foreign, "v1.0.0", &[]), Err(Refusal::NoProgram("linux", "amd64")));
    }

    /// Spec: agents-enrolment 30
    #[test]
    fn offer_when_older_then_is_followed_only_if_pinned() {
        let mut offer = offer_of(&pair(1), "v1.1.0", |_| ());
        let running: Version = "v1.2.0".parse().unwrap();
        assert_eq!(judged(&offer, "v1.2.0", &[]), Err(Refusal::Downgrade(running)));
        offer.pinned = true;
        assert!(judged(&offer, "v1.2.0", &[]).unwrap().is_some_and(|plan| plan.pinned));
        assert_eq!(judged(&offer, "v1.1.0", &[]), Ok(None), "it runs already");
    }

    /// Spec: agents-enrolment 29
    #[test]
    fn offer_when_its_version_was_rolled_back_then_is_refused() {
        let offer = offer_of(&pair(1), "v1.1.0", |_| ());
        assert_eq!(judged(&offer, "v1.0.0", &["v1.1.0".parse().unwrap()]), Err(Refusal::Rejected));
    }

    proptest! {
        #[test]
        fn any_offer_is_judged_without_panic(manifest_json: Vec<u8>, signature: Vec<u8>, version in ".{0,12}") {
            let offer = UpdateOffer { manifest_json, signature, version, pinned: true };
            prop_assert!(judged(&offer, "v1.0.0", &[]).is_err());
        }
    }
}
