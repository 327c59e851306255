//! What providers publish, kept for an hour.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::id_token::Keys;
use crate::identity_providers::Endpoints;

/// How long documents and keys are kept (auth 33).
const KEEP: TimeDelta = TimeDelta::hours(1);
/// A token with an unknown key makes us look for new keys this often at most.
const AT_MOST_EVERY: TimeDelta = TimeDelta::minutes(1);
/// Providers that are remembered.
const MAX_PROVIDERS: usize = 1000;

/// Endpoints and keys of providers, per process. Clones share it.
#[derive(Clone, Default)]
pub struct Cache(Arc<Mutex<HashMap<Uuid, Entry>>>);

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache(..)")
    }
}

#[derive(Default)]
struct Entry {
    /// Version of the provider that this belongs to.
    version: i32,
    endpoints: Option<(DateTime<Utc>, Arc<Endpoints>)>,
    keys: Option<(DateTime<Utc>, Arc<Keys>)>,
}

impl Cache {
    /// Forgets a provider.
    pub(crate) fn forget(&self, provider_id: Uuid) {
        self.locked().remove(&provider_id);
    }

    pub(super) fn endpoints(
        &self,
        provider: Uuid,
        version: i32,
        now: DateTime<Utc>,
    ) -> Option<Arc<Endpoints>> {
        self.with(provider, version, |entry| fresh(entry.endpoints.as_ref(), now, KEEP))
    }

    pub(super) fn keep_endpoints(
        &self,
        provider: Uuid,
        version: i32,
        now: DateTime<Utc>,
        found: Arc<Endpoints>,
    ) {
        self.with(provider, version, |entry| entry.endpoints = Some((now, found)));
    }

    /// Keys; with `anew` only those that were read within the last minute.
    pub(super) fn keys(
        &self,
        provider: Uuid,
        version: i32,
        now: DateTime<Utc>,
        anew: bool,
    ) -> Option<Arc<Keys>> {
        let keep = if anew { AT_MOST_EVERY } else { KEEP };
        self.with(provider, version, |entry| fresh(entry.keys.as_ref(), now, keep))
    }

    pub(super) fn keep_keys(&self, provider: Uuid, version: i32, now: DateTime<Utc>, found: Arc<Keys>) {
        self.with(provider, version, |entry| entry.keys = Some((now, found)));
    }

    fn with<T>(&self, provider: Uuid, version: i32, work: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.locked();
        if entries.len() >= MAX_PROVIDERS && !entries.contains_key(&provider) {
            entries.clear();
        }
        let entry = entries.entry(provider).or_default();
        if entry.version != version {
            *entry = Entry { version, ..Entry::default() };
        }
        work(entry)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fresh<T>(kept: Option<&(DateTime<Utc>, Arc<T>)>, now: DateTime<Utc>, keep: TimeDelta) -> Option<Arc<T>> {
    kept.filter(|(at, _)| *at + keep > now && *at <= now).map(|(_, value)| Arc::clone(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: auth 33
    #[test]
    fn keys_are_kept_for_an_hour_and_not_beyond_a_change_of_the_provider() {
        let (cache, provider, start) = (Cache::default(), Uuid::from_u128(1), DateTime::UNIX_EPOCH);
        let keys = Keys::parse(br#"{"keys":[]}"#).map(Arc::new);
        let keys = keys.unwrap_or_else(|error| panic!("{error}"));
        cache.keep_keys(provider, 1, start, keys);
        let kept = |version, minutes, anew| {
            cache.keys(provider, version, start + TimeDelta::minutes(minutes), anew).is_some()
        };
        assert!(kept(1, 59, false) && !kept(1, 60, false));
        assert!(kept(1, 0, true) && !kept(1, 1, true), "unknown keys make us look once a minute");
        assert!(!kept(2, 0, false), "a changed provider has other keys");
    }
}
