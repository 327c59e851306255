//! An entry as people see it (ldap-directory-lookup 7, 11, 12).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use crate::entry::{Entry, base_name, guid, sid};
use crate::ldap_configurations::Settings;
use crate::times::{file_time, generalized_time};

/// Most of a record that is shown, bytes.
const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// Largest photo that is shown, bytes.
const MAX_PHOTO_BYTES: usize = 100 * 1024;
/// Attributes with photos.
const PHOTOS: [&str; 2] = ["thumbnailPhoto", "jpegPhoto"];
/// Attributes with moments as file times.
const FILE_TIMES: [&str; 8] = [
    "accountExpires",
    "badPasswordTime",
    "lastLogoff",
    "lastLogon",
    "lastLogonTimestamp",
    "lockoutTime",
    "msDS-UserPasswordExpiryTimeComputed",
    "pwdLastSet",
];
/// Never shown: passwords, their hashes and histories, keys. A star at the end stands for anything.
const NEVER_SHOWN: [&str; 17] = [
    "authPassword",
    "dBCSPwd",
    "ipaNTHash",
    "krbPrincipalKey",
    "lmPwdHistory",
    "ms-Mcs-AdmPwd",
    "msDS-KeyCredentialLink",
    "msDS-ManagedPassword",
    "msLAPS-*",
    "ntPwdHistory",
    "pwdHistory",
    "sambaLMPassword",
    "sambaNTPassword",
    "sambaPasswordHistory",
    "supplementalCredentials",
    "unicodePwd",
    "userPassword",
];

/// One value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// As text.
    pub(super) text: String,
    /// The moment it means.
    pub(super) at: Option<DateTime<Utc>>,
}

/// Attributes that may be shown.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub(super) list: Vec<(String, Vec<Value>)>,
    /// The record is larger than what is shown.
    pub(super) truncated: bool,
}

/// Takes out what nobody may see, before anything else is done with an entry.
pub(super) fn without_hidden(mut entry: Entry, settings: &Settings) -> Entry {
    let hidden = |name: &str| {
        let name = base_name(name);
        let listed = settings.hidden_attributes.iter().map(String::as_str);
        NEVER_SHOWN.into_iter().chain(listed).any(|pattern| is_named(name, pattern))
    };
    entry.attributes.retain(|(name, _)| !hidden(name));
    entry
}

fn is_named(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => {
            name.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
        }
        None => name.eq_ignore_ascii_case(pattern),
    }
}

/// Every attribute, by name.
pub(super) fn attributes(entry: &Entry) -> Attributes {
    let mut shown = Attributes::default();
    let mut room = MAX_RECORD_BYTES;
    for (name, values) in &entry.attributes {
        let mut kept = Vec::new();
        for value in values {
            match room.checked_sub(value.len()) {
                Some(left) => {
                    room = left;
                    kept.push(show(name, value));
                }
                None => shown.truncated = true,
            }
        }
        shown.list.push((name.clone(), kept));
    }
    shown.list.sort_by_cached_key(|(name, _)| name.to_lowercase());
    shown
}

fn show(name: &str, value: &[u8]) -> Value {
    let named = |known: &str| base_name(name).eq_ignore_ascii_case(known);
    let plain = |text: String| Value { text, at: None };
    if named("objectGUID")
        && let Some(text) = guid(value)
    {
        return plain(text);
    }
    if (named("objectSid") || named("sIDHistory"))
        && let Some(text) = sid(value)
    {
        return plain(text);
    }
    let is_readable = |text: &&str| !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    let Some(text) = std::str::from_utf8(value).ok().filter(is_readable) else {
        return plain(format!("[binary {} B]", value.len()));
    };
    let at = if FILE_TIMES.iter().any(|known| named(known)) {
        text.parse().ok().and_then(file_time)
    } else {
        generalized_time(text)
    };
    Value { text: text.to_owned(), at }
}

/// The photo as a data address, when it is an image that browsers show; what the attribute says it is does not count.
pub(super) fn photo(entry: &Entry) -> Option<String> {
    PHOTOS.iter().flat_map(|name| entry.values(name)).find_map(|bytes| {
        let kind = image_type(bytes).filter(|_| bytes.len() <= MAX_PHOTO_BYTES)?;
        Some(format!("data:{kind};base64,{}", STANDARD.encode(bytes)))
    })
}

