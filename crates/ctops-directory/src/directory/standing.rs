//! Whether an account can be used, and how old its password is (ldap-directory-lookup 8, 9).

use chrono::{DateTime, TimeDelta, Utc};

use crate::entry::Entry;
use crate::ldap_configurations::Preset;
use crate::times::{epoch_days, file_time, generalized_time};

/// userAccountControl flags ([MS-ADTS] 2.2.16).
const ACCOUNT_DISABLED: i64 = 0x2;
const PASSWORD_NEVER_EXPIRES: i64 = 0x1_0000;
/// shadowMax that means never (shadow(5)).
const SHADOW_NEVER: i64 = 99_999;
/// File time that means never.
const NEVER: i64 = i64::MAX;
/// pwdAccountLockedTime of an account that only an administrator unlocks (draft-behera-ldap-password-policy 5.3.3).
const LOCKED_FOR_GOOD: &str = "000001010000Z";

/// Whether an account can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Disabled,
    Locked,
    Expired,
    MustChangePassword,
}

impl Status {
    /// The name in the API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Disabled => "disabled",
            Status::Locked => "locked",
            Status::Expired => "expired",
            Status::MustChangePassword => "password_must_change",
        }
    }
}

/// What is known of the password. Nothing of it is the password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PasswordAge {
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) changed_at: Option<DateTime<Utc>>,
    pub(super) never_expires: bool,
}

/// What the directory says of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) status: Status,
    /// When the account itself expires; not its password.
    pub(super) account_expires_at: Option<DateTime<Utc>>,
    pub(super) password: PasswordAge,
}

/// Rules that are not on the entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// How long an account stays locked; for good without.
    pub(super) lockout: Option<TimeDelta>,
    /// How long a password can be used; for ever without.
    pub(super) max_age: Option<TimeDelta>,
    /// Whether a policy was found at all.
    pub(super) known: bool,
}

impl Rules {
    /// Of a domain of Active Directory: a negative number of 100 ns, or the smallest one for good.
    pub(super) fn of_domain(lockout_duration: Option<i64>) -> Self {
        let ticks = lockout_duration.filter(|ticks| *ticks < 0 && *ticks != i64::MIN);
        let lockout = ticks.map(|ticks| TimeDelta::microseconds(-(ticks / 10)));
        Self { lockout, max_age: None, known: lockout_duration.is_some() }
    }

    /// Of a password policy entry: seconds, zero for never.
    pub(super) fn of_policy(policy: &Entry) -> Self {
        let seconds =
            |name| policy.number(name).filter(|seconds| *seconds > 0).and_then(TimeDelta::try_seconds);
        Self { lockout: seconds("pwdLockoutDuration"), max_age: seconds("pwdMaxAge"), known: true }
    }
}

/// Judges an entry.
pub(super) fn judge(preset: Preset, entry: &Entry, rules: &Rules, now: DateTime<Utc>) -> Standing {
    match preset {
        Preset::ActiveDirectory => active_directory(entry, rules, now),
        Preset::Openldap => openldap(entry, rules, now),
    }
}

fn active_directory(entry: &Entry, rules: &Rules, now: DateTime<Utc>) -> Standing {
    let flags = entry.number("userAccountControl").unwrap_or_default();
    let account_expires_at = entry.number("accountExpires").and_then(file_time);
    let locked = entry.number("lockoutTime").and_then(file_time).is_some_and(|at| is_locked(at, rules, now));
    let changed = entry.number("pwdLastSet");
    let computed = entry.number("msDS-UserPasswordExpiryTimeComputed");
    let password = PasswordAge {
        expires_at: computed.and_then(file_time),
        changed_at: changed.and_then(file_time),
        never_expires: computed == Some(NEVER) || (computed.is_none() && flags & PASSWORD_NEVER_EXPIRES != 0),
    };
    let overdue = password.expires_at.is_some_and(|at| at <= now);
    let must_change = changed == Some(0) || computed == Some(0) || overdue;
    let status = status(flags & ACCOUNT_DISABLED != 0, locked, account_expires_at, must_change, now);
    Standing { status, account_expires_at, password }
}

