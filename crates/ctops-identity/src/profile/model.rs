//! What a person sees of their own account.

use std::time::Duration;

use ctops_slice::throttle::Rate;

/// Links to new addresses, per account.
pub(super) const CHANGES: Rate = Rate { scope: "email_change", limit: 5, window: Duration::from_secs(3600) };

/// The own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OwnProfile {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) email_verified: bool,
    pub(super) has_password: bool,
}
