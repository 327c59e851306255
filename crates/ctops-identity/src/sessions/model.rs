//! What a session is.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, TimeDelta, Utc};
use ctops_slice::{Permission, Rights, SignInMethod};
use uuid::Uuid;

/// A session's use is written down at most this often (auth 13).
pub(super) const REFRESH_EVERY: TimeDelta = TimeDelta::minutes(5);
/// Longest kept part of the browser's self-description, characters.
pub(super) const MAX_USER_AGENT_CHARS: usize = 256;
/// Sessions shown at most, most recently used first. "End all others" reaches those beyond it too.
pub(super) const MAX_LISTED: i64 = 200;

/// A session to be started.
#[derive(Clone, Debug)]
pub(crate) struct NewSession {
    pub(crate) user_id: Uuid,
    pub(crate) org_id: Uuid,
    pub(crate) method: SignInMethod,
    pub(crate) ip: IpAddr,
    pub(crate) user_agent: String,
    /// A second factor was shown.
    pub(crate) second_factor: bool,
    /// The session the browser held before; it ends with this sign-in.
    pub(crate) replaces: Option<Uuid>,
}

/// A started session. The token goes into the cookie and nowhere else, so there is no `Debug`.
pub struct StartedSession {
    pub(crate) id: Uuid,
    pub(crate) token: String,
    pub(crate) expires_at: DateTime<Utc>,
}

/// The row of a session to be inserted.
pub(super) struct SessionRow<'a> {
    pub(super) id: Uuid,
    pub(super) token_hash: [u8; 32],
    pub(super) user_id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) method: &'static str,
    pub(super) second_factor: bool,
    pub(super) ip: String,
    pub(super) user_agent: &'a str,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// A session that speaks for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LiveSession {
    pub(super) id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) method: SignInMethod,
    pub(super) second_factor: bool,
    pub(super) confirmed_at: DateTime<Utc>,
    pub(super) last_used_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct ListedSession {
    pub(super) id: Uuid,
    pub(super) method: String,
    pub(super) second_factor: bool,
    pub(super) ip: String,
    pub(super) user_agent: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) last_used_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// The longest idle time an organisation may choose (settings, `session.idle_hours`).
pub(super) const LONGEST_IDLE: std::time::Duration = std::time::Duration::from_secs(168 * 3600);

/// Since when a session must have been used to be alive at `now`.
pub(super) fn idle_since(now: DateTime<Utc>, idle: std::time::Duration) -> DateTime<Utc> {
    TimeDelta::from_std(idle)
        .ok()
        .and_then(|idle| now.checked_sub_signed(idle))
        .unwrap_or(DateTime::UNIX_EPOCH)
}

/// When a session that starts `now` ends at the latest.
pub(super) fn end_of(now: DateTime<Utc>, lifetime: std::time::Duration) -> DateTime<Utc> {
    TimeDelta::from_std(lifetime).ok().and_then(|lifetime| now.checked_add_signed(lifetime)).unwrap_or(now)
}

/// What sign-ins that begin in other crates answer with, because those know their own permissions only.
static IN_FORCE: OnceLock<DeclaredPermissions> = OnceLock::new();

/// Every permission any slice of the server declared.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredPermissions(Arc<[&'static Permission]>);

impl DeclaredPermissions {
    pub(crate) fn new(declared: Vec<&'static Permission>) -> Self {
        Self(declared.into())
    }

    /// Makes these the ones of this program. Permissions are static, so whoever comes later means the same.
    pub(crate) fn put_in_force(&self) {
        let _ = IN_FORCE.set(self.clone());
    }

    /// Those of this program; none before [`Self::put_in_force`].
    pub(crate) fn in_force() -> Self {
        IN_FORCE.get().cloned().unwrap_or_else(|| Self(Arc::from([])))
    }

    /// Whether there is a permission of this name and all of these rights hold it.
    pub(crate) fn is_held_by_all(&self, name: &str, holders: &[&Rights]) -> bool {
        let found = self.0.iter().find(|permission| permission.name == name);
        found.is_some_and(|permission| holders.iter().all(|rights| rights.hold(permission)))
    }

    /// The permission of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&'static Permission> {
        self.0.iter().copied().find(|permission| permission.name == name)
    }

    /// All of them, by name, each once.
    pub(crate) fn all(&self) -> Vec<&'static Permission> {
        let mut all = self.0.to_vec();
        all.sort_by_key(|permission| permission.name);
        all.dedup_by_key(|permission| permission.name);
        all
    }

    /// Names of those that `rights` hold, sorted, each once.
    pub(super) fn held_by(&self, rights: &Rights) -> Vec<&'static str> {
        let held = self.0.iter().filter(|permission| rights.hold(permission));
        held.map(|permission| permission.name).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use ctops_base::Role;

    use super::*;

    static LOOK: Permission = Permission { name: "things.look", roles: &Role::ALL, about: "" };
    static BREAK: Permission = Permission { name: "things.break", roles: &[Role::SuperAdmin], about: "" };

    #[test]
    fn held_permissions_are_the_union_over_all_roles_without_repeats() {
        let declared = DeclaredPermissions::new(vec![&LOOK, &BREAK, &LOOK]);
        let held = |roles: &[Role]| declared.held_by(&Rights::of(roles.iter().copied().collect()));
        assert_eq!(held(&[Role::ReadOnly]), ["things.look"]);
        assert_eq!(held(&[Role::ReadOnly, Role::SuperAdmin]), ["things.break", "things.look"]);
        assert!(held(&[]).is_empty());
    }

    #[test]
    fn idle_and_end_times_survive_absurd_settings() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        assert_eq!(idle_since(now, std::time::Duration::from_secs(3600)), now - TimeDelta::hours(1));
        assert_eq!(idle_since(now, std::time::Duration::MAX), DateTime::UNIX_EPOCH);
        assert_eq!(end_of(now, std::time::Duration::from_secs(3600)), now + TimeDelta::hours(1));
        assert_eq!(
            end_of(now, std::time::Duration::MAX),
            now,
            "an unusable lifetime gives no session at all"
        );
    }
}
