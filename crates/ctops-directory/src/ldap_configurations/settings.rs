//! How a directory is set up, without secrets, and what is checked about it.

use ctops_base::text::is_hostile;
use ctops_base::{FieldProblem, Problem, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::connection::Tls;
use crate::dn::Dn;
use crate::filter::{Hole, check_template};

/// Longest distinguished name, characters.
const MAX_DN_CHARS: usize = 1000;
/// Longest attribute name, characters.
const MAX_ATTRIBUTE_CHARS: usize = 100;
/// Most servers.
const MAX_SERVERS: usize = 8;
/// Most groups in a map, and most hidden attributes.
const MAX_ITEMS: usize = 200;
/// Longest waits, seconds.
const MAX_CONNECT_S: u32 = 10;
const MAX_OPERATION_S: u32 = 30;

/// Kind of directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LdapPreset)]
pub(crate) enum Preset {
    /// Microsoft Active Directory, or Samba in its place.
    #[default]
    ActiveDirectory,
    /// OpenLDAP and other directories that follow the RFCs.
    Openldap,
}

/// How the connection is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LdapTransport)]
pub(crate) enum Transport {
    /// TLS from the first byte, usually port 636.
    #[default]
    Ldaps,
    /// TLS after asking for it, usually port 389.
    Starttls,
    /// Readable for everybody on the way.
    Plain,
}

impl Transport {
    pub(crate) fn tls(self) -> Tls {
        match self {
            Transport::Ldaps => Tls::Immediate,
            Transport::Starttls => Tls::Start,
            Transport::Plain => Tls::None,
        }
    }
}

/// One server of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LdapServer)]
pub(crate) struct Server {
    /// Name or address, without a scheme.
    #[schema(max_length = 253)]
    pub(crate) host: String,
    /// Port.
    #[schema(minimum = 1, maximum = 65535)]
    pub(crate) port: u16,
}

/// A group of the directory and the role its members get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LdapGroupRole)]
pub(crate) struct GroupRole {
    /// Distinguished name of the group.
    pub(crate) group: String,
    /// `org_admin`, `engineer` or `read_only`.
    pub(crate) role: String,
}

/// Everything about a directory but its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = LdapSettings)]
pub(crate) struct Settings {
    /// Kind of directory.
    pub(crate) preset: Preset,
    /// How the connection is secured.
    pub(crate) transport: Transport,
    /// Servers with the same content, in the order to try them.
    pub(crate) servers: Vec<Server>,
    /// Check the server's certificate.
    pub(crate) verify_certificate: bool,
    /// Where everything lies.
    pub(crate) base_dn: String,
    /// Where people lie.
    pub(crate) user_base: String,
    /// Which entry is meant by a name; `{{username}}` stands for what was typed.
    pub(crate) user_filter: String,
    /// Attribute that holds the name to sign in with.
    pub(crate) username_attribute: String,
    /// Attribute that holds the e-mail address.
    pub(crate) email_attribute: String,
    /// Attribute that holds the full name.
    pub(crate) display_attribute: String,
    /// Addresses in the directory are right; without, people verify theirs.
    pub(crate) trust_email: bool,
    /// Where groups lie; everywhere when empty.
    pub(crate) group_base: String,
    /// Which groups somebody is in, for directories without `memberOf`; `{{dn}}` stands for the entry, `{{username}}` for
    /// the name. Not asked when empty.
    pub(crate) group_filter: String,
    /// Members of groups in groups count as well.
    pub(crate) nested_groups: bool,
    /// Roles by group; the union counts.
    pub(crate) group_roles: Vec<GroupRole>,
    /// Who is in none of these may not sign in; everybody may when empty.
    pub(crate) allowed_groups: Vec<String>,
    /// Role of people in none of the mapped groups: `engineer`, `read_only`, `org_admin`, or `pending`: an administrator
    /// decides.
    pub(crate) default_role: String,
    /// Attributes that nobody sees.
    pub(crate) hidden_attributes: Vec<String>,
    /// Wait for a connection, seconds.
    #[schema(minimum = 1, maximum = 10)]
    pub(crate) connect_timeout_s: u32,
    /// Wait for an answer, seconds.
    #[schema(minimum = 1, maximum = 30)]
    pub(crate) operation_timeout_s: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self::of_preset(Preset::ActiveDirectory)
    }
}

