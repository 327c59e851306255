//! Decryption under a password: PBES2 (RFC 8018) and the older schemes of PKCS#12 (RFC 7292, appendices B and C).

use std::num::NonZeroU32;

use aes::cipher::{Block, BlockCipherDecrypt, BlockSizeUser, KeyInit};
use ring::{digest, pbkdf2};

use super::der::{INTEGER, OCTETS, OID, Reader, SEQUENCE, number};

/// A file may not ask for more rounds than this; OpenSSL and Java use 2,048 to 10,000.
pub(super) const MAX_ROUNDS: u32 = 2_000_000;

// Object identifiers in DER.
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
const AES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];
const DES3: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07];
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];

/// Decrypts under a key and an initial vector; `None` if it does not come out even.
type Cipher = fn(&[u8], &[u8], &[u8]) -> Option<Vec<u8>>;

/// The password as PKCS#12 wants it: UTF-16, big endian, with a zero at its end.
pub(super) fn utf16(password: &str) -> Vec<u8> {
    password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect()
}

/// Decrypts `data` by the algorithm that `algorithm` (the inside of an AlgorithmIdentifier) describes.
///
/// # Errors
/// When the algorithm is not known or the password is wrong.
pub(super) fn decrypt(mut algorithm: Reader<'_>, password: &str, data: &[u8]) -> Result<Vec<u8>, String> {
    let damaged = || "the file is damaged".to_owned();
    let oid = algorithm.expect(OID).ok_or_else(damaged)?;
    let mut parameters = algorithm.inside(SEQUENCE).ok_or_else(damaged)?;
    if oid == PBES2 {
        return pbes2(&mut parameters, password, data);
    }
    let scheme = oid.strip_prefix(PKCS12_PBE).and_then(|arc| arc.first()).copied();
    let salt = parameters.expect(OCTETS).ok_or_else(damaged)?;
    let rounds = parameters.expect(INTEGER).and_then(number).ok_or_else(damaged)?;
    let password = utf16(password);
    let derive =
        |id, length| pkcs12_key(&digest::SHA1_FOR_LEGACY_USE_ONLY, id, &password, salt, rounds, length);
    let (key_bytes, cipher): (usize, Cipher) = match scheme {
        Some(3) => (24, cbc::<des::TdesEde3>),
        Some(4) => (16, cbc::<des::TdesEde2>),
        Some(5) => (16, |key, iv, data| cbc_with(&rc2::Rc2::new_with_eff_key_len(key, 128), iv, data)),
        Some(6) => (5, |key, iv, data| cbc_with(&rc2::Rc2::new_with_eff_key_len(key, 40), iv, data)),
        _ => return Err("encrypted by an algorithm that is not supported".to_owned()),
    };
    let (key, iv) = (derive(1, key_bytes)?, derive(2, 8)?);
    cipher(&key, &iv, data).ok_or_else(wrong)
}

fn wrong() -> String {
    "wrong password, or the file is damaged".to_owned()
}

fn pbes2(parameters: &mut Reader<'_>, password: &str, data: &[u8]) -> Result<Vec<u8>, String> {
    let unsupported = || "encrypted by an algorithm that is not supported".to_owned();
    let damaged = || "the file is damaged".to_owned();
    let mut derivation = parameters.inside(SEQUENCE).ok_or_else(damaged)?;
    if derivation.expect(OID) != Some(PBKDF2) {
        return Err(unsupported());
    }
    let mut settings = derivation.inside(SEQUENCE).ok_or_else(damaged)?;
    let salt = settings.expect(OCTETS).ok_or_else(damaged)?;
    let rounds = settings.expect(INTEGER).and_then(number).and_then(checked_rounds).ok_or_else(damaged)?;
    settings.optional(INTEGER);
    // Without a function, HMAC with SHA-1 is meant (RFC 8018, appendix A.2).
    let function = match settings.inside(SEQUENCE).and_then(|mut function| function.expect(OID)) {
        None => Some(7),
        Some(oid) => oid.strip_prefix(HMAC).and_then(|arc| arc.first()).copied(),
    };
    let function = match function {
        Some(7) => pbkdf2::PBKDF2_HMAC_SHA1,
        Some(9) => pbkdf2::PBKDF2_HMAC_SHA256,
        Some(10) => pbkdf2::PBKDF2_HMAC_SHA384,
        Some(11) => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => return Err(unsupported()),
    };
    let mut scheme = parameters.inside(SEQUENCE).ok_or_else(damaged)?;
    let oid = scheme.expect(OID).ok_or_else(damaged)?;
    let iv = scheme.expect(OCTETS).ok_or_else(damaged)?;
    let mut key = [0; 32];
    let (key_bytes, cipher): (usize, Cipher) = match oid.strip_prefix(AES).and_then(|arc| arc.first()) {
        Some(2) => (16, cbc::<aes::Aes128>),
        Some(22) => (24, cbc::<aes::Aes192>),
        Some(42) => (32, cbc::<aes::Aes256>),
        None if oid == DES3 => (24, cbc::<des::TdesEde3>),
        _ => return Err(unsupported()),
    };
    pbkdf2::derive(function, rounds, salt, password.as_bytes(), &mut key[..key_bytes]);
    cipher(&key[..key_bytes], iv, data).ok_or_else(wrong)
}

