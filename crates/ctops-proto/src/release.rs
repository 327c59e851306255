//! The release manifest (agents-enrolment 28): what is signed offline, offered to agents and served with its files.
//!
//! A manifest is JSON, signed with Ed25519 (RFC 8032) exactly as it stands. Each artifact carries a signature of its own
//! over [`Artifact::signed_text`], so that a file can be checked without the manifest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of an Ed25519 public key.
pub const PUBLIC_KEY_BYTES: usize = 32;
/// Bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;
/// Largest manifest, bytes.
pub const MAX_MANIFEST_BYTES: usize = 64 * 1024;
/// Largest program, bytes.
pub const MAX_ARTIFACT_BYTES: u64 = 64 * 1024 * 1024;
/// Most programs in one release.
pub const MAX_ARTIFACTS: usize = 16;
/// Most further keys that one release names.
pub const MAX_TRUSTED: usize = 4;
/// Largest piece of a program in one message, bytes.
pub const MAX_CHUNK_BYTES: usize = 256 * 1024;
/// The channel used when none is named.
pub const DEFAULT_CHANNEL: &str = "stable";
/// Version of builds that never update themselves (agents-enrolment 30).
pub const DEVELOPMENT_VERSION: &str = "dev";

/// Public half of the development key, hex. Its private half is no secret: the seed is the SHA-256 of
/// `ct-ops development release key`. Only builds marked `dev` may be made with it unnoticed, and those never update.
pub const DEVELOPMENT_KEY: &str = "2d00a78d712a14327c5b6029a8101cc41eb1783690a0c3c93c58507feb63ac12";
/// The key that releases are signed with, as built in: `CT_OPS_UPDATE_PUBLIC_KEY` (64 hex digits) at compile time, else
/// [`DEVELOPMENT_KEY`].
pub const BUILT_IN_KEY: [u8; PUBLIC_KEY_BYTES] = match option_env!("CT_OPS_UPDATE_PUBLIC_KEY") {
    Some(text) => built_in(text),
    None => built_in(DEVELOPMENT_KEY),
};
/// Whether a key was named at compile time.
pub const KEY_WAS_NAMED: bool = option_env!("CT_OPS_UPDATE_PUBLIC_KEY").is_some();

/// A public key in hex.
///
/// # Errors
/// When the text is not 64 hex digits.
pub fn parse_key(text: &str) -> Result<[u8; PUBLIC_KEY_BYTES], ReleaseError> {
    hex_bytes(text.trim()).ok_or(ReleaseError::Key)
}

/// A signature in hex.
///
/// # Errors
/// When the text is not 128 hex digits.
pub fn parse_signature(text: &str) -> Result<[u8; SIGNATURE_BYTES], ReleaseError> {
    hex_bytes(text).ok_or(ReleaseError::Artifact)
}

/// Lower-case hex of `bytes`.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `major.minor.patch`, each at most 999,999; ordered by these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

/// Why something about a release is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// Not a version.
    #[error("version is not v<major>.<minor>.<patch> with numbers up to 999999")]
    Version,
    /// Not a public key.
    #[error("public key is not 64 hex digits")]
    Key,
    /// Not a channel.
    #[error("channel is not 1 to 32 characters of a-z, 0-9 and -")]
    Channel,
    /// Too long, or not JSON of the manifest's form.
    #[error("manifest is not the JSON of a release, at most 65536 bytes")]
    Malformed,
    /// No programs, too many, or two for one platform.
    #[error("manifest must name 1 to 16 programs, one for each platform")]
    Artifacts,
    /// A program without a usable platform, size, digest or signature.
    #[error("manifest describes a program with an invalid platform, size, digest or signature")]
    Artifact,
}

impl Version {
    /// A version of three numbers.
    ///
    /// # Errors
    /// When a number is above 999,999.
    pub fn new(major: u32, minor: u32, patch: u32) -> Result<Self, ReleaseError> {
        let fits = [major, minor, patch].iter().all(|number| *number <= 999_999);
        fits.then_some(Self { major, minor, patch }).ok_or(ReleaseError::Version)
    }

    /// The version as one number that orders like it.
    pub fn rank(self) -> i64 {
        (i64::from(self.major) * 1_000_000 + i64::from(self.minor)) * 1_000_000 + i64::from(self.patch)
    }
}

impl FromStr for Version {
    type Err = ReleaseError;

    /// With or without the leading `v`.
    fn from_str(text: &str) -> Result<Self, ReleaseError> {
        let mut numbers = text.strip_prefix('v').unwrap_or(text).split('.').map(number);
        let mut next = || numbers.next().flatten().ok_or(ReleaseError::Version);
        let version = Self::new(next()?, next()?, next()?)?;
        if numbers.next().is_some() { Err(ReleaseError::Version) } else { Ok(version) }
    }
}

