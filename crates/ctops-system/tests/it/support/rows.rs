//! What the database knows of the fleet.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ctops_pg::Pool;
use ctops_testkit::wait_for;
use uuid::Uuid;

use super::{SOON, Server};

/// A look into the database of an installation. Works on through restarts of the server.
pub(crate) struct Fleet {
    pub(crate) pool: Pool,
}

/// The state of one host.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct HostState {
    pub(crate) host_id: Uuid,
    pub(crate) status: String,
    pub(crate) status_changed_at: DateTime<Utc>,
    pub(crate) last_seen_at: Option<DateTime<Utc>>,
}

impl Fleet {
    /// Connects to the database of a running server.
    pub(crate) async fn of(server: &Server) -> Self {
        Self { pool: server.database().await }
    }

    /// The only host there is; `None` when the database is not there, or there is not exactly one.
    pub(crate) async fn host(&self) -> Option<HostState> {
        let hosts: Vec<HostState> =
            sqlx::query_as("SELECT host_id, status, status_changed_at, last_seen_at FROM host_vitals")
                .fetch_all(&self.pool)
                .await
                .ok()?;
        <[HostState; 1]>::try_from(hosts).ok().map(|[host]| host)
    }

    /// Waits until the only host has `status`.
    pub(crate) async fn until_status(&self, status: &str) -> HostState {
        self.until_status_within(SOON, status).await
    }

    /// Waits until the only host has `status`, at most `limit`.
    pub(crate) async fn until_status_within(&self, limit: Duration, status: &str) -> HostState {
        wait_for(limit, || async { self.host().await.filter(|host| host.status == status) }).await
    }

    /// Waits until the only host was heard of again.
    pub(crate) async fn until_heard(&self) -> HostState {
        let before = self.host().await.and_then(|host| host.last_seen_at);
        wait_for(SOON, || async { self.host().await.filter(|host| host.last_seen_at > before) }).await
    }

    /// Waits until the agent's lease belongs to another session than `session`.
    pub(crate) async fn until_lease_other_than(&self, session: Option<Uuid>) -> Uuid {
        wait_for(SOON, || async { self.lease().await.filter(|current| Some(*current) != session) }).await
    }

    /// Session of the only lease there is.
    pub(crate) async fn lease(&self) -> Option<Uuid> {
        sqlx::query_scalar("SELECT session_id FROM agent_leases")
            .fetch_optional(&self.pool)
            .await
            .ok()
            .flatten()
    }

    /// How often the history of all agents says `status`.
    pub(crate) async fn history(&self, status: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM agent_status_history WHERE status = $1")
            .bind(status)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// A number that a query without parameters gives.
    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }
}