fn openldap(entry: &Entry, rules: &Rules, now: DateTime<Utc>) -> Standing {
    let locked = entry.text("pwdAccountLockedTime").is_some_and(|text| {
        text == LOCKED_FOR_GOOD || generalized_time(text).is_none_or(|at| is_locked(at, rules, now))
    });
    let account_expires_at = entry.number("shadowExpire").and_then(epoch_days);
    let password = shadow_age(entry).unwrap_or_else(|| policy_age(entry, rules));
    let overdue = password.expires_at.is_some_and(|at| at <= now);
    let must_change = entry.flag("pwdReset") || entry.number("shadowLastChange") == Some(0) || overdue;
    let status = status(false, locked, account_expires_at, must_change, now);
    Standing { status, account_expires_at, password }
}

fn is_locked(since: DateTime<Utc>, rules: &Rules, now: DateTime<Utc>) -> bool {
    rules.lockout.is_none_or(|lockout| since + lockout > now)
}

/// The first that holds, the gravest first.
fn status(
    disabled: bool,
    locked: bool,
    expires_at: Option<DateTime<Utc>>,
    must_change: bool,
    now: DateTime<Utc>,
) -> Status {
    if disabled {
        Status::Disabled
    } else if locked {
        Status::Locked
    } else if expires_at.is_some_and(|at| at <= now) {
        Status::Expired
    } else if must_change {
        Status::MustChangePassword
    } else {
        Status::Active
    }
}

/// By the shadow attributes (RFC 2307, shadow(5)); none without them.
fn shadow_age(entry: &Entry) -> Option<PasswordAge> {
    let changed = entry.number("shadowLastChange")?;
    let most = entry.number("shadowMax");
    let never_expires = most.is_some_and(|days| !(0..SHADOW_NEVER).contains(&days));
    let expires_at =
        most.filter(|_| !never_expires && changed > 0).and_then(|days| epoch_days(changed + days));
    Some(PasswordAge { expires_at, changed_at: epoch_days(changed).filter(|_| changed > 0), never_expires })
}

