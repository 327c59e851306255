//! Tokens: what they are, which are acceptable, and in which state they are.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::{FieldProblem, Problem, text};
use uuid::Uuid;

use super::tags::{Tag, check_tags};

/// Longest label, characters.
pub(super) const MAX_LABEL_CHARS: usize = 100;
/// Longest life of a token that ends, days.
pub(super) const MAX_EXPIRY_DAYS: u32 = 365;
/// Uses of a token when nothing is said.
pub(super) const DEFAULT_MAX_USES: u32 = 1;
/// Days until a token expires when nothing is said.
pub(super) const DEFAULT_EXPIRY_DAYS: u32 = 7;
/// How long a token stays listed after it stopped admitting anybody (agents-enrolment 4).
pub(super) const LISTED_FOR: TimeDelta = TimeDelta::days(90);
/// Prefix of a token's secret.
pub(super) const SECRET_PREFIX: &str = "tok_";

/// State of a token (agents-enrolment 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStatus {
    /// Admits agents.
    Active,
    /// Its time is over.
    Expired,
    /// All its uses are consumed.
    Exhausted,
    /// Somebody ended it.
    Revoked,
}

impl TokenStatus {
    /// Every status.
    pub const ALL: [TokenStatus; 4] =
        [TokenStatus::Active, TokenStatus::Expired, TokenStatus::Exhausted, TokenStatus::Revoked];

    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            TokenStatus::Active => "active",
            TokenStatus::Expired => "expired",
            TokenStatus::Exhausted => "exhausted",
            TokenStatus::Revoked => "revoked",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// A token as people see it.
#[derive(Clone, Debug)]
pub struct Token {
    /// Id.
    pub id: Uuid,
    /// What it is for.
    pub label: String,
    /// First eight characters of the secret.
    pub hint_prefix: String,
    /// Last four characters of the secret.
    pub hint_suffix: String,
    /// Its agents need no approval.
    pub auto_approve: bool,
    /// Its agents do not verify the server: insecure.
    pub skip_verify: bool,
    /// Agents it admits; none for any number.
    pub max_uses: Option<i32>,
    /// Agents it admitted.
    pub usage_count: i32,
    /// When it expires; none for never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Tags of its hosts.
    pub tags: Vec<Tag>,
    /// Who made it, unless that person is gone.
    pub created_by: Option<(Uuid, String)>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Token {
    /// Its state at `now`. A revoked token stays revoked, also when its time is over.
    pub fn status(&self, now: DateTime<Utc>) -> TokenStatus {
        if self.revoked_at.is_some() {
            TokenStatus::Revoked
        } else if self.expires_at.is_some_and(|at| at <= now) {
            TokenStatus::Expired
        } else if self.max_uses.is_some_and(|max| self.usage_count >= max) {
            TokenStatus::Exhausted
        } else {
            TokenStatus::Active
        }
    }
}

/// A token as registration sees it.
#[derive(Clone, Debug)]
pub struct EnrolmentToken {
    /// Id.
    pub id: Uuid,
    /// Organisation that its agents join.
    pub org_id: Uuid,
    /// What it is for.
    pub label: String,
    /// Its agents need no approval.
    pub auto_approve: bool,
    /// Tags of its hosts.
    pub tags: Vec<Tag>,
    /// Its state when it was looked up; only [`TokenStatus::Active`] admits new agents, and only [`super::consume_use`]
    /// decides for good.
    pub status: TokenStatus,
}

/// A token that somebody wants.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What it is for.
    pub label: String,
    /// Its agents need no approval.
    pub auto_approve: bool,
    /// Its agents do not verify the server.
    pub skip_verify: bool,
    /// Agents it admits; none for any number.
    pub max_uses: Option<u32>,
    /// Days until it expires; none for never.
    pub expires_in_days: Option<u32>,
    /// Tags of its hosts.
    pub tags: Vec<Tag>,
}

impl NewToken {
    /// A token with the defaults of agents-enrolment 2.
    pub fn labelled(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            auto_approve: false,
            skip_verify: false,
            max_uses: Some(DEFAULT_MAX_USES),
            expires_in_days: Some(DEFAULT_EXPIRY_DAYS),
            tags: Vec::new(),
        }
    }

    /// The same token with every field checked.
    ///
    /// # Errors
    /// `validation_failed` naming every field that is not acceptable.
    pub(super) fn check(mut self) -> Result<Self, Problem> {
        let mut fields = Vec::new();
        let mut refuse = |path: &str, code, message| {
            fields.push(FieldProblem { path: path.to_owned(), code, message });
        };
        self.label = self.label.trim().to_owned();
        let length = self.label.chars().count();
        if !(1..=MAX_LABEL_CHARS).contains(&length) {
            let message = format!("label has {length} characters, 1 to {MAX_LABEL_CHARS} are needed");
            refuse("label", "invalid_length", message);
        } else if self.label.chars().any(text::is_hostile) {
            refuse("label", "invalid", "label contains control characters".to_owned());
        }
        if self.max_uses.is_some_and(|uses| uses == 0 || i32::try_from(uses).is_err()) {
            refuse("max_uses", "out_of_range", format!("must be 1 to {}, or null for any number", i32::MAX));
        }
        if self.expires_in_days.is_some_and(|days| !(1..=MAX_EXPIRY_DAYS).contains(&days)) {
            let message = format!("must be 1 to {MAX_EXPIRY_DAYS} days, or null for never");
            refuse("expires_in_days", "out_of_range", message);
        }
        match check_tags(std::mem::take(&mut self.tags)) {
            Ok(tags) => self.tags = tags,
            Err(problems) => fields.extend(problems),
        }
        if fields.is_empty() { Ok(self) } else { Err(Problem::invalid(fields)) }
    }

    /// What the person should know about this choice (agents-enrolment 1, 2).
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.max_uses.is_none() {
            warnings.push(Warning {
                code: "unlimited_uses",
                message: "this token admits any number of agents; whoever learns it can add machines",
            });
        }
        if self.expires_in_days.is_none() {
            warnings.push(Warning {
                code: "no_expiry",
                message: "this token never expires; revoke it when it is no longer needed",
            });
        }
        if self.skip_verify {
            warnings.push(Warning {
                code: "tls_verification_off",
                message: "agents with this token do not verify the server, so another machine can pose as it",
            });
        }
        warnings
    }
}

/// Something to know about an accepted choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Stable code.
    pub code: &'static str,
    /// Text for people.
    pub message: &'static str,
}

/// What happens when a machine that is known comes back with a new key (hosts 24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReenrolmentPolicy {
    /// It takes its old record over.
    Adopt,
    /// The same, once an administrator approved it.
    AdoptAfterApproval,
    /// It is refused.
    Refuse,
}

impl ReenrolmentPolicy {
    /// Every policy.
    pub const ALL: [ReenrolmentPolicy; 3] =
        [ReenrolmentPolicy::Adopt, ReenrolmentPolicy::AdoptAfterApproval, ReenrolmentPolicy::Refuse];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            ReenrolmentPolicy::Adopt => "adopt",
            ReenrolmentPolicy::AdoptAfterApproval => "adopt_after_approval",
            ReenrolmentPolicy::Refuse => "refuse",
        }
    }

    /// The policy with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == name)
    }
}

#[cfg(test)]
mod tests;
