//! A release in one file: what `ct-ops release sign` writes and publishing reads.
//!
//! `"CT-OPS-REL1\n" ‖ length of the manifest (4 bytes, big-endian) ‖ manifest ‖ signature (64 bytes) ‖ programs`, the
//! programs in the order and with the sizes of the manifest. Nothing of the manifest is used before its signature is known
//! to be good.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, Utc};
use ctops_crypto::signing::{SigningKey, is_signed};
use ctops_proto::release::{
    Artifact, MAX_ARTIFACT_BYTES, MAX_MANIFEST_BYTES, Manifest, ReleaseError, SIGNATURE_BYTES, Version,
    parse_signature, to_hex,
};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

const MAGIC: &[u8; 12] = b"CT-OPS-REL1\n";

/// A release to sign.
#[derive(Clone, Debug)]
pub struct NewRelease {
    /// Who it is for.
    pub channel: String,
    /// What it is.
    pub version: Version,
    /// Agents below are updated without being told to.
    pub minimum_version: Version,
    /// Now.
    pub released_at: DateTime<Utc>,
    /// At least one.
    pub programs: Vec<Program>,
    /// Further public keys, hex, that agents trust once they have this release.
    pub also_trust: Vec<String>,
}

/// A program of a release.
#[derive(Clone, Debug)]
pub struct Program {
    /// `linux`, `darwin` or `windows`.
    pub os: String,
    /// `amd64` or `arm64`.
    pub arch: String,
    /// The file.
    pub path: PathBuf,
}

