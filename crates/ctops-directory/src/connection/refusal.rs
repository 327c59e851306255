//! Why a directory refused a sign-in. The person is told nothing of it; administrators read it in the audit trail.

use ldap3::LdapResult;
use ldap3::asn1::parse_tag;

use crate::entry::{constructed, primitive};

/// Password policy control (draft-behera-ldap-password-policy section 6).
pub(super) const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";

/// A refused sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Stable code.
    pub(crate) code: &'static str,
    /// One clause.
    pub(crate) reason: &'static str,
}

const fn state(code: &'static str, reason: &'static str) -> Refusal {
    Refusal { code, reason }
}

impl Refusal {
    /// Not sent to the directory at all.
    pub(crate) const EMPTY: Self = state("empty_credentials", "the name or the password is empty");
    const WRONG: Self = state("invalid_credentials", "the directory refused the password");
    const LOCKED: Self = state("account_locked", "the account is locked in the directory");
    const DISABLED: Self = state("account_disabled", "the account is disabled in the directory");
    const ACCOUNT_EXPIRED: Self = state("account_expired", "the account has expired in the directory");
    const PASSWORD_EXPIRED: Self = state("password_expired", "the password has expired in the directory");
    const MUST_CHANGE: Self =
        state("password_must_change", "the password must be changed in the directory first");
    const NOT_NOW: Self = state("logon_restricted", "the directory does not allow this sign-in here or now");
    const UNWILLING: Self = state("refused", "the directory refused the sign-in");
}

/// Judges the answer to a bind. `Err(())` when it is no judgement of name and password.
pub(super) fn judge(result: &LdapResult) -> Result<Result<(), Refusal>, ()> {
    let policy = policy_error(result);
    match result.rc {
        0 => Ok(match policy {
            // The sign-in is good for nothing but changing the password.
            Some(2) => Err(Refusal::MUST_CHANGE),
            _ => Ok(()),
        }),
        49 => Ok(Err(policy
            .and_then(of_policy)
            .or_else(|| of_active_directory(&result.text))
            .unwrap_or(Refusal::WRONG))),
        // noSuchObject, inappropriateAuthentication, insufficientAccessRights, constraintViolation, unwillingToPerform.
        32 | 48 => Ok(Err(Refusal::WRONG)),
        19 | 50 | 53 => Ok(Err(policy.and_then(of_policy).unwrap_or(Refusal::UNWILLING))),
        _ => Err(()),
    }
}

fn of_policy(error: u32) -> Option<Refusal> {
    match error {
        0 => Some(Refusal::PASSWORD_EXPIRED),
        1 => Some(Refusal::LOCKED),
        2 => Some(Refusal::MUST_CHANGE),
        _ => None,
    }
}

/// Active Directory hides the reason in its diagnostic text: `… AcceptSecurityContext error, data 775, v4563`, a Windows
/// error code in hex ([MS-ERREF] 2.2).
fn of_active_directory(text: &str) -> Option<Refusal> {
    let rest = text.split_once("AcceptSecurityContext error, data ")?.1;
    let code = rest.split([',', ' ', '\0']).next()?;
    Some(match code {
        "530" | "531" => Refusal::NOT_NOW,
        "532" => Refusal::PASSWORD_EXPIRED,
        "533" => Refusal::DISABLED,
        "701" => Refusal::ACCOUNT_EXPIRED,
        "773" => Refusal::MUST_CHANGE,
        "775" => Refusal::LOCKED,
        _ => return None,
    })
}

/// The error in the password policy control: `[1] ENUMERATED` in a sequence.
fn policy_error(result: &LdapResult) -> Option<u32> {
    let control = result.ctrls.iter().find(|control| control.1.ctype == PASSWORD_POLICY)?;
    let (_, tag) = parse_tag(control.1.val.as_deref()?).ok()?;
    let error = constructed(tag)?.into_iter().find(|part| part.id == 1)?;
    primitive(error)?.last().copied().map(u32::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ldap3::controls::{Control, RawControl};

    use super::*;

    fn answer(rc: u32, text: &str, policy: Option<&[u8]>) -> LdapResult {
        let control = policy.map(|value| {
            Control(
                None,
                RawControl { ctype: PASSWORD_POLICY.into(), crit: false, val: Some(value.to_vec()) },
            )
        });
        let ctrls = control.into_iter().collect();
        LdapResult { rc, matched: String::new(), text: text.into(), refs: Vec::new(), ctrls }
    }

    fn code(rc: u32, text: &str, policy: Option<&[u8]>) -> Option<&'static str> {
        judge(&answer(rc, text, policy)).unwrap().err().map(|refusal| refusal.code)
    }

    #[test]
    fn sub_codes_of_active_directory_say_why() {
        let text = |data: &str| {
            format!(
                "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {data}, v4563"
            )
        };
        for (data, expected) in [
            ("52e", "invalid_credentials"),
            ("525", "invalid_credentials"),
            ("530", "logon_restricted"),
            ("532", "password_expired"),
            ("533", "account_disabled"),
            ("701", "account_expired"),
            ("773", "password_must_change"),
            ("775", "account_locked"),
        ] {
            assert_eq!(code(49, &text(data), None), Some(expected), "{data}");
        }
        assert_eq!(code(49, "AcceptSecurityContext error, data ", None), Some("invalid_credentials"));
    }

    #[test]
    fn the_password_policy_control_says_why() {
        assert_eq!(code(49, "", Some(b"\x30\x03\x81\x01\x01")), Some("account_locked"));
        assert_eq!(code(49, "", Some(b"\x30\x03\x81\x01\x00")), Some("password_expired"));
        assert_eq!(code(0, "", Some(b"\x30\x03\x81\x01\x02")), Some("password_must_change"));
        assert_eq!(code(0, "", Some(b"\x30\x00")), None);
        for malformed in [&b""[..], b"\x30", b"\x30\x03\x81\x00\x01", b"\xff\xff"] {
            assert_eq!(code(49, "", Some(malformed)), Some("invalid_credentials"));
        }
    }

    #[test]
    fn an_answer_that_judges_nobody_is_no_refusal() {
        for rc in [1, 2, 8, 10, 13, 51, 52, 80] {
            assert!(judge(&answer(rc, "", None)).is_err(), "{rc}");
        }
        assert_eq!(code(0, "", None), None);
        assert_eq!(code(53, "", None), Some("refused"));
    }
}
