//! Links, and what they prove.

use std::time::Duration;

use chrono::TimeDelta;
use ctops_base::Problem;
use ctops_slice::throttle::Rate;
use uuid::Uuid;

/// How long a link lives (auth 7).
pub(super) const LIFE: TimeDelta = TimeDelta::hours(24);
/// What every token begins with.
pub(super) const TOKEN_PREFIX: &str = "ver_";
/// Requests to send a link again, per e-mail address, whether it is that of an account or not (auth 8). Per client they
/// count as every other request with credentials.
pub(super) const RESENDS_FOR_ADDRESS: Rate =
    Rate { scope: "verification_address", limit: 3, window: Duration::from_secs(60) };

/// Whose address a link proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressOf {
    /// Somebody who registered and has no account yet.
    Registration(Uuid),
    /// An account: the address it has, or the one it changes to.
    Account(Uuid),
}

/// A link to be sent.
pub(crate) struct Link<'a> {
    pub(crate) of: AddressOf,
    /// The organisation that sends it, and to sign in to.
    pub(crate) org_id: Uuid,
    /// Its name.
    pub(crate) organisation: &'a str,
    /// The address, folded.
    pub(crate) email: &'a str,
    /// Local path to go to afterwards; checked before.
    pub(crate) redirect: Option<&'a str>,
}

/// A link that was opened in time.
#[derive(Clone, Debug)]
pub(super) struct OpenedLink {
    pub(super) id: Uuid,
    pub(super) org_id: Uuid,
    pub(super) of: AddressOf,
    pub(super) email: String,
}

/// An account as a link meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) email: String,
    pub(super) verified: bool,
    pub(super) has_password: bool,
}

/// What an opened link means for its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The address it has is proved. Whether that signs in.
    Verified { signs_in: bool },
    /// It gets another address.
    Changed,
}

impl Account {
    /// A link to an address that is verified already proves nothing new, so it lets nobody in (auth 7).
    pub(super) fn meaning_of(&self, link: &OpenedLink) -> Meaning {
        if self.email == link.email {
            Meaning::Verified { signs_in: !self.verified && self.has_password }
        } else {
            Meaning::Changed
        }
    }
}

/// Somebody who may have a link sent again, and the hash of the password that they must know.
pub(super) struct Candidate {
    pub(super) of: AddressOf,
    pub(super) org_id: Uuid,
    pub(super) organisation: String,
    pub(super) password_hash: String,
}

/// The answer to every token that cannot be used, whatever the reason.
pub(crate) fn unusable_token() -> Problem {
    Problem::invalid_field("token", "invalid_token", "is unknown, used or too old; ask for a new link")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: auth 7, 11
    #[test]
    fn only_the_first_proof_of_an_accounts_own_address_signs_in() {
        let link = OpenedLink {
            id: Uuid::nil(),
            org_id: Uuid::nil(),
            of: AddressOf::Account(Uuid::nil()),
            email: "ada@example.com".into(),
        };
        let account = |email: &str, verified, has_password| {
            Account { email: email.into(), verified, has_password }.meaning_of(&link)
        };
        assert_eq!(account("ada@example.com", false, true), Meaning::Verified { signs_in: true });
        assert_eq!(account("ada@example.com", true, true), Meaning::Verified { signs_in: false });
        assert_eq!(account("ada@example.com", false, false), Meaning::Verified { signs_in: false });
        for verified in [false, true] {
            assert_eq!(account("lovelace@example.com", verified, true), Meaning::Changed);
        }
    }
}
