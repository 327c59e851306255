//! The answer to "may this organisation?", kept for at most a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::TimeDelta;
use ctops_base::{Clock, Problem};
use ctops_crypto::seal::InstallKey;
use ctops_licence::{Bundle, Verifier, read_bundle};
use ctops_pg::notify::{LICENCES, Notice, Notifications};
use ctops_pg::{Pool, Tx};
use ctops_slice::licence::host_limit_reached;
use ctops_slice::{Entitlement, Entitlements};
use sqlx::PgConnection;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::model::{Current, Kept, Snapshot};
use super::store;
use super::trust::VerifierTrust;

/// How long an answer is kept (licensing, Limits).
const KEPT: TimeDelta = TimeDelta::seconds(60);

/// Licences of all organisations. Clones share everything.
#[derive(Clone)]
pub struct Licensing(Arc<Shared>);

struct Shared {
    pool: Pool,
    clock: Clock,
    seal: Arc<InstallKey>,
    trust: VerifierTrust,
    cache: Mutex<HashMap<Uuid, Snapshot>>,
}

impl std::fmt::Debug for Licensing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Licensing").finish_non_exhaustive()
    }
}

impl Licensing {
    /// Licences in this database, sealed with this key and signed by these issuers.
    pub fn new(pool: Pool, clock: Clock, seal: Arc<InstallKey>, trust: VerifierTrust) -> Self {
        Self(Arc::new(Shared { pool, clock, seal, trust, cache: Mutex::default() }))
    }

    /// Forgets what is kept whenever another process changed something, until `shutdown`.
    pub fn follow(
        &self,
        notifications: &Notifications,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (licensing, mut notices) = (self.clone(), notifications.subscribe());
        async move {
            while let Some(notice) = shutdown.run_until_cancelled(notices.recv()).await {
                match notice {
                    Ok(Notice::Message { channel, payload }) if &*channel == LICENCES => {
                        licensing.forget(payload.parse().ok());
                    }
                    Ok(Notice::Message { .. }) => {}
                    Ok(Notice::Reconnected) | Err(RecvError::Lagged(_)) => licensing.forget(None),
                    Err(RecvError::Closed) => return,
                }
            }
        }
    }

    /// Forgets one organisation, or all.
    pub(super) fn forget(&self, org_id: Option<Uuid>) {
        let mut cache = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner);
        match org_id {
            Some(org_id) => drop(cache.remove(&org_id)),
            None => cache.clear(),
        }
    }

    pub(super) fn trust(&self) -> &VerifierTrust {
        &self.0.trust
    }

    pub(super) fn seal(&self) -> &InstallKey {
        &self.0.seal
    }

    /// The state of an organisation, at most a minute old.
    pub(super) async fn snapshot(&self, org_id: Uuid) -> Result<Snapshot, Problem> {
        if let Some(kept) = self.kept(org_id) {
            return Ok(kept);
        }
        let mut connection = self.0.pool.acquire().await.map_err(Problem::internal)?;
        self.read(&mut connection, org_id).await
    }

    fn kept(&self, org_id: Uuid) -> Option<Snapshot> {
        let now = self.0.clock.now();
        let cache = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |kept: &&Snapshot| (TimeDelta::zero()..KEPT).contains(&(now - kept.read_at));
        cache.get(&org_id).filter(is_fresh).cloned()
    }

    /// Reads the state on the caller's connection: somebody in a transaction must not wait for a second one, which they
    /// themselves may hold up.
    async fn read(&self, connection: &mut PgConnection, org_id: Uuid) -> Result<Snapshot, Problem> {
        let snapshot = self.load(connection, org_id).await?;
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner).insert(org_id, snapshot.clone());
        Ok(snapshot)
    }

    async fn load(&self, connection: &mut PgConnection, org_id: Uuid) -> Result<Snapshot, Problem> {
        let read_at = self.0.clock.now();
        let row = store::current(&mut *connection, org_id).await.map_err(Problem::internal)?;
        let high_water = store::high_water(&mut *connection).await.map_err(Problem::internal)?;
        let snapshot = |kept, revoked| Snapshot { read_at, kept, revoked, high_water };
        let Some(row) = row else { return Ok(snapshot(Kept::Nothing, false)) };
        let Some((licence, verifier)) = row.open(&self.0.seal, &self.0.trust) else {
            tracing::error!(
                org.id = %org_id,
                licence.id = %row.id,
                verifier.fingerprint = row.verifier_fingerprint,
                "the stored licence was changed or belongs to another installation; it does not count"
            );
            return Ok(snapshot(Kept::Invalid, false));
        };
        let bundle = self.bundle(connection, &verifier).await?;
        let revoked = bundle.is_some_and(|bundle| bundle.revoked.contains(&licence.jti));
        let current = Current { id: row.id, licence, fingerprint: row.verifier_fingerprint };
        Ok(snapshot(Kept::Licence(Box::new(current)), revoked))
    }

    /// The stored list of revoked keys, verified again: a list edited in the database does not count.
    pub(super) async fn bundle(
        &self,
        connection: &mut PgConnection,
        own: &Verifier,
    ) -> Result<Option<Bundle>, Problem> {
        let row = store::bundle(&mut *connection).await.map_err(Problem::internal)?;
        let Some(raw) = row.and_then(|row| row.raw_jwt) else { return Ok(None) };
        let mut keys = self.0.trust.all();
        if let Ok(bundle) = read_bundle(&raw, &keys) {
            return Ok(Some(bundle));
        }
        keys = self.verifiers(connection).await?;
        keys.push(own.clone());
        Ok(read_bundle(&raw, &keys).ok())
    }

    /// Every key that a list may be signed with: those of this process and those of stored licences (licensing 18).
    pub(super) async fn verifiers(&self, connection: &mut PgConnection) -> Result<Vec<Verifier>, Problem> {
        let mut keys = self.0.trust.all();
        for row in store::all_current(connection).await.map_err(Problem::internal)? {
            if let Some((_, verifier)) = row.open(&self.0.seal, &self.0.trust)
                && !keys.contains(&verifier)
            {
                keys.push(verifier);
            }
        }
        Ok(keys)
    }
}

#[async_trait]
impl Entitlements for Licensing {
    async fn of(&self, org_id: Uuid) -> Result<Entitlement, Problem> {
        Ok(self.snapshot(org_id).await?.entitlement(self.0.clock.now()))
    }

    async fn take_seat(&self, tx: &mut Tx<'_>, org_id: Uuid) -> Result<(), Problem> {
        let snapshot = match self.kept(org_id) {
            Some(kept) => kept,
            None => self.read(tx, org_id).await?,
        };
        let Some(limit) = snapshot.entitlement(self.0.clock.now()).max_hosts else { return Ok(()) };
        store::lock_organisation(tx, org_id).await.map_err(Problem::internal)?;
        let used = store::used_seats(&mut **tx, org_id).await.map_err(Problem::internal)?;
        if u64::try_from(used).unwrap_or(0) < limit {
            return Ok(());
        }
        Err(host_limit_reached(limit))
    }
}
