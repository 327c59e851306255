//! What a key is, and what may be asked for a new one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{FieldProblem, Problem, Role};
use ctops_slice::Rights;
use uuid::Uuid;

use crate::access::Member;
use crate::accounts::check_name;
use crate::sessions::DeclaredPermissions;

/// Live keys of one person (auth 21).
pub(super) const MAX_OWN: i64 = 20;
/// Live service keys of one organisation (auth 21).
pub(super) const MAX_SERVICE: i64 = 100;
/// Keys shown at most; more can be on record because revoked ones stay.
pub(super) const MAX_LISTED: i64 = 500;
/// Days a key lives unless said otherwise (auth 20).
const DEFAULT_DAYS: u32 = 90;
/// Host groups or networks of one key.
const MAX_LIMITS: usize = 50;
/// The use of a key is written down at most this often.
pub(super) const NOTE_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Whom a key speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Personal,
    Service,
}

impl Kind {
    /// The name in the database and the API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Personal => "personal",
            Kind::Service => "service",
        }
    }

    /// The beginning of the secret (auth 20).
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Kind::Personal => "ctops_pat_",
            Kind::Service => "ctops_svc_",
        }
    }
}

/// A key that a request showed, good at this moment and from this address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveKey {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) org_id: Uuid,
    pub(crate) is_service: bool,
    pub(super) name: String,
    pub(super) scopes: BTreeSet<String>,
    pub(super) host_groups: Option<Vec<Uuid>>,
    pub(super) last_used_at: Option<DateTime<Utc>>,
}

impl LiveKey {
    /// What is left of whom it speaks for.
    pub(crate) fn limit(&self, mut member: Member) -> Member {
        member.rights.limit = Some(Arc::new(self.scopes.clone()));
        if let Some(groups) = &self.host_groups {
            member.scope = member.scope.narrowed_to(groups);
            let mut custom = member.rights.custom.to_vec();
            for role in &mut custom {
                role.scope = role.scope.narrowed_to(groups);
            }
            member.rights.custom = custom.into();
        }
        member
    }
}