impl Settings {
    /// What is usual for a kind of directory (ldap-directory-lookup 16).
    pub(crate) fn of_preset(preset: Preset) -> Self {
        let (user_filter, username, display, group_filter) = match preset {
            Preset::ActiveDirectory => ("(sAMAccountName={{username}})", "sAMAccountName", "displayName", ""),
            Preset::Openldap => (
                "(uid={{username}})",
                "uid",
                "cn",
                "(|(member={{dn}})(uniqueMember={{dn}})(memberUid={{username}}))",
            ),
        };
        Self {
            preset,
            transport: Transport::Ldaps,
            servers: Vec::new(),
            verify_certificate: true,
            base_dn: String::new(),
            user_base: String::new(),
            user_filter: user_filter.to_owned(),
            username_attribute: username.to_owned(),
            email_attribute: "mail".to_owned(),
            display_attribute: display.to_owned(),
            trust_email: true,
            group_base: String::new(),
            group_filter: group_filter.to_owned(),
            nested_groups: false,
            group_roles: Vec::new(),
            allowed_groups: Vec::new(),
            default_role: PENDING.to_owned(),
            hidden_attributes: Vec::new(),
            connect_timeout_s: MAX_CONNECT_S,
            operation_timeout_s: MAX_OPERATION_S,
        }
    }

    /// Where people are searched.
    pub(crate) fn people(&self) -> &str {
        if self.user_base.is_empty() { &self.base_dn } else { &self.user_base }
    }

    /// Where groups are searched.
    pub(crate) fn groups(&self) -> &str {
        if self.group_base.is_empty() { &self.base_dn } else { &self.group_base }
    }

    /// The role of people in none of the mapped groups.
    pub(crate) fn role_of_others(&self) -> Option<Role> {
        grantable(&self.default_role)
    }

    /// Whether `other` would be sent the service account's password on another way than this: to another server, or less
    /// well secured (ldap-directory-lookup 17).
    pub(crate) fn sends_password_elsewhere(&self, other: &Settings) -> bool {
        let foreign = other.servers.iter().any(|server| !self.servers.contains(server));
        foreign || self.transport != other.transport || (self.verify_certificate && !other.verify_certificate)
    }

    /// Checks everything that can be wrong before a directory is asked.
    ///
    /// # Errors
    /// `validation_failed` with every field.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let mut faults = Faults(Vec::new());
        self.check_servers(&mut faults);
        faults.dn("base_dn", &self.base_dn, true);
        faults.dn("user_base", &self.user_base, false);
        faults.dn("group_base", &self.group_base, false);
        if let Err(message) = check_template(&self.user_filter, &[Hole::Username]) {
            faults.add("user_filter", "bad_filter", message);
        }
        if !self.group_filter.is_empty()
            && let Err(message) = check_template(&self.group_filter, &Hole::BOTH)
        {
            faults.add("group_filter", "bad_filter", message);
        }
        for (field, name) in [
            ("username_attribute", &self.username_attribute),
            ("email_attribute", &self.email_attribute),
            ("display_attribute", &self.display_attribute),
        ] {
            faults.attribute(field, name);
        }
        faults.count("group_roles", self.group_roles.len());
        faults.count("allowed_groups", self.allowed_groups.len());
        faults.count("hidden_attributes", self.hidden_attributes.len());
        for rule in &self.group_roles {
            faults.dn("group_roles", &rule.group, true);
            if grantable(&rule.role).is_none() {
                faults.add("group_roles", "invalid", "roles are org_admin, engineer and read_only");
            }
        }
        for group in &self.allowed_groups {
            faults.dn("allowed_groups", group, true);
        }
        for name in &self.hidden_attributes {
            faults.attribute("hidden_attributes", name);
        }
        if self.default_role != PENDING && self.role_of_others().is_none() {
            faults.add("default_role", "invalid", "is one of pending, org_admin, engineer and read_only");
        }
        faults.seconds("connect_timeout_s", self.connect_timeout_s, MAX_CONNECT_S);
        faults.seconds("operation_timeout_s", self.operation_timeout_s, MAX_OPERATION_S);
        if faults.0.is_empty() { Ok(()) } else { Err(Problem::invalid(faults.0)) }
    }

    fn check_servers(&self, faults: &mut Faults) {
        if self.servers.is_empty() || self.servers.len() > MAX_SERVERS {
            faults.add("servers", "invalid", "must name 1 to 8 servers");
        }
        for server in &self.servers {
            let is_name =
                |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
            if server.host.is_empty() || server.host.len() > 253 || !server.host.chars().all(is_name) {
                faults.add("servers.host", "invalid", "must be a name or an address, without a scheme");
            }
            if server.port == 0 {
                faults.add("servers.port", "invalid", "must be from 1 to 65535");
            }
        }
    }
}

/// Default role of people whom an administrator has to let in.
const PENDING: &str = "pending";

/// A role that a directory may grant: never super_admin (users-teams-rbac 7).
pub(crate) fn grantable(name: &str) -> Option<Role> {
    name.parse().ok().filter(|role| *role != Role::SuperAdmin)
}

/// What is wrong, field by field.
struct Faults(Vec<FieldProblem>);

impl Faults {
    fn add(&mut self, field: &str, code: &'static str, message: impl Into<String>) {
        self.0.push(FieldProblem { path: format!("settings.{field}"), code, message: message.into() });
    }

    fn dn(&mut self, field: &str, text: &str, needed: bool) {
        if text.is_empty() && !needed {
            return;
        }
        let is_good = text.chars().count() <= MAX_DN_CHARS && Dn::parse(text).is_ok_and(|dn| !dn.is_root());
        if !is_good {
            self.add(field, "bad_dn", "must be a distinguished name such as ou=people,dc=example,dc=com");
        }
    }