/// A number without sign, blanks or leading zeros, which would be other spellings of the same version.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A release of the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Who it is for.
    pub channel: String,
    /// What it is.
    pub version: Version,
    /// Agents below this version are updated without being told to.
    pub minimum_version: Version,
    /// When it was signed, RFC 3339.
    pub released_at: String,
    /// Its programs.
    pub artifacts: Vec<Artifact>,
    /// Further public keys, hex, that agents trust once they have this release: how one signing key follows another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_trust: Vec<String>,
}

/// A program for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// `linux`, `darwin` or `windows`.
    pub os: String,
    /// `amd64` or `arm64`.
    pub arch: String,
    /// Where a server has it, below the server's address.
    pub url: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
    /// Ed25519 signature over [`Artifact::signed_text`], hex.
    pub signature: String,
}

impl Manifest {
    /// Reads a manifest whose signature was verified, and checks it against the limits.
    ///
    /// # Errors
    /// When it is not a manifest or breaks a limit.
    pub fn parse(json: &[u8]) -> Result<Self, ReleaseError> {
        if json.len() > MAX_MANIFEST_BYTES {
            return Err(ReleaseError::Malformed);
        }
        let manifest: Self = serde_json::from_slice(json).map_err(|_| ReleaseError::Malformed)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// The first limit it breaks.
    pub fn check(&self) -> Result<(), ReleaseError> {
        check_channel(&self.channel)?;
        if self.artifacts.is_empty() || self.artifacts.len() > MAX_ARTIFACTS || self.released_at.len() > 64 {
            return Err(ReleaseError::Artifacts);
        }
        if self.also_trust.len() > MAX_TRUSTED {
            return Err(ReleaseError::Key);
        }
        self.trusted().map(drop)?;
        for (index, artifact) in self.artifacts.iter().enumerate() {
            artifact.check()?;
            let same = |other: &Artifact| (&other.os, &other.arch) == (&artifact.os, &artifact.arch);
            if self.artifacts[..index].iter().any(same) {
                return Err(ReleaseError::Artifacts);
            }
        }
        Ok(())
    }

    /// The further keys.
    ///
    /// # Errors
    /// When one is not a key.
    pub fn trusted(&self) -> Result<Vec<[u8; PUBLIC_KEY_BYTES]>, ReleaseError> {
        self.also_trust.iter().map(|text| parse_key(text)).collect()
    }

    /// The program for a platform.
    pub fn artifact(&self, os: &str, arch: &str) -> Option<&Artifact> {
        self.artifacts.iter().find(|artifact| artifact.os == os && artifact.arch == arch)
    }
}

impl Artifact {
    /// What the artifact's signature covers. A manifest begins with a brace, so neither can pass for the other.
    pub fn signed_text(&self, version: Version) -> String {
        format!(
            "ct-ops agent program\n{version}\n{}/{}\n{}\n{}\n",
            self.os, self.arch, self.size, self.sha256
        )
    }

