//! Codes: how they are made, written and compared.

use chrono::{DateTime, Utc};
use ctops_base::Problem;
use ctops_crypto::secret::{fill_random, sha256};
use qrcodegen::{QrCode, QrCodeEcc};
use totp_rs::{Builder, Totp};
use uuid::Uuid;

use crate::passwords::Secret;

/// Recovery codes made at a time (auth 16).
pub(super) const RECOVERY_CODES: usize = 10;
/// Characters of a recovery code (auth 16).
const RECOVERY_CHARS: usize = 10;
/// Letters and digits that nobody mixes up (Crockford's base 32): 5 bits each.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Bytes of a seed (RFC 4226 section 4: 160 bits).
const SEED_BYTES: usize = 20;
/// The name apps show above the code.
const ISSUER: &str = "CT-Ops";
/// White modules around a QR code (ISO/IEC 18004 section 5.3.8).
const QUIET: i32 = 4;

/// What somebody shows as their second factor.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// The code an authenticator app shows.
    Code(Secret),
    /// One of the codes written down at enrolment.
    RecoveryCode(Secret),
}

/// The name under which a user's seed is sealed.
pub(super) fn seed_name(user_id: Uuid) -> String {
    format!("totp_seeds.seed:{user_id}")
}

/// The name under which a recovery code's hash is sealed.
pub(super) fn recovery_name(id: Uuid) -> String {
    format!("recovery_codes.hash:{id}")
}

/// A new random seed.
pub(super) fn make_seed() -> [u8; SEED_BYTES] {
    let mut seed = [0u8; SEED_BYTES];
    fill_random(&mut seed);
    seed
}

/// SHA-1, 6 digits, 30 s, one step each side (auth 16).
pub(super) fn totp(seed: &[u8], account: &str) -> Result<Totp, Problem> {
    // The address of an account may hold a colon, which separates issuer and account in the apps' link.
    let account = account.replace(':', "_");
    let builder = Builder::new().with_secret(seed.to_vec()).with_account_name(account.as_str());
    builder.with_issuer(Some(ISSUER)).build().map_err(Problem::internal)
}

/// The step `code` belongs to, when it is one of those that count at `now`.
pub(super) fn matched_step(seed: &[u8], code: &Secret, now: DateTime<Utc>) -> Result<Option<i64>, Problem> {
    let digits: String = code.reveal().chars().filter(|c| !c.is_whitespace()).collect();
    let at = u64::try_from(now.timestamp()).unwrap_or(0);
    let step = totp(seed, "")?.check(&digits, at);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

/// Ten new recovery codes.
pub(super) fn make_recovery_codes() -> Vec<String> {
    (0..RECOVERY_CODES).map(|_| make_recovery_code()).collect()
}

fn make_recovery_code() -> String {
    let mut bytes = [0u8; RECOVERY_CHARS];
    fill_random(&mut bytes);
    // 256 is a multiple of 32, so the remainder is as random as the byte.
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

/// The hash of a recovery code however it was typed: blanks and hyphens do not count, nor does case.
pub(super) fn recovery_hash(code: &str) -> [u8; 32] {
    let typed = code.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let folded: String = typed.flat_map(char::to_lowercase).collect();
    sha256(folded.as_bytes())
}

/// A link as a QR code: an SVG image of black squares on white.
pub(super) fn qr_svg(link: &str) -> Result<String, Problem> {
    let code = QrCode::encode_text(link, QrCodeEcc::Medium).map_err(Problem::internal)?;
    let side = code.size() + 2 * QUIET;
    let dark = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y)));
    let squares: String = dark
        .filter(|(x, y)| code.get_module(*x, *y))
        .map(|(x, y)| format!("M{},{}h1v1h-1z", x + QUIET, y + QUIET))
        .collect();
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{squares}\" fill=\"#000\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use chrono::TimeDelta;

    use super::*;

    /// RFC 6238 appendix B, cut to 6 digits: the seed is the ASCII text of the RFC.
    const RFC_SEED: &[u8] = b"12345678901234567890";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    /// Spec: auth 16
    #[test]
    fn codes_are_those_of_the_rfc_and_count_one_step_each_side() {
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            let step = |shift| matched_step(RFC_SEED, &Secret::new(code), at(seconds + shift)).unwrap();
            assert_eq!(step(0), Some(seconds / 30));
            assert_eq!(step(30), Some(seconds / 30), "a slow clock");
            assert_eq!(step(-30), Some(seconds / 30), "a fast clock");
            assert_eq!(step(90), None);
        }
        let typed = matched_step(RFC_SEED, &Secret::new(" 287 082 "), at(59)).unwrap();
        assert_eq!(typed, Some(1), "as apps show it");
        for wrong in ["", "28708", "2870822", "+87082", "287O82", "２８７０８２"] {
            assert_eq!(matched_step(RFC_SEED, &Secret::new(wrong), at(59)).unwrap(), None, "{wrong:?}");
        }
    }

    /// Spec: auth 16
    #[test]
    fn recovery_codes_have_ten_characters_and_are_ten_different_ones() {
        let codes: BTreeSet<String> = make_recovery_codes().into_iter().collect();
        assert_eq!(codes.len(), 10);
        assert!(codes.iter().all(|code| code.len() == 10 && code.bytes().all(|b| ALPHABET.contains(&b))));
        assert_eq!(recovery_hash("ab12c-de34F"), recovery_hash(" AB12CDE34f "));
        assert_ne!(recovery_hash("ab12cde34f"), recovery_hash("ab12cde34g"));
    }

    #[test]
    fn the_link_and_its_picture_name_issuer_and_account() {
        let link = totp(RFC_SEED, "a:da@example.com").unwrap().to_url().unwrap();
        assert!(link.starts_with("otpauth://totp/CT-Ops:a_da%40example.com?"), "{link}");
        assert!(link.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{link}");
        let picture = qr_svg(&link).unwrap();
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>") && picture.contains("h1v1h-1z"));
        assert!(!picture.contains("GEZDG"));
    }
}