    fn attribute(&mut self, field: &str, name: &str) {
        let is_good = name.len() <= MAX_ATTRIBUTE_CHARS
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'*');
        let wildcard =
            name.contains('*') && (field != "hidden_attributes" || name.trim_end_matches('*').contains('*'));
        if !is_good || wildcard || name.chars().any(is_hostile) {
            self.add(field, "invalid", "must be the name of an attribute");
        }
    }

    fn count(&mut self, field: &str, count: usize) {
        if count > MAX_ITEMS {
            self.add(field, "too_many", format!("has {count} items, at most {MAX_ITEMS}"));
        }
    }

    fn seconds(&mut self, field: &str, seconds: u32, most: u32) {
        if !(1..=most).contains(&seconds) {
            self.add(field, "invalid", format!("must be from 1 to {most} seconds"));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    pub(crate) fn good(preset: Preset) -> Settings {
        Settings {
            servers: vec![Server { host: "dc1.example.com".into(), port: 636 }],
            base_dn: "dc=example,dc=com".into(),
            user_base: "ou=people,dc=example,dc=com".into(),
            ..Settings::of_preset(preset)
        }
    }

    fn faults(settings: &Settings) -> Vec<String> {
        settings
            .check()
            .err()
            .map_or_else(Vec::new, |problem| problem.fields().iter().map(|f| f.path.clone()).collect())
    }

    /// Spec: ldap-directory-lookup 16
    #[test]
    fn presets_are_complete_but_for_the_place() {
        let ad = good(Preset::ActiveDirectory);
        assert_eq!(
            (ad.user_filter.as_str(), ad.email_attribute.as_str()),
            ("(sAMAccountName={{username}})", "mail")
        );
        assert_eq!(
            (ad.username_attribute.as_str(), ad.display_attribute.as_str()),
            ("sAMAccountName", "displayName")
        );
        let open = good(Preset::Openldap);
        assert_eq!(
            (open.user_filter.as_str(), open.username_attribute.as_str()),
            ("(uid={{username}})", "uid")
        );
        assert_eq!((open.email_attribute.as_str(), open.display_attribute.as_str()), ("mail", "cn"));
        for settings in [ad, open] {
            assert_eq!(faults(&settings), Vec::<String>::new());
            assert!(settings.verify_certificate && settings.transport == Transport::Ldaps);
            assert_eq!(settings.role_of_others(), None, "nobody gets in unasked");
        }
    }

    /// Spec: ldap-directory-lookup 15
    #[test]
    fn every_wrong_field_is_named() {
        type Spoil = fn(&mut Settings);
        let wrong: [(&str, Spoil); 14] = [
            ("settings.servers", |s| s.servers.clear()),
            ("settings.servers.host", |s| s.servers[0].host = "ldaps://dc1".into()),
            ("settings.servers.port", |s| s.servers[0].port = 0),
            ("settings.base_dn", |s| s.base_dn = "example.com".into()),
            ("settings.user_base", |s| s.user_base = "people".into()),
            ("settings.user_filter", |s| s.user_filter = "(uid=ada)".into()),
            ("settings.group_filter", |s| s.group_filter = "(member={{dn}}".into()),
            ("settings.username_attribute", |s| s.username_attribute = "u*".into()),
            ("settings.group_roles", |s| {
                s.group_roles = vec![GroupRole { group: "cn=a".into(), role: "super_admin".into() }];
            }),
            ("settings.allowed_groups", |s| s.allowed_groups = vec!["admins".into()]),
            ("settings.default_role", |s| s.default_role = "super_admin".into()),
            ("settings.hidden_attributes", |s| s.hidden_attributes = vec!["a*b*".into()]),
            ("settings.connect_timeout_s", |s| s.connect_timeout_s = 11),
            ("settings.operation_timeout_s", |s| s.operation_timeout_s = 0),
        ];
        for (field, spoil) in wrong {
            let mut settings = good(Preset::Openldap);
            spoil(&mut settings);
            assert_eq!(faults(&settings), [field]);
        }
    }

    /// Spec: ldap-directory-lookup 17
    #[test]
    fn the_password_stays_with_the_servers_it_was_given_for() {
        let before = good(Preset::Openldap);
        let with = |change: fn(&mut Settings)| {
            let mut after = before.clone();
            change(&mut after);
            before.sends_password_elsewhere(&after)
        };
        assert!(!with(|s| s.user_filter = "(cn={{username}})".into()));
        assert!(with(|s| s.servers[0].host = "evil.example.com".into()));
        assert!(with(|s| s.servers[0].port = 1636));
        assert!(with(|s| s.servers.push(Server { host: "second".into(), port: 636 })));
        assert!(with(|s| s.transport = Transport::Plain));
        assert!(with(|s| s.verify_certificate = false));
    }
}