/// A network in CIDR form (RFC 4632, RFC 4291 section 2.3); an address alone is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `192.0.2.0/24` or `2001:db8::1`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let base = address.parse::<IpAddr>().ok()?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= bits)?
            }
            Some(_) => return None,
        };
        Some(Self { base, prefix })
    }

    /// Whether `ip` lies in it.
    pub(super) fn contains(self, ip: IpAddr) -> bool {
        match (self.base, ip.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                u32::from(base) & mask == u32::from(ip) & mask
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                u128::from(base) & mask == u128::from(ip) & mask
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// Whether a key with these networks may be used from `ip`. A network that cannot be read lets nobody in.
pub(super) fn is_allowed(networks: Option<&[String]>, ip: IpAddr) -> bool {
    networks.is_none_or(|networks| {
        networks.iter().filter_map(|text| Network::parse(text)).any(|network| network.contains(ip))
    })
}

/// A key as it was asked for.
#[derive(Clone, Debug)]
pub(super) struct NewKey {
    pub(super) name: String,
    pub(super) scopes: Vec<String>,
    pub(super) host_groups: Option<Vec<Uuid>>,
    pub(super) allowed_networks: Option<Vec<String>>,
    pub(super) expires_in_days: Option<u32>,
}

/// A key that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CheckedKey {
    pub(super) name: String,
    pub(super) scopes: Vec<String>,
    pub(super) host_groups: Option<Vec<Uuid>>,
    pub(super) allowed_networks: Option<Vec<String>>,
    pub(super) expires_at: DateTime<Utc>,
}

impl NewKey {
    /// Checks everything that needs no database. `holders` are all whose rights the key must stay within.
    ///
    /// # Errors
    /// `validation_failed`.
    pub(super) fn check(
        self,
        declared: &DeclaredPermissions,
        holders: &[&Rights],
        max_days: u32,
        now: DateTime<Utc>,
    ) -> Result<CheckedKey, Problem> {
        let mut fields = Vec::new();
        let name = check_name("name", &self.name).map_err(|field| fields.push(field)).unwrap_or_default();
        let scopes: BTreeSet<String> = self.scopes.into_iter().collect();
        if scopes.is_empty() {
            fields.push(field("scopes", "required", "names no permission".to_owned()));
        }
        for scope in &scopes {
            if !declared.is_held_by_all(scope, holders) {
                let message = format!("{scope:?} is no permission that this key may have");
                fields.push(field("scopes", "not_held", message));
            }
        }
        let networks = self.allowed_networks.filter(|networks| !networks.is_empty());
        let networks = networks.map(|networks| read_networks(&networks, &mut fields));
        let groups = self.host_groups.filter(|groups| !groups.is_empty());
        if groups.as_ref().is_some_and(|groups| groups.len() > MAX_LIMITS) {
            fields.push(field("host_groups", "too_many", format!("at most {MAX_LIMITS}")));
        }
        let days = self.expires_in_days.unwrap_or_else(|| DEFAULT_DAYS.min(max_days));
        if !(1..=max_days).contains(&days) {
            let message = format!("is {days} days, from 1 to {max_days} are allowed");
            fields.push(field("expires_in_days", "out_of_range", message));
        }
        if !fields.is_empty() {
            return Err(Problem::invalid(fields));
        }
        Ok(CheckedKey {
            name,
            scopes: scopes.into_iter().collect(),
            host_groups: groups,
            allowed_networks: networks,
            expires_at: now + TimeDelta::days(i64::from(days)),
        })
    }
}

fn read_networks(texts: &[String], fields: &mut Vec<FieldProblem>) -> Vec<String> {
    if texts.len() > MAX_LIMITS {
        fields.push(field("allowed_networks", "too_many", format!("at most {MAX_LIMITS}")));
        return Vec::new();
    }
    let mut networks = Vec::new();
    for text in texts {
        match Network::parse(text) {
            Some(network) => networks.push(network.to_string()),
            None => {
                let message = "must be addresses or networks such as 192.0.2.0/24".to_owned();
                fields.push(field("allowed_networks", "not_a_network", message));
            }
        }
    }
    networks
}

fn field(path: &str, code: &'static str, message: String) -> FieldProblem {
    FieldProblem { path: path.to_owned(), code, message }
}

/// The role of a service key (auth 21): any but super_admin, which no program should hold.
///
/// # Errors
/// `validation_failed`.
pub(super) fn service_role(text: &str) -> Result<Role, Problem> {
    let refused = || Problem::invalid_field("role", "invalid", "must be org_admin, engineer or read_only");
    let role: Role = text.parse().map_err(|_| refused())?;
    if role == Role::SuperAdmin { Err(refused()) } else { Ok(role) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ctops_slice::{HostScope, Permission, Standing};

    use super::*;

    static READ: Permission = Permission { name: "things.read", roles: &Role::ALL, about: "" };
    static BREAK: Permission =
        Permission { name: "things.break", roles: &[Role::OrgAdmin, Role::SuperAdmin], about: "" };

    fn asked(scopes: &[&str]) -> NewKey {
        NewKey {
            name: "Backup job".into(),
            scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
            host_groups: None,
            allowed_networks: None,
            expires_in_days: None,
        }
    }

    fn check(new: NewKey, holders: &[Role]) -> Result<CheckedKey, Vec<(String, &'static str)>> {
        let declared = DeclaredPermissions::new(vec![&READ, &BREAK]);
        let rights: Vec<Rights> = holders.iter().map(|role| Rights::of([*role].into())).collect();
        let holders: Vec<&Rights> = rights.iter().collect();
        let checked = new.check(&declared, &holders, 90, DateTime::UNIX_EPOCH);
        checked.map_err(|problem| problem.fields().iter().map(|f| (f.path.clone(), f.code)).collect())
    }

    /// Spec: auth 20
    #[test]
    fn a_key_gets_no_permission_that_its_owner_or_its_role_lacks() {
        assert!(check(asked(&["things.read", "things.break"]), &[Role::OrgAdmin]).is_ok());
        let refused = Err(vec![("scopes".to_owned(), "not_held")]);
        assert_eq!(check(asked(&["things.break"]), &[Role::Engineer]), refused);
        assert_eq!(check(asked(&["things.break"]), &[Role::SuperAdmin, Role::Engineer]), refused, "its role");
        assert_eq!(check(asked(&["things.invented"]), &[Role::SuperAdmin]), refused);
        assert_eq!(check(asked(&[]), &[Role::SuperAdmin]), Err(vec![("scopes".to_owned(), "required")]));
    }

    /// Spec: auth 20
    #[test]
    fn a_key_ends_after_ninety_days_unless_said_otherwise_and_never_later_than_allowed() {
        let days = |days| {
            let new = NewKey { expires_in_days: days, ..asked(&["things.read"]) };
            check(new, &[Role::Engineer]).map(|key| (key.expires_at - DateTime::UNIX_EPOCH).num_days())
        };
        assert_eq!(days(None), Ok(90));
        assert_eq!(days(Some(1)), Ok(1));
        for wrong in [0, 91, u32::MAX] {
            assert_eq!(days(Some(wrong)), Err(vec![("expires_in_days".to_owned(), "out_of_range")]));
        }
    }

    /// Spec: auth 20
    #[test]
    fn networks_are_read_strictly_and_compared_by_their_prefix() {
        let within = |network: &str, ip: &str| Network::parse(network).unwrap().contains(ip.parse().unwrap());
        assert!(within("192.0.2.0/24", "192.0.2.255") && !within("192.0.2.0/24", "192.0.3.0"));
        assert!(within("192.0.2.77/24", "192.0.2.1"), "bits after the prefix do not count");
        assert!(within("0.0.0.0/0", "198.51.100.7") && !within("0.0.0.0/0", "2001:db8::1"));
        assert!(within("192.0.2.7", "::ffff:192.0.2.7"), "the same address in IPv6 clothes");
        assert!(within("2001:db8::/32", "2001:db8:ffff::1") && !within("2001:db8::/32", "2001:db9::1"));
        for wrong in
            ["", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/+8", "192.0.2/24", "::/129", "example.com", "*"]
        {
            assert_eq!(Network::parse(wrong), None, "{wrong:?}");
        }
        assert!(is_allowed(None, [192, 0, 2, 1].into()));
        assert!(!is_allowed(Some(&["nonsense".into()]), [192, 0, 2, 1].into()), "closed, not open");
        let new = NewKey { allowed_networks: Some(vec!["x".into()]), ..asked(&["things.read"]) };
        assert_eq!(
            check(new, &[Role::Engineer]),
            Err(vec![("allowed_networks".to_owned(), "not_a_network")])
        );
    }

    /// Spec: auth 20
    #[test]
    fn what_a_key_leaves_of_its_owner_is_less_never_more() {
        let key = LiveKey {
            id: Uuid::nil(),
            user_id: Uuid::nil(),
            org_id: Uuid::nil(),
            is_service: false,
            name: String::new(),
            scopes: BTreeSet::from(["things.read".to_owned(), "things.break".to_owned()]),
            host_groups: Some(vec![Uuid::from_u128(1), Uuid::from_u128(2)]),
            last_used_at: None,
        };
        let owner = Member {
            name: "Ada".into(),
            standing: Standing::Active,
            rights: Rights::of([Role::Engineer].into()),
            scope: HostScope::limited([Uuid::from_u128(2), Uuid::from_u128(3)]),
        };
        let left = key.limit(owner);
        assert!(left.rights.hold(&READ) && !left.rights.hold(&BREAK));
        assert_eq!(left.scope, HostScope::limited([Uuid::from_u128(2)]));
    }

    /// Spec: auth 21
    #[test]
    fn no_service_is_a_super_admin() {
        assert_eq!(service_role("engineer").unwrap(), Role::Engineer);
        for wrong in ["super_admin", "root", ""] {
            assert!(service_role(wrong).is_err(), "{wrong}");
        }
    }
}
