//! Which groups an entry is in: directly, by its primary group, and through other groups.

use std::collections::BTreeSet;

use crate::connection::{Connection, Failure, Query, Scope};
use crate::dn::Dn;
use crate::entry::{Entry, sid_in_domain};
use crate::filter::{Hole, escape, fill};
use crate::ldap_configurations::{Preset, Settings};

/// Most groups of one entry.
pub(crate) const MAX_GROUPS: usize = 1000;
/// How many groups of groups are followed by asking for one level after the other.
const MAX_LEVELS: usize = 10;
/// Groups whose parents are asked for at once.
const AT_ONCE: usize = 20;
/// Active Directory's rule that follows `member` through all groups ([MS-ADTS] 3.1.1.3.4.4.3).
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// A group somebody is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Its name, as the directory writes it.
    pub(crate) dn: String,
    /// Membership through the account's primary group.
    pub(crate) primary: bool,
    /// Membership through another group.
    pub(crate) nested: bool,
}

/// All groups somebody is in.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// Each once.
    pub(crate) list: Vec<Group>,
    /// There are more than are read.
    pub(crate) more: bool,
    known: BTreeSet<Dn>,
}

impl Groups {
    fn add(&mut self, dn: &str, primary: bool, nested: bool) -> bool {
        let Ok(parsed) = Dn::parse(dn) else {
            return false;
        };
        if self.known.contains(&parsed) {
            return false;
        }
        if self.list.len() >= MAX_GROUPS {
            self.more = true;
            return false;
        }
        self.known.insert(parsed);
        self.list.push(Group { dn: dn.to_owned(), primary, nested });
        true
    }

    /// Whether `group` is one of them, however it is written.
    pub(crate) fn contain(&self, group: &str) -> bool {
        Dn::parse(group).is_ok_and(|group| self.known.contains(&group))
    }
}

/// The groups of `entry`; those of groups as well when `nested` is asked for.
///
/// # Errors
/// [`Failure`].
pub(crate) async fn groups_of(
    connection: &mut Connection,
    settings: &Settings,
    entry: &Entry,
    nested: bool,
) -> Result<Groups, Failure> {
    let mut groups = Groups::default();
    for dn in entry.texts("memberOf") {
        groups.add(dn, false, false);
    }
    if let Some(filter) = primary_group_filter(entry) {
        for dn in names(connection, &settings.base_dn, &filter, &mut groups).await? {
            groups.add(&dn, true, false);
        }
    }
    if let Some(filter) = member_filter(settings, entry) {
        for dn in names(connection, settings.groups(), &filter, &mut groups).await? {
            groups.add(&dn, false, false);
        }
    }
    if nested {
        follow(connection, settings, entry, &mut groups).await?;
    }
    Ok(groups)
}

/// Active Directory keeps the primary group apart from the others, by its number.
fn primary_group_filter(entry: &Entry) -> Option<String> {
    let rid = u32::try_from(entry.number("primaryGroupID")?).ok()?;
    let group = sid_in_domain(entry.first("objectSid")?, rid)?;
    Some(format!("(objectSid={})", escape(group)))
}

fn member_filter(settings: &Settings, entry: &Entry) -> Option<String> {
    let template = &settings.group_filter;
    let username = entry.text(&settings.username_attribute);
    if template.is_empty() || (username.is_none() && template.contains(Hole::Username.as_str())) {
        return None;
    }
    let values = [(Hole::Dn, escape(&entry.dn)), (Hole::Username, escape(username.unwrap_or_default()))];
    let values: Vec<(Hole, &str)> = values.iter().map(|(hole, value)| (*hole, value.as_str())).collect();
    Some(fill(template, &values))
}

/// Names of the entries that match.
async fn names(
    connection: &mut Connection,
    base: &str,
    filter: &str,
    groups: &mut Groups,
) -> Result<Vec<String>, Failure> {
    let query =
        Query { base, scope: Scope::Subtree, filter, attributes: &["1.1"], limit: MAX_GROUPS, paged: true };
    let found = connection.search(query).await?;
    groups.more |= found.more;
    Ok(found.entries.into_iter().map(|entry| entry.dn).collect())
}

