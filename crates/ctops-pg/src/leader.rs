//! Election of the one process that does what must be done once in the whole installation: a lease in the database
//! (deployment 4).
//!
//! The lease is a row, not a session lock: it survives a lost connection, and it ends although the machine of its holder
//! stopped without a word. All times are those of the database, so the clocks of the nodes do not matter; what the holder
//! itself measures is only how long ago it asked.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::Pool;

/// How long a lease lasts after it was prolonged.
pub const LEASE: Duration = Duration::from_secs(15);

/// How often candidates ask: a lease that nobody prolongs has a new holder within 18 s.
pub const ASKING: Duration = Duration::from_secs(3);

/// How often a holder prolongs; an attempt that failed is made again after [`RETRY`].
pub const PROLONGING: Duration = Duration::from_secs(7);

/// Pause after an attempt to prolong that failed.
pub const RETRY: Duration = Duration::from_secs(1);

/// A holder stops this long before its lease ends.
const MARGIN: Duration = Duration::from_secs(1);

/// One process that is willing to hold a lease.
#[derive(Clone, Debug)]
pub struct Candidate {
    pool: Pool,
    name: &'static str,
    id: Uuid,
    label: String,
}

impl Candidate {
    /// A candidate for the lease `name`. `id` tells it from every other one; `label` is for people.
    pub fn new(pool: Pool, name: &'static str, id: Uuid, label: String) -> Self {
        Self { pool, name, id, label }
    }

    /// Takes the lease when it is free, prolongs it when it is held already. Returns until when it may be acted on;
    /// nothing when another process holds it.
    ///
    /// # Errors
    /// Those of the database. A holder acts on until the moment it was told last.
    pub async fn hold(&self) -> Result<Option<Instant>, sqlx::Error> {
        let asked = Instant::now();
        let held: Option<i32> = sqlx::query_scalar(
            "INSERT INTO leader_leases AS l (name, holder, holder_name, held_since, lease_until)
             VALUES ($1, $2, $3, clock_timestamp(), clock_timestamp() + make_interval(secs => $4))
             ON CONFLICT (name) DO UPDATE
             SET holder = EXCLUDED.holder,
                 holder_name = EXCLUDED.holder_name,
                 held_since = CASE WHEN l.holder = EXCLUDED.holder THEN l.held_since ELSE EXCLUDED.held_since END,
                 lease_until = EXCLUDED.lease_until
             WHERE l.holder = EXCLUDED.holder OR l.lease_until < clock_timestamp()
             RETURNING 1",
        )
        .bind(self.name)
        .bind(self.id)
        .bind(&self.label)
        .bind(LEASE.as_secs_f64())
        .fetch_optional(&self.pool)
        .await?;
        Ok(held.map(|_| asked + LEASE - MARGIN))
    }

    /// Who holds the lease now, as its process is called for people; nothing when it is free.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn holder(&self) -> Result<Option<String>, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT holder_name FROM leader_leases WHERE name = $1 AND lease_until >= clock_timestamp()",
        )
        .bind(self.name)
        .fetch_optional(&self.pool)
        .await
    }

    /// Gives the lease up, so that the next holder need not wait for its end.
    ///
    /// # Errors
    /// Those of the database; the lease then ends by itself.
    pub async fn give_up(&self) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM leader_leases WHERE name = $1 AND holder = $2")
            .bind(self.name)
            .bind(self.id)
            .execute(&self.pool)
            .await
            .map(drop)
    }
}