/// Rounds within the limit.
fn checked_rounds(rounds: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(rounds).filter(|rounds| rounds.get() <= MAX_ROUNDS)
}

fn cbc<C: BlockCipherDecrypt + KeyInit>(key: &[u8], iv: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    cbc_with(&C::new_from_slice(key).ok()?, iv, data)
}

/// Cipher block chaining with the padding of PKCS#7; `None` if it does not come out even.
fn cbc_with<C: BlockCipherDecrypt + BlockSizeUser>(cipher: &C, iv: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let size = C::block_size();
    if iv.len() != size || data.is_empty() || !data.len().is_multiple_of(size) {
        return None;
    }
    let mut plain = Vec::with_capacity(data.len());
    let mut last = iv;
    for chunk in data.chunks_exact(size) {
        let mut block = Block::<C>::try_from(chunk).ok()?;
        cipher.decrypt_block(&mut block);
        plain.extend(block.iter().zip(last).map(|(byte, mask)| byte ^ mask));
        last = chunk;
    }
    let padding = usize::from(*plain.last()?);
    if padding == 0
        || padding > size
        || !plain[plain.len() - padding..].iter().all(|byte| usize::from(*byte) == padding)
    {
        return None;
    }
    plain.truncate(plain.len() - padding);
    Some(plain)
}

/// The key derivation of PKCS#12 (RFC 7292, appendix B.2); `id` is 1 for keys, 2 for initial vectors, 3 for macs.
///
/// # Errors
/// When the file asks for too many rounds.
pub(super) fn pkcs12_key(
    algorithm: &'static digest::Algorithm,
    id: u8,
    password: &[u8],
    salt: &[u8],
    rounds: u32,
    length: usize,
) -> Result<Vec<u8>, String> {
    let rounds = checked_rounds(rounds).ok_or_else(|| format!("more than {MAX_ROUNDS} rounds"))?;
    let block = algorithm.block_len();
    let filled = |text: &[u8]| -> Vec<u8> {
        let length = text.len().div_ceil(block) * block;
        text.iter().copied().cycle().take(length).collect()
    };
    let mut input = filled(salt);
    input.extend(filled(password));
    let mut key = Vec::with_capacity(length);
    loop {
        let mut context = digest::Context::new(algorithm);
        context.update(&vec![id; block]);
        context.update(&input);
        let mut hash = context.finish();
        for _ in 1..rounds.get() {
            hash = digest::digest(algorithm, hash.as_ref());
        }
        key.extend_from_slice(hash.as_ref());
        if key.len() >= length {
            key.truncate(length);
            return Ok(key);
        }
        let addend: Vec<u8> = hash.as_ref().iter().copied().cycle().take(block).collect();
        for part in input.chunks_exact_mut(block) {
            // The sum of both and one, as large numbers of one block.
            let mut carry = 1u16;
            for (digit, added) in part.iter_mut().zip(&addend).rev() {
                carry += u16::from(*digit) + u16::from(*added);
                *digit = carry.to_be_bytes()[1];
                carry >>= 8;
            }
        }
    }
}
