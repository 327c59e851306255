//! Distinguished names (RFC 4514), parsed so that they can be compared.

use std::collections::BTreeSet;
use std::fmt::Write;

/// Longest name that is read, bytes.
const MAX_BYTES: usize = 4096;
/// Most parts of a name.
const MAX_PARTS: usize = 64;

/// The text is not a distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadDn;

/// One relative name: its attributes and values, in any order.
type Rdn = BTreeSet<(String, Value)>;

/// A value without its escapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    /// Text, in lower case: nearly all naming attributes are compared so.
    Text(String),
    /// Bytes that are no text.
    Bytes(Vec<u8>),
    /// `#` and hex digits: the value in BER. Equal to itself only.
    Encoded(Vec<u8>),
}

/// A distinguished name, the nearest part first. Equal when it names the same entry, however it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Dn(Vec<Rdn>);

impl Dn {
    /// Reads the string form of RFC 4514; spaces around separators are allowed, as in RFC 2253.
    ///
    /// # Errors
    /// [`BadDn`].
    pub(crate) fn parse(text: &str) -> Result<Self, BadDn> {
        if text.len() > MAX_BYTES {
            return Err(BadDn);
        }
        if text.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        let mut parts = Vec::new();
        let mut reader = Reader(text);
        loop {
            let mut rdn = Rdn::new();
            let end = loop {
                let attribute = reader.attribute()?;
                let (value, end) = reader.value()?;
                rdn.insert((attribute, value));
                if end != End::Plus {
                    break end;
                }
            };
            parts.push(rdn);
            if parts.len() > MAX_PARTS {
                return Err(BadDn);
            }
            if end == End::Text {
                return Ok(Self(parts));
            }
        }
    }

    /// Whether this names the root.
    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this entry lies below `base` and is not `base` itself (ldap-directory-lookup 6).
    pub(crate) fn is_strictly_below(&self, base: &Dn) -> bool {
        self.0.len() > base.0.len() && self.0.ends_with(&base.0)
    }

    /// The first value of the nearest part, without escapes, as `text` writes it: what people call the entry.
    pub(crate) fn nearest_value(text: &str) -> Option<String> {
        let mut reader = Reader(text);
        reader.attribute().ok()?;
        match reader.raw_value().ok()?.0 {
            Raw::Plain(bytes) => String::from_utf8(bytes).ok(),
            Raw::Encoded(_) => None,
        }
    }

    /// One spelling for all spellings of the same name.
    pub(crate) fn normalised(&self) -> String {
        let mut text = String::new();
        for (index, rdn) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            for (position, (attribute, value)) in rdn.iter().enumerate() {
                if position > 0 {
                    text.push('+');
                }
                text.push_str(attribute);
                text.push('=');
                match value {
                    Value::Text(value) => write_escaped(&mut text, value.as_bytes()),
                    Value::Bytes(bytes) => write_escaped(&mut text, bytes),
                    Value::Encoded(bytes) => {
                        text.push('#');
                        text.push_str(&hex::encode(bytes));
                    }
                }
            }
        }
        text
    }
}

fn write_escaped(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'@' => {
                text.push(char::from(*byte));
            }
            // Writing to a string does not fail.
            _ => drop(write!(text, "\\{byte:02x}")),
        }
    }
}

/// What ends a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Comma,
    Plus,
    Text,
}

enum Raw {
    Plain(Vec<u8>),
    Encoded(Vec<u8>),
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    /// `attributeType` and the equals sign: a name or an object identifier (RFC 4512 section 1.4).
    fn attribute(&mut self) -> Result<String, BadDn> {
        let (name, rest) = self.0.split_once('=').ok_or(BadDn)?;
        let name = name.trim_matches(' ');
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let is_oid = name.split('.').count() > 1
            && name.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()));
        if !is_name && !is_oid {
            return Err(BadDn);
        }
        let name = name.to_ascii_lowercase();
        self.0 = rest;
        Ok(name)
    }

    fn value(&mut self) -> Result<(Value, End), BadDn> {
        let (raw, end) = self.raw_value()?;
        let value = match raw {
            Raw::Encoded(bytes) => Value::Encoded(bytes),
            Raw::Plain(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Value::Text(text.to_lowercase()),
                Err(error) => Value::Bytes(error.into_bytes()),
            },
        };
        Ok((value, end))
    }

    /// A value up to the separator that follows it, without escapes and surrounding spaces.
    fn raw_value(&mut self) -> Result<(Raw, End), BadDn> {
        self.0 = self.0.trim_start_matches(' ');
        if let Some(rest) = self.0.strip_prefix('#') {
            let digits = rest.find([',', '+']).unwrap_or(rest.len());
            let bytes = hex::decode(rest[..digits].trim_end_matches(' ')).map_err(|_| BadDn)?;
            if bytes.is_empty() {
                return Err(BadDn);
            }
            self.0 = &rest[digits..];
            return Ok((Raw::Encoded(bytes), self.end()));
        }
        let bytes = self.0.as_bytes();
        let (mut value, mut significant, mut at) = (Vec::new(), 0, 0);
        while let Some(byte) = bytes.get(at) {
            match byte {
                b',' | b'+' => break,
                b'"' | b';' | b'<' | b'>' | 0 => return Err(BadDn),
                b'\\' => {
                    let (unescaped, length) = unescape(&bytes[at + 1..])?;
                    value.push(unescaped);
                    significant = value.len();
                    at += 1 + length;
                }
                _ => {
                    value.push(*byte);
                    if *byte != b' ' {
                        significant = value.len();
                    }
                    at += 1;
                }
            }
        }
        value.truncate(significant);
        self.0 = self.0.get(at..).ok_or(BadDn)?;
        Ok((Raw::Plain(value), self.end()))
    }

    fn end(&mut self) -> End {
        let end = match self.0.as_bytes().first() {
            Some(b',') => End::Comma,
            Some(b'+') => End::Plus,
            _ => return End::Text,
        };
        self.0 = &self.0[1..];
        end
    }
}