/// By the first bytes (RFC 2083 section 3.1, ITU-T T.81 annex B, GIF89a section 17).
fn image_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        Some("image/gif")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ldap_configurations::Preset;

    fn entry(attributes: &[(&str, &[u8])]) -> Entry {
        let attributes =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), vec![value.to_vec()])).collect();
        Entry { dn: "cn=x".into(), attributes }
    }

    fn shown(name: &str, value: &[u8]) -> Value {
        attributes(&entry(&[(name, value)])).list.remove(0).1.remove(0)
    }

    /// Spec: ldap-directory-lookup 12
    #[test]
    fn secrets_never_leave_whatever_their_case_and_options() {
        let settings = Settings {
            hidden_attributes: vec!["employeeNumber".into(), "x-*".into()],
            ..Settings::of_preset(Preset::Openldap)
        };
        let names = [
            "userPassword",
            "USERPASSWORD",
            "userPassword;binary",
            "unicodePwd",
            "dBCSPwd",
            "lmPwdHistory",
            "ntPwdHistory",
            "supplementalCredentials",
            "msDS-KeyCredentialLink",
            "sambaNTPassword",
            "sambaLMPassword",
            "ipaNTHash",
            "krbPrincipalKey",
            "ms-Mcs-AdmPwd",
            "msLAPS-Password",
            "mslaps-EncryptedPassword",
            "pwdHistory",
            "employeenumber",
            "X-Secret",
        ];
        let attributes: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, &b"marker-4711"[..])).collect();
        assert!(without_hidden(entry(&attributes), &settings).attributes.is_empty());
        let kept = without_hidden(entry(&[("mail", b"a"), ("msLAP", b"b"), ("user", b"c")]), &settings);
        assert_eq!(kept.attributes.len(), 3);
    }

    /// Spec: ldap-directory-lookup 11
    #[test]
    fn values_are_shown_as_what_they_are() {
        let guid_bytes = hex::decode("33221100554477668899aabbccddeeff").unwrap();
        assert_eq!(shown("objectGUID", &guid_bytes).text, "00112233-4455-6677-8899-aabbccddeeff");
        let sid_bytes = hex::decode("010100000000000512000000").unwrap();
        assert_eq!(shown("objectSid", &sid_bytes).text, "S-1-5-18");
        assert_eq!(shown("userCertificate;binary", &[0x30, 0x82, 0xff]).text, "[binary 3 B]");
        assert_eq!(shown("cn", b"a\0b").text, "[binary 3 B]");
        let logon = shown("lastLogon", b"133449696000000000");
        assert_eq!(
            (logon.text.as_str(), logon.at.unwrap().timestamp()),
            ("133449696000000000", 1_700_496_000)
        );
        let created = shown("createTimestamp", b"20261122174500Z");
        assert_eq!((created.text.as_str(), created.at.is_some()), ("20261122174500Z", true));
        assert_eq!(shown("telephoneNumber", b"133449696000000000").at, None);
    }

    /// Spec: ldap-directory-lookup 11
    #[test]
    fn only_images_are_shown_as_images() {
        let png = b"\x89PNG\r\n\x1a\nrest";
        assert!(photo(&entry(&[("thumbnailPhoto", png)])).unwrap().starts_with("data:image/png;base64,"));
        assert!(
            photo(&entry(&[("jpegPhoto", b"\xff\xd8\xff\xe0")])).unwrap().starts_with("data:image/jpeg;")
        );
        for bytes in [&b"<svg onload=alert(1)>"[..], b"<html>", b"", b"\x89PNG"] {
            assert_eq!(photo(&entry(&[("thumbnailPhoto", bytes)])), None);
        }
        let large = [&png[..], &vec![0; MAX_PHOTO_BYTES]].concat();
        assert_eq!(photo(&entry(&[("thumbnailPhoto", &large)])), None);
    }

    #[test]
    fn a_large_record_is_cut_with_a_notice() {
        let big = vec![b'x'; MAX_RECORD_BYTES - 10];
        let cut = attributes(&entry(&[("a", &big), ("b", b"too much here"), ("c", b"fits")]));
        assert!(cut.truncated);
        assert_eq!(cut.list.iter().map(|(_, values)| values.len()).collect::<Vec<_>>(), [1, 0, 1]);
    }
}