async fn follow(
    connection: &mut Connection,
    settings: &Settings,
    entry: &Entry,
    groups: &mut Groups,
) -> Result<(), Failure> {
    if settings.preset == Preset::ActiveDirectory {
        let primary = groups.list.iter().filter(|group| group.primary).map(|group| group.dn.clone());
        for dn in std::iter::once(entry.dn.clone()).chain(primary).collect::<Vec<_>>() {
            let filter = format!("(member:{IN_CHAIN}:={})", escape(&dn));
            for dn in names(connection, settings.groups(), &filter, groups).await? {
                groups.add(&dn, false, true);
            }
        }
        return Ok(());
    }
    let mut level: Vec<String> = groups.list.iter().map(|group| group.dn.clone()).collect();
    for _ in 0..MAX_LEVELS {
        let mut next = Vec::new();
        for some in level.chunks(AT_ONCE) {
            let filter = parents_filter(some);
            for dn in names(connection, settings.groups(), &filter, groups).await? {
                if groups.add(&dn, false, true) {
                    next.push(dn);
                }
            }
        }
        if next.is_empty() {
            return Ok(());
        }
        level = next;
    }
    groups.more = true;
    Ok(())
}

/// The groups that one of these is a member of.
fn parents_filter(members: &[String]) -> String {
    let terms = members.iter().map(|dn| {
        let dn = escape(dn);
        format!("(member={dn})(uniqueMember={dn})")
    });
    format!("(|{})", terms.collect::<String>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::ldap_configurations::Settings;

    fn entry(attributes: &[(&str, &[u8])]) -> Entry {
        let attributes =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), vec![value.to_vec()])).collect();
        Entry { dn: "cn=Ada \\28x\\29,dc=example".into(), attributes }
    }

    #[test]
    fn groups_are_kept_once_however_they_are_written() {
        let mut groups = Groups::default();
        assert!(groups.add("CN=Ops,DC=example", false, false));
        assert!(!groups.add("cn=ops, dc=Example", false, true), "the same group");
        assert!(!groups.add("nonsense", false, false));
        assert!(groups.contain("cn=OPS,dc=example") && !groups.contain("cn=ops"));
    }

    #[test]
    fn no_more_than_a_thousand_groups_are_kept() {
        let mut groups = Groups::default();
        for number in 0..1001 {
            groups.add(&format!("cn=g{number}"), false, false);
        }
        assert_eq!((groups.list.len(), groups.more), (1000, true));
    }

    #[test]
    fn names_in_filters_are_escaped() {
        let settings = Settings::of_preset(Preset::Openldap);
        let ada = entry(&[("uid", b"ada)(uid=*")]);
        let filter = member_filter(&settings, &ada).unwrap();
        assert!(filter.contains(r"(member=cn=Ada \5c28x\5c29,dc=example)"), "{filter}");
        assert!(filter.contains(r"(memberUid=ada\29\28uid=\2a)"), "{filter}");
        assert_eq!(
            member_filter(&settings, &entry(&[])),
            None,
            "without a name memberUid would match anybody"
        );
        assert_eq!(parents_filter(&["cn=a*".into()]), r"(|(member=cn=a\2a)(uniqueMember=cn=a\2a))");
    }

    /// Spec: ldap-directory-lookup 10
    #[test]
    fn the_primary_group_is_found_by_its_number() {
        let sid = hex::decode("010500000000000515000000150000001600000017000000f4010000").unwrap();
        let filter =
            primary_group_filter(&entry(&[("objectSid", &sid), ("primaryGroupID", b"513")])).unwrap();
        assert!(filter.ends_with(r"\01\02\00\00)"), "{filter}");
        assert_eq!(primary_group_filter(&entry(&[("primaryGroupID", b"513")])), None);
    }
}
