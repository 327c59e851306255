//! Signed statements about the end of a chain.

use chrono::{DateTime, NaiveDate, Utc};
use ctops_crypto::seal::InstallKey;
use ctops_crypto::signing::{SigningKey, is_signed};
use ctops_pg::Pool;
use uuid::Uuid;

use super::store;
use crate::event::{Hash, micros};

/// The installation's key for checkpoints and exports.
pub fn signing_key(seal: &InstallKey) -> SigningKey {
    seal.signing_key("audit")
}

/// What a checkpoint states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointKind {
    /// The chain had so many events on that day.
    Daily,
    /// Everything up to this place was removed because its time was over.
    Prune,
}

impl CheckpointKind {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Prune => "prune",
        }
    }
}

/// The place and hash of one event, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose chain.
    pub chain_id: Uuid,
    /// What it states.
    pub kind: CheckpointKind,
    /// The place.
    pub seq: i64,
    /// The hash at that place.
    pub hash: Hash,
    /// Daily: events so far; prune: events removed.
    pub events: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The key it was signed with (Ed25519).
    pub public_key: [u8; 32],
    /// The signature.
    pub signature: [u8; 64],
}

impl Checkpoint {
    /// Signs a statement.
    pub fn sign(
        key: &SigningKey,
        chain_id: Uuid,
        kind: CheckpointKind,
        (seq, hash, events): (i64, Hash, i64),
        at: DateTime<Utc>,
    ) -> Self {
        let mut checkpoint =
            Self { chain_id, kind, seq, hash, events, at, public_key: key.public_key(), signature: [0; 64] };
        checkpoint.signature = key.sign(checkpoint.message().as_bytes());
        checkpoint
    }

    /// Whether it was signed with `key`.
    pub fn is_signed_by(&self, key: &[u8; 32]) -> bool {
        self.public_key == *key && is_signed(key, self.message().as_bytes(), &self.signature)
    }

    fn message(&self) -> String {
        format!(
            "ct-ops audit checkpoint v1\n{}\n{}\n{}\n{}\n{}\n{}\n",
            self.chain_id,
            self.kind.as_str(),
            self.seq,
            hex::encode(self.hash),
            self.events,
            micros(self.at)
        )
    }
}

/// Signs the end of every chain that grew and has no checkpoint of today yet; returns how many it signed.
///
/// # Errors
/// Those of the database.
pub async fn write_daily(pool: &Pool, key: &SigningKey, now: DateTime<Utc>) -> Result<usize, sqlx::Error> {
    let today: NaiveDate = now.date_naive();
    let mut written = 0;
    for (chain_id, last_seq, last_at) in store::daily_state(pool).await? {
        if last_at.is_some_and(|at| at.date_naive() >= today) {
            continue;
        }
        let head = store::head(pool, chain_id).await?;
        if head.seq <= last_seq.unwrap_or(0) {
            continue;
        }
        let stated = (head.seq, head.hash, head.seq);
        let checkpoint = Checkpoint::sign(key, chain_id, CheckpointKind::Daily, stated, now);
        let mut tx = pool.begin().await?;
        store::record_checkpoint(&mut tx, &checkpoint).await?;
        tx.commit().await?;
        written += 1;
    }
    Ok(written)
}