/// By the password policy overlay.
fn policy_age(entry: &Entry, rules: &Rules) -> PasswordAge {
    let changed_at = entry.text("pwdChangedTime").and_then(generalized_time);
    let expires_at = changed_at.zip(rules.max_age).map(|(at, age)| at + age);
    let never_expires = changed_at.is_some() && rules.known && rules.max_age.is_none();
    PasswordAge { expires_at, changed_at, never_expires }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn ticks(text: &str) -> String {
        let at: DateTime<Utc> = text.parse().unwrap();
        ((at.timestamp() + 11_644_473_600) * 10_000_000).to_string()
    }

    fn entry(attributes: &[(&str, &str)]) -> Entry {
        let value = |(name, value): &(&str, &str)| ((*name).to_owned(), vec![value.as_bytes().to_vec()]);
        Entry { dn: "cn=x".into(), attributes: attributes.iter().map(value).collect() }
    }

    fn ad(attributes: &[(&str, &str)]) -> Standing {
        let half_an_hour = Rules::of_domain(Some(-18_000_000_000));
        judge(Preset::ActiveDirectory, &entry(attributes), &half_an_hour, now())
    }

    fn open(attributes: &[(&str, &str)], rules: &Rules) -> Standing {
        judge(Preset::Openldap, &entry(attributes), rules, now())
    }

    /// Spec: ldap-directory-lookup 8
    #[test]
    fn active_directory_says_whether_an_account_can_be_used() {
        let recent = ticks("2026-11-22T11:45:00Z");
        let long_ago = ticks("2026-11-22T11:15:00Z");
        let status = |attributes: &[(&str, &str)]| ad(attributes).status;
        assert_eq!(status(&[("userAccountControl", "512")]), Status::Active);
        assert_eq!(status(&[("userAccountControl", "514"), ("lockoutTime", &recent)]), Status::Disabled);
        assert_eq!(status(&[("lockoutTime", &recent)]), Status::Locked);
        assert_eq!(status(&[("lockoutTime", &long_ago)]), Status::Active, "the lock is over");
        assert_eq!(status(&[("lockoutTime", "0")]), Status::Active);
        let forever =
            judge(Preset::ActiveDirectory, &entry(&[("lockoutTime", &long_ago)]), &Rules::default(), now());
        assert_eq!(forever.status, Status::Locked);
        assert_eq!(status(&[("accountExpires", &long_ago)]), Status::Expired);
        for never in ["0", "9223372036854775807"] {
            assert_eq!(status(&[("accountExpires", never)]), Status::Active);
        }
        assert_eq!(status(&[("pwdLastSet", "0")]), Status::MustChangePassword);
    }

    /// Spec: ldap-directory-lookup 9
    #[test]
    fn active_directory_computes_when_a_password_expires() {
        let soon = ticks("2026-12-24T00:00:00Z");
        let standing =
            ad(&[("msDS-UserPasswordExpiryTimeComputed", &soon), ("accountExpires", "9223372036854775807")]);
        assert_eq!(standing.password.expires_at.unwrap().to_rfc3339(), "2026-12-24T00:00:00+00:00");
        assert_eq!((standing.account_expires_at, standing.password.never_expires), (None, false));
        let never = ad(&[("msDS-UserPasswordExpiryTimeComputed", "9223372036854775807")]).password;
        assert!(never.never_expires && never.expires_at.is_none());
        let must = ad(&[("msDS-UserPasswordExpiryTimeComputed", "0")]);
        assert_eq!((must.status, must.password.expires_at), (Status::MustChangePassword, None));
        let account = ad(&[("accountExpires", &soon)]);
        assert_eq!(account.password.expires_at, None, "the account expires, not the password");
        assert!(account.account_expires_at.is_some());
        assert!(ad(&[("userAccountControl", "66048")]).password.never_expires);
    }

    /// Spec: ldap-directory-lookup 8
    #[test]
    fn openldap_says_whether_an_account_can_be_used() {
        let ten_minutes = Rules { lockout: TimeDelta::try_minutes(10), max_age: None, known: true };
        let status = |attributes: &[(&str, &str)]| open(attributes, &ten_minutes).status;
        assert_eq!(status(&[]), Status::Active);
        assert_eq!(status(&[("pwdAccountLockedTime", "20261122115500Z")]), Status::Locked);
        assert_eq!(status(&[("pwdAccountLockedTime", "20261122114000Z")]), Status::Active);
        assert_eq!(status(&[("pwdAccountLockedTime", "000001010000Z")]), Status::Locked);
        assert_eq!(status(&[("shadowExpire", "20000")]), Status::Expired);
        assert_eq!(status(&[("shadowExpire", "-1")]), Status::Active);
        assert_eq!(status(&[("pwdReset", "TRUE")]), Status::MustChangePassword);
    }

    /// Spec: ldap-directory-lookup 9
    #[test]
    fn openldap_passwords_age_by_shadow_attributes_or_by_policy() {
        let shadow = |most: &str| {
            open(&[("shadowLastChange", "20000"), ("shadowMax", most)], &Rules::default()).password
        };
        assert_eq!(shadow("90").expires_at.unwrap().to_rfc3339(), "2025-01-02T00:00:00+00:00");
        assert!(shadow("99999").never_expires && shadow("-1").never_expires && !shadow("90").never_expires);
        let changed = [("pwdChangedTime", "20261122100000.5+0100")];
        let month = Rules { lockout: None, max_age: TimeDelta::try_days(30), known: true };
        let age = open(&changed, &month).password;
        assert_eq!(age.expires_at.unwrap().to_rfc3339(), "2026-12-22T09:00:00.500+00:00");
        assert!(open(&changed, &Rules { known: true, ..Rules::default() }).password.never_expires);
        assert!(!open(&changed, &Rules::default()).password.never_expires, "nothing is known of a policy");
    }

    #[test]
    fn rules_are_read_from_domains_and_policies() {
        assert_eq!(Rules::of_domain(Some(-18_000_000_000)).lockout, TimeDelta::try_minutes(30));
        assert_eq!(Rules::of_domain(Some(i64::MIN)).lockout, None);
        let policy = Rules::of_policy(&entry(&[("pwdMaxAge", "86400"), ("pwdLockoutDuration", "0")]));
        assert_eq!((policy.max_age, policy.lockout), (TimeDelta::try_days(1), None));
    }
}