/// A manifest with a good signature.
#[derive(Clone, Debug)]
pub struct SignedManifest {
    /// What it says.
    pub manifest: Manifest,
    /// Exactly what was signed.
    pub json: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// Why a release cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A program cannot be read.
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// What was given makes no release.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The manifest cannot be written.
    #[error("the manifest cannot be written")]
    Manifest(#[from] serde_json::Error),
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum BundleError {
    #[error("not a release bundle")]
    NotABundle,
    #[error("bundle ends too early")]
    CutOff,
    #[error("bundle cannot be read")]
    Unreadable(#[source] io::Error),
    #[error("bundle is not signed with the trusted release key")]
    Signature,
    #[error(transparent)]
    Release(#[from] ReleaseError),
}

/// Signs a release. Reads every program once, in pieces.
///
/// # Errors
/// When a program cannot be read or breaks a limit.
pub fn sign(key: &SigningKey, release: &NewRelease) -> Result<SignedManifest, SignError> {
    let mut artifacts = Vec::with_capacity(release.programs.len());
    for program in &release.programs {
        let unreadable = |error| SignError::Unreadable(program.path.clone(), error);
        let (size, sha256) = digest(&program.path).map_err(unreadable)?;
        let version = release.version;
        let mut artifact = Artifact {
            os: program.os.clone(),
            arch: program.arch.clone(),
            url: format!("/api/v1/agent/binary?os={}&arch={}&version={version}", program.os, program.arch),
            size,
            sha256,
            signature: String::new(),
        };
        artifact.signature = to_hex(&key.sign(artifact.signed_text(version).as_bytes()));
        artifacts.push(artifact);
    }
    let manifest = Manifest {
        channel: release.channel.clone(),
        version: release.version,
        minimum_version: release.minimum_version,
        released_at: release.released_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        artifacts,
        also_trust: release.also_trust.clone(),
    };
    manifest.check()?;
    let json = serde_json::to_vec_pretty(&manifest)?;
    let signature = key.sign(&json).to_vec();
    Ok(SignedManifest { manifest, json, signature })
}

fn digest(path: &PathBuf) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?.take(MAX_ARTIFACT_BYTES + 1);
    let (mut hash, mut size, mut piece) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok((size, to_hex(&hash.finalize())));
        }
        size += read as u64;
        hash.update(&piece[..read]);
    }
}

/// Writes the bundle of a signed release.
///
/// # Errors
/// When a program cannot be read any more, changed since it was signed, or the bundle cannot be written.
pub fn write_bundle(out: &mut impl Write, signed: &SignedManifest, programs: &[Program]) -> io::Result<()> {
    out.write_all(MAGIC)?;
    let length = u32::try_from(signed.json.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(&signed.json)?;
    out.write_all(&signed.signature)?;
    for (program, artifact) in programs.iter().zip(&signed.manifest.artifacts) {
        let copied = io::copy(&mut File::open(&program.path)?.take(artifact.size), out)?;
        if copied != artifact.size {
            return Err(io::Error::other(format!("{} changed meanwhile", program.path.display())));
        }
    }
    out.flush()
}

/// Reads a bundle up to its first program. The manifest is signed with `key`, and so is every program's description.
pub(super) async fn read_manifest(
    reader: &mut (impl AsyncRead + Unpin),
    key: &[u8; 32],
) -> Result<SignedManifest, BundleError> {
    let mut head = [0; MAGIC.len() + 4];
    read(reader, &mut head).await?;
    let (magic, length) = head.split_at(MAGIC.len());
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    if magic != MAGIC || length > MAX_MANIFEST_BYTES {
        return Err(BundleError::NotABundle);
    }
    let mut json = vec![0; length];
    read(reader, &mut json).await?;
    let mut signature = vec![0; SIGNATURE_BYTES];
    read(reader, &mut signature).await?;
    if !is_signed(key, &json, &signature) {
        return Err(BundleError::Signature);
    }
    let manifest = Manifest::parse(&json)?;
    for artifact in &manifest.artifacts {
        let of_artifact = parse_signature(&artifact.signature)?;
        if !is_signed(key, artifact.signed_text(manifest.version).as_bytes(), &of_artifact) {
            return Err(BundleError::Signature);
        }
    }
    Ok(SignedManifest { manifest, json, signature })
}

async fn read(reader: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> Result<(), BundleError> {
    reader.read_exact(buffer).await.map(drop).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => BundleError::CutOff,
        _ => BundleError::Unreadable(error),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn release(dir: &std::path::Path) -> NewRelease {
        let programs = [("amd64", "one"), ("arm64", "other")].map(|(arch, content)| {
            let path = dir.join(arch);
            std::fs::write(&path, content).unwrap();
            Program { os: "linux".into(), arch: arch.into(), path }
        });
        NewRelease {
            channel: "stable".into(),
            version: "v1.2.3".parse().unwrap(),
            minimum_version: "v1.0.0".parse().unwrap(),
            released_at: DateTime::from_timestamp(1_780_488_000, 0).unwrap(),
            programs: programs.into(),
            also_trust: Vec::new(),
        }
    }

    /// Spec: agents-enrolment 28
    #[tokio::test]
    async fn bundle_when_written_then_is_read_back_and_any_change_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (key, release) = (SigningKey::generate(), release(dir.path()));
        let signed = sign(&key, &release).unwrap();
        assert_eq!((signed.manifest.artifacts[0].size, signed.manifest.artifacts.len()), (3, 2));
        let mut bundle = Vec::new();
        write_bundle(&mut bundle, &signed, &release.programs).unwrap();
        let mut reader = bundle.as_slice();
        let read = read_manifest(&mut reader, &key.public_key()).await.unwrap();
        assert_eq!((read.manifest, reader), (signed.manifest, &b"oneother"[..]));

        let other = SigningKey::generate().public_key();
        assert!(matches!(read_manifest(&mut bundle.as_slice(), &other).await, Err(BundleError::Signature)));
        let head = bundle.len() - 8;
        for place in (0..head).step_by(37) {
            let mut changed = bundle.clone();
            changed[place] ^= 0x20;
            assert!(read_manifest(&mut changed.as_slice(), &key.public_key()).await.is_err(), "byte {place}");
            assert!(read_manifest(&mut &bundle[..place], &key.public_key()).await.is_err(), "cut at {place}");
        }
    }

    #[test]
    fn release_without_programs_or_with_a_missing_one_cannot_be_signed() {
        let dir = tempfile::tempdir().unwrap();
        let key = SigningKey::generate();
        let mut wrong = release(dir.path());
        wrong.programs[0].path = dir.path().join("none");
        assert!(matches!(sign(&key, &wrong), Err(SignError::Unreadable(..))));
        wrong.programs.clear();
        assert!(matches!(sign(&key, &wrong), Err(SignError::Release(ReleaseError::Artifacts))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let mut bundle = MAGIC.to_vec();
            bundle.extend(bytes);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            prop_assert!(runtime.block_on(read_manifest(&mut bundle.as_slice(), &[7; 32])).is_err());
        }
    }
}
