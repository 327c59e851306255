//! The issuer's directory: `issuer-key.pem` (encrypted PKCS#8, RFC 5958), `issuer-public.pem`, and `ring.pem` with every
//! public key that ever signed.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use ctops_licence::{Verifier, is_development, jws};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use serde_json::Value;
use zeroize::Zeroizing;

const KEY_FILE: &str = "issuer-key.pem";
const PUBLIC_FILE: &str = "issuer-public.pem";
const RING_FILE: &str = "ring.pem";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const END: &str = "-----END PUBLIC KEY-----";
/// Shortest passphrase, characters.
const MIN_PASSPHRASE: usize = 12;
/// The private half of the key that production refuses: published on purpose, for development and tests.
const DEVELOPMENT_KEY_PEM: &str = include_str!("development-key.pem");

/// A private key that signs.
pub struct SigningKey {
    pair: KeyPair,
    verifier: Verifier,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.verifier).finish()
    }
}

impl SigningKey {
    /// Makes a new key of 2048, 3072, 4096 or 8192 bits.
    ///
    /// # Errors
    /// For other sizes.
    pub fn generate(bits: u32) -> Result<Self> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            8192 => KeySize::Rsa8192,
            _ => bail!("keys have 2048, 3072, 4096 or 8192 bits"),
        };
        Self::of_pair(KeyPair::generate(size).context("making a key")?)
    }

    /// The development key.
    ///
    /// # Errors
    /// Never in a build whose tests passed.
    pub fn development() -> Result<Self> {
        let (_, der) =
            SecretDocument::from_pem(DEVELOPMENT_KEY_PEM).context("reading the development key")?;
        Self::from_der(der.as_bytes())
    }

    fn from_der(der: &[u8]) -> Result<Self> {
        Self::of_pair(KeyPair::from_pkcs8(der).context("the key is not an RSA key of at least 2048 bits")?)
    }

    fn of_pair(pair: KeyPair) -> Result<Self> {
        let spki = pair.public_key().as_der().context("writing the public key")?;
        let verifier = Verifier::from_spki(spki.as_ref().to_vec())?;
        Ok(Self { pair, verifier })
    }

    /// The public half.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// A signed token.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let input = jws::signing_input(self.verifier.fingerprint(), claims);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature)
            .context("signing")?;
        Ok(jws::join(&input, &signature))
    }

    fn to_encrypted_pem(&self, passphrase: &str) -> Result<Zeroizing<String>> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().context("writing the key")?;
        let info = PrivateKeyInfoRef::try_from(der.as_ref()).context("writing the key")?;
        let sealed = info.encrypt(passphrase).context("encrypting the key")?;
        sealed.to_pem(ENCRYPTED, LineEnding::LF).context("writing the key")
    }

    fn from_encrypted_pem(text: &str, passphrase: &str) -> Result<Self> {
        let (label, sealed) = SecretDocument::from_pem(text).context("the key file is not PEM")?;
        ensure!(label == ENCRYPTED, "the key file is not encrypted; keys are kept encrypted only");
        let sealed =
            EncryptedPrivateKeyInfoRef::try_from(sealed.as_bytes()).context("reading the key file")?;
        let der =
            sealed.decrypt(passphrase).context("the passphrase is wrong, or the key file is damaged")?;
        Self::from_der(der.as_bytes())
    }
}

/// The issuer's directory.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

impl Home {
    /// Files in `dir`.
    pub fn new(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    /// A file of the directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the first key.
    ///
    /// # Errors
    /// When there is one, the passphrase is short, or files cannot be written.
    pub fn create_key(&self, bits: u32, passphrase: &str) -> Result<SigningKey> {
        ensure!(
            !self.file(KEY_FILE).exists(),
            "{} exists; use rotate to replace it",
            self.file(KEY_FILE).display()
        );
        fs::create_dir_all(&self.0).with_context(|| self.0.display().to_string())?;
        self.install(SigningKey::generate(bits)?, passphrase)
    }

    /// Makes a new key. The old one's public half stays in the ring, so that what it signed goes on counting; its private
    /// half is kept beside, with its fingerprint in the name.
    ///
    /// # Errors
    /// As [`Home::create_key`], and when there is no key yet.
    pub fn rotate(&self, bits: u32, passphrase: &str) -> Result<SigningKey> {
        let old = self.open_key(passphrase)?;
        let kept = format!("issuer-key-{}.pem", &old.verifier().fingerprint()[..16]);
        fs::rename(self.file(KEY_FILE), self.file(&kept)).context("keeping the old key")?;
        self.install(SigningKey::generate(bits)?, passphrase)
    }

    /// Opens the key that signs now.
    ///
    /// # Errors
    /// When there is none, or the passphrase is wrong.
    pub fn open_key(&self, passphrase: &str) -> Result<SigningKey> {
        let path = self.file(KEY_FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let key = SigningKey::from_encrypted_pem(&text, passphrase)?;
        ensure!(!is_development(key.verifier()), "this is the development key; use --dev");
        Ok(key)
    }

    /// Every public key that ever signed.
    ///
    /// # Errors
    /// When the ring cannot be read.
    pub fn ring(&self) -> Result<Vec<Verifier>> {
        let path = self.file(RING_FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        text.split_inclusive(END)
            .filter(|block| block.contains(END))
            .map(|block| Verifier::from_pem(block).with_context(|| format!("reading {}", path.display())))
            .collect()
    }

    fn install(&self, key: SigningKey, passphrase: &str) -> Result<SigningKey> {
        let long = passphrase.chars().count() >= MIN_PASSPHRASE;
        ensure!(long, "the passphrase must have at least {MIN_PASSPHRASE} characters");
        write_private(&self.file(KEY_FILE), key.to_encrypted_pem(passphrase)?.as_bytes())?;
        let public = key.verifier().pem();
        fs::write(self.file(PUBLIC_FILE), public).context("writing the public key")?;
        self.append(RING_FILE, public)?;
        Ok(key)
    }

    /// Appends to a file of the directory and waits until it is on the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&self, name: &str, text: &str) -> Result<()> {
        let path = self.file(name);
        let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let written = opened.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.with_context(|| format!("writing {}", path.display()))
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("writing {}", path.display()))?;
    file.write_all(bytes)?;
    file.sync_all().with_context(|| format!("writing {}", path.display()))
}