/// What follows a backslash: two hex digits, or a character that would have a meaning (RFC 4514 section 3).
fn unescape(after: &[u8]) -> Result<(u8, usize), BadDn> {
    match after {
        [special @ (b'"' | b'+' | b',' | b';' | b'<' | b'>' | b' ' | b'#' | b'=' | b'\\'), ..] => {
            Ok((*special, 1))
        }
        [high, low, ..] => {
            let digits = [*high, *low];
            let byte = hex::decode(digits).map_err(|_| BadDn)?;
            byte.first().map(|byte| (*byte, 2)).ok_or(BadDn)
        }
        _ => Err(BadDn),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::parse(text).unwrap()
    }

    #[test]
    fn names_are_equal_however_they_are_written() {
        let plain = dn("cn=Lovelace\\, Ada+uid=ada,ou=People,dc=example,dc=com");
        for same in [
            "CN=lovelace\\2c ada+UID=Ada,OU=people,DC=Example,DC=com",
            "uid=ada+cn=Lovelace\\, Ada, ou=People , dc=example, dc=com",
        ] {
            assert_eq!(dn(same), plain, "{same}");
            assert_eq!(dn(same).normalised(), plain.normalised());
        }
        assert_ne!(dn("cn=Lovelace,ou=People,dc=example,dc=com"), plain);
        assert_eq!(dn("cn=Zo\\c3\\ab"), dn("cn=ZOË"));
        assert_eq!(dn("cn=#0403414243"), dn("CN=#0403414243"));
        assert_eq!(dn("cn=\\ a\\ "), dn("cn=\\20a\\20"), "escaped spaces are part of the value");
        assert_ne!(dn("cn=\\ a"), dn("cn=a"));
    }

    /// Spec: ldap-directory-lookup 6
    #[test]
    fn below_is_decided_by_parts_and_not_by_text() {
        let base = dn("ou=people,dc=example,dc=com");
        assert!(dn("uid=ada,OU=People,dc=example,dc=com").is_strictly_below(&base));
        assert!(dn("uid=ada+cn=x,ou=deep,ou=people,dc=example,dc=com").is_strictly_below(&base));
        for outside in [
            "ou=people,dc=example,dc=com",
            "uid=ada,ou=machines,dc=example,dc=com",
            "uid=ada\\,ou=people,dc=example,dc=com",
            "uid=x,ou=notpeople,dc=example,dc=com",
            "uid=x,xou=people,dc=example,dc=com",
            "dc=com",
            "",
        ] {
            assert!(!dn(outside).is_strictly_below(&base), "{outside}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in [
            "ada",
            "=x",
            "cn",
            "cn=a,",
            ",cn=a",
            "cn=a+",
            "cn=a;ou=b",
            "cn=\"a\"",
            "cn=a\\",
            "cn=a\\g1",
            "cn=#",
            "cn=#0",
            "cn=#zz",
            "c n=a",
            "1.=a",
            "cn=a\0b",
            "cn=<a>",
        ] {
            assert_eq!(Dn::parse(bad), Err(BadDn), "{bad}");
        }
        assert!(Dn::parse(&format!("cn={}", "a".repeat(5000))).is_err());
        assert!(dn(" ").is_root() && dn("cn=").0.len() == 1);
    }

    #[test]
    fn the_nearest_value_is_what_people_read() {
        assert_eq!(Dn::nearest_value("CN=Ops\\, Night,OU=x").as_deref(), Some("Ops, Night"));
        assert_eq!(Dn::nearest_value("nonsense"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,60}") {
            if let Ok(parsed) = Dn::parse(&text) {
                prop_assert_eq!(Dn::parse(&parsed.normalised()).unwrap(), parsed);
            }
        }

        #[test]
        fn any_value_survives_being_written_and_read(value in "[^\0]{1,30}", below in "[a-z]{1,8}") {
            let mut written = String::from("cn=");
            write_escaped(&mut written, value.as_bytes());
            let text = format!("{written},ou={below}");
            prop_assert_eq!(Dn::nearest_value(&text), Some(value.clone()));
            let base = Dn::parse(&format!("ou={below}")).unwrap();
            prop_assert!(Dn::parse(&text).unwrap().is_strictly_below(&base));
        }
    }
}
