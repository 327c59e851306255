//! Entries as a directory sends them. Nothing of them is kept beyond the request.

use ldap3::asn1::{PL, StructureTag};

/// One entry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name, as the directory writes it.
    pub(crate) dn: String,
    /// Attributes in the order they came, with their values.
    pub(crate) attributes: Vec<(String, Vec<Vec<u8>>)>,
}

/// Values are the directory's and belong into no log.
impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("attributes", &self.attributes.len()).finish_non_exhaustive()
    }
}

/// The name of an attribute without its options, such as `;binary` or `;range=0-1499` (RFC 4512 section 2.5).
pub(crate) fn base_name(name: &str) -> &str {
    name.split(';').next().unwrap_or(name)
}

impl Entry {
    /// Reads a SearchResultEntry (RFC 4511 section 4.5.2). None when the directory sent something else.
    pub(crate) fn read(tag: StructureTag) -> Option<Self> {
        if tag.id != 4 {
            return None;
        }
        let mut parts = constructed(tag)?.into_iter();
        let dn = String::from_utf8(primitive(parts.next()?)?).ok()?;
        let attributes =
            constructed(parts.next()?)?.into_iter().map(read_attribute).collect::<Option<_>>()?;
        Some(Self { dn, attributes })
    }

    /// All values of an attribute, whatever options its name has.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        let same = move |(known, _): &&(String, Vec<Vec<u8>>)| base_name(known).eq_ignore_ascii_case(name);
        self.attributes.iter().filter(same).flat_map(|(_, values)| values.iter().map(Vec::as_slice))
    }

    /// The first value of an attribute.
    pub(crate) fn first<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// The values of an attribute that are text.
    pub(crate) fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.values(name).filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The first value of an attribute that is text and not empty.
    pub(crate) fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.texts(name).find(|text| !text.is_empty())
    }

    /// The first value of an attribute as a number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }

    /// Whether a flag attribute is TRUE (RFC 4517 section 3.3.3).
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }
}

fn read_attribute(tag: StructureTag) -> Option<(String, Vec<Vec<u8>>)> {
    let mut parts = constructed(tag)?.into_iter();
    let name = String::from_utf8(primitive(parts.next()?)?).ok()?;
    let values = constructed(parts.next()?)?.into_iter().map(primitive).collect::<Option<_>>()?;
    Some((name, values))
}

pub(crate) fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

pub(crate) fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

/// An objectGUID as people write it ([MS-DTYP] 2.3.4: the first three groups are little-endian).
pub(crate) fn guid(bytes: &[u8]) -> Option<String> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    Some(uuid::Uuid::from_bytes_le(bytes).to_string())
}

/// An objectSid as people write it ([MS-DTYP] 2.4.2).
pub(crate) fn sid(bytes: &[u8]) -> Option<String> {
    let [1, count, authority @ ..] = bytes else {
        return None;
    };
    let (authority, subs) = authority.split_at_checked(6)?;
    if subs.len() != usize::from(*count) * 4 || *count > 15 {
        return None;
    }
    let authority = authority.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mut text = format!("S-1-{authority}");
    for sub in subs.chunks_exact(4) {
        let number = u32::from_le_bytes(sub.try_into().ok()?);
        text.push_str(&format!("-{number}"));
    }
    Some(text)
}

/// The SID of a group of the same domain: the person's own with another last number.
pub(crate) fn sid_in_domain(of_person: &[u8], rid: u32) -> Option<Vec<u8>> {
    sid(of_person)?;
    let domain = of_person.len().checked_sub(4).filter(|length| *length > 8)?;
    Some([&of_person[..domain], &rid.to_le_bytes()].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ldap3::asn1::TagClass;
    use proptest::prelude::*;

    use super::*;

    fn tag(id: u64, payload: PL) -> StructureTag {
        StructureTag { class: TagClass::Universal, id, payload }
    }

    fn text(value: &str) -> StructureTag {
        tag(4, PL::P(value.into()))
    }

    fn an_entry(attributes: &[(&str, &[&str])]) -> StructureTag {
        let attributes = attributes.iter().map(|(name, values)| {
            let values = values.iter().map(|value| text(value)).collect();
            tag(16, PL::C(vec![text(name), tag(17, PL::C(values))]))
        });
        tag(4, PL::C(vec![text("uid=ada"), tag(16, PL::C(attributes.collect()))]))
    }

    #[test]
    fn attributes_are_found_in_any_case_and_with_options() {
        let entry =
            Entry::read(an_entry(&[("memberOf;range=0-1", &["a", "b"]), ("MAIL", &["x@y"])])).unwrap();
        assert_eq!(entry.texts("memberof").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((entry.text("mail"), entry.text("cn")), (Some("x@y"), None));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for bad in [
            tag(5, PL::C(vec![])),
            tag(4, PL::P(vec![])),
            tag(4, PL::C(vec![])),
            tag(4, PL::C(vec![text("dn"), text("attributes")])),
            tag(4, PL::C(vec![tag(4, PL::P(vec![0xff])), tag(16, PL::C(vec![]))])),
        ] {
            assert!(Entry::read(bad).is_none());
        }
    }

    /// Spec: ldap-directory-lookup 11
    #[test]
    fn guids_and_sids_are_decoded() {
        let bytes = hex::decode("33221100554477668899aabbccddeeff").unwrap();
        assert_eq!(guid(&bytes).as_deref(), Some("00112233-4455-6677-8899-aabbccddeeff"));
        assert_eq!(guid(&bytes[1..]), None);
        let domain_users = hex::decode("010500000000000515000000150000001600000017000000f4010000").unwrap();
        assert_eq!(sid(&domain_users).as_deref(), Some("S-1-5-21-21-22-23-500"));
        let group = sid_in_domain(&domain_users, 513).unwrap();
        assert_eq!(sid(&group).as_deref(), Some("S-1-5-21-21-22-23-513"));
        assert_eq!((sid(&domain_users[1..]), sid(&[]), sid(&[1, 2, 0])), (None, None, None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (guid(&bytes), sid(&bytes), sid_in_domain(&bytes, 1));
        }
    }
}