    fn check(&self) -> Result<(), ReleaseError> {
        let platform = ["linux", "darwin", "windows"].contains(&self.os.as_str())
            && ["amd64", "arm64"].contains(&self.arch.as_str());
        let sizes = (1..=MAX_ARTIFACT_BYTES).contains(&self.size) && self.url.len() <= 512;
        let digest = hex_bytes::<32>(&self.sha256).is_some() && self.sha256 == self.sha256.to_lowercase();
        if platform && sizes && digest && parse_signature(&self.signature).is_ok() {
            Ok(())
        } else {
            Err(ReleaseError::Artifact)
        }
    }
}

/// Checks the name of a channel.
///
/// # Errors
/// When it is not 1 to 32 characters of `a-z`, `0-9` and `-`.
pub fn check_channel(channel: &str) -> Result<(), ReleaseError> {
    let fits = (1..=32).contains(&channel.len())
        && channel.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    fits.then_some(()).ok_or(ReleaseError::Channel)
}

fn hex_bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = text.as_bytes();
    if bytes.len() != N * 2 {
        return None;
    }
    let mut out = [0; N];
    for (index, pair) in bytes.chunks_exact(2).enumerate() {
        out[index] = digit(pair[0])? * 16 + digit(pair[1])?;
    }
    Some(out)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Runs in the compiler, so that a wrong key stops the build.
const fn built_in(text: &str) -> [u8; PUBLIC_KEY_BYTES] {
    let bytes = text.as_bytes();
    assert!(bytes.len() == PUBLIC_KEY_BYTES * 2, "CT_OPS_UPDATE_PUBLIC_KEY is not 64 hex digits");
    let mut key = [0; PUBLIC_KEY_BYTES];
    let mut index = 0;
    while index < PUBLIC_KEY_BYTES {
        match (digit(bytes[index * 2]), digit(bytes[index * 2 + 1])) {
            (Some(high), Some(low)) => key[index] = high * 16 + low,
            _ => panic!("CT_OPS_UPDATE_PUBLIC_KEY is not 64 hex digits"),
        }
        index += 1;
    }
    key
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn manifest() -> Manifest {
        let artifact = Artifact {
            os: "linux".into(),
            arch: "amd64".into(),
            url: "/api/v1/agent/binary?os=linux&arch=amd64&version=v1.2.3".into(),
            size: 3,
            sha256: "ab".repeat(32),
            signature: "cd".repeat(64),
        };
        Manifest {
            channel: "stable".into(),
            version: "v1.2.3".parse().unwrap(),
            minimum_version: "v1.0.0".parse().unwrap(),
            released_at: "2026-06-03T12:00:00Z".into(),
            artifacts: vec![artifact],
            also_trust: vec!["0f".repeat(32)],
        }
    }

    /// Spec: agents-enrolment 28
    #[test]
    fn manifest_when_written_then_has_the_documented_fields_and_is_read_back() {
        let json = serde_json::to_value(manifest()).unwrap();
        assert_eq!((&json["version"], &json["minimum_version"]), (&"v1.2.3".into(), &"v1.0.0".into()));
        for field in ["os", "arch", "url", "size", "sha256", "signature"] {
            assert!(!json["artifacts"][0][field].is_null(), "{field}");
        }
        let text = serde_json::to_vec(&manifest()).unwrap();
        assert_eq!(Manifest::parse(&text), Ok(manifest()));
        assert!(
            manifest().artifact("linux", "amd64").is_some()
                && manifest().artifact("linux", "arm64").is_none()
        );
    }

    #[test]
    fn manifest_when_it_breaks_a_limit_then_is_refused() {
        let refused = |change: fn(&mut Manifest)| {
            let mut wrong = manifest();
            change(&mut wrong);
            Manifest::parse(&serde_json::to_vec(&wrong).unwrap()).unwrap_err()
        };
        assert_eq!(refused(|m| m.channel = "Stable".into()), ReleaseError::Channel);
        assert_eq!(refused(|m| m.artifacts.clear()), ReleaseError::Artifacts);
        assert_eq!(refused(|m| m.artifacts.push(m.artifacts[0].clone())), ReleaseError::Artifacts);
        assert_eq!(refused(|m| m.artifacts[0].os = "../linux".into()), ReleaseError::Artifact);
        assert_eq!(refused(|m| m.artifacts[0].size = 0), ReleaseError::Artifact);
        assert_eq!(refused(|m| m.artifacts[0].size = MAX_ARTIFACT_BYTES + 1), ReleaseError::Artifact);
        assert_eq!(refused(|m| m.artifacts[0].sha256 = "AB".repeat(32)), ReleaseError::Artifact);
        assert_eq!(refused(|m| m.artifacts[0].sha256 = "../../etc/passwd".into()), ReleaseError::Artifact);
        assert_eq!(refused(|m| m.artifacts[0].signature.clear()), ReleaseError::Artifact);
        assert_eq!(refused(|m| m.also_trust = vec!["0f".into()]), ReleaseError::Key);
        assert_eq!(refused(|m| m.also_trust = vec!["0f".repeat(32); 5]), ReleaseError::Key);
        assert_eq!(Manifest::parse(b"{}"), Err(ReleaseError::Malformed));
        assert_eq!(Manifest::parse(&vec![b' '; MAX_MANIFEST_BYTES + 1]), Err(ReleaseError::Malformed));
    }

    /// Spec: agents-enrolment 28, 30
    #[test]
    fn versions_order_by_number_and_have_one_spelling() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("v1.10.0").unwrap() > version("1.9.9").unwrap());
        assert_eq!(version("1.2.3").unwrap().to_string(), "v1.2.3");
        assert!(version("v0.0.999999").unwrap().rank() < version("v0.1.0").unwrap().rank());
        for bad in
            ["", "dev", "v1", "1.2", "1.2.3.4", "v01.2.3", "1.2.x", "+1.2.3", "1.2.3-rc1", "1.2.1000000"]
        {
            assert_eq!(version(bad), Err(ReleaseError::Version), "{bad}");
        }
    }

    #[test]
    fn keys_are_64_hex_digits() {
        assert_eq!(to_hex(&BUILT_IN_KEY).len(), 64);
        assert_eq!(parse_key(&format!(" {}\n", to_hex(&BUILT_IN_KEY))), Ok(BUILT_IN_KEY));
        assert_eq!(parse_key("abc"), Err(ReleaseError::Key));
        assert_eq!(parse_key(&"xy".repeat(32)), Err(ReleaseError::Key));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[v0-9.]{0,24}", bytes: Vec<u8>) {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string().parse(), Ok(version));
            }
            let _ = Manifest::parse(&bytes);
        }
    }
}
