//! What a consumer does with its records, and how it says that it cannot.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use ctops_pg::Tx;

use crate::queue::{BatchLimits, Record};
use crate::topic::Topic;

/// A record its handler cannot apply, now or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Which of the records.
    pub offset: u64,
    /// What is wrong with it, for the operator.
    pub reason: String,
}

/// Why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The database did not do its part. The same batch is tried again until it does.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
    /// A record among these cannot be applied. The batch is halved until that one is alone, and it is parked.
    #[error("a record cannot be applied: {0}")]
    Data(String),
}

impl From<sqlx::Error> for HandlerError {
    /// Errors that the values of a row cause (SQLSTATE classes 22 and 23, PostgreSQL appendix A) are about the data;
    /// everything else is about the database.
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Encode(_) => Self::Data("a value cannot be sent to the database".into()),
            sqlx::Error::Database(refusal) => {
                let code = refusal.code().unwrap_or_default();
                // A missing partition is reported like a violated check, but without naming a constraint. It hits every
                // row of its day, and the partition will be made: waiting is right, parking is not.
                let missing_partition = code == "23514" && refusal.constraint().is_none();
                if (code.starts_with("22") || code.starts_with("23")) && !missing_partition {
                    let at = refusal.constraint().map(|name| format!(" ({name})")).unwrap_or_default();
                    Self::Data(format!("the database refused a value with code {code}{at}"))
                } else {
                    Self::Database(error)
                }
            }
            _ => Self::Database(error),
        }
    }
}

/// What a consumer does with the records of its topic.
#[async_trait]
pub trait Handler: Send + Sync {
    /// The consumer group, the same on every node.
    fn group(&self) -> &'static str;

    /// What it reads.
    fn topic(&self) -> Topic;

    /// How records are gathered; the default suits throughput.
    fn limits(&self) -> BatchLimits {
        BatchLimits::default()
    }

    /// While records keep coming, a batch stays open this long, so that a fleet with little to say does not cost a
    /// transaction every few milliseconds. After a pause of [`BatchLimits::max_idle`] the first batch is gathered for
    /// [`BatchLimits::max_wait`] only. Shorter than that has no effect.
    fn pace(&self) -> Duration {
        Duration::ZERO
    }

    /// Applies the records inside `tx`, which is committed together with the offset. Must have no effect outside of it
    /// and must not publish to the topic it reads, because a full topic is freed by its consumers only.
    ///
    /// # Errors
    /// [`HandlerError::Database`] to try the same records again, [`HandlerError::Data`] when one of them is the cause
    /// and the handler cannot say which; if it can, it returns it as [`Parked`]. A panic counts as the latter.
    async fn apply(&self, tx: &mut Tx<'_>, records: &[Record]) -> Result<Vec<Parked>, HandlerError>;
}

/// Calls the handler; a panic becomes an error about the data.
pub(crate) async fn guarded(
    handler: &dyn Handler,
    tx: &mut Tx<'_>,
    records: &[Record],
) -> Result<Vec<Parked>, HandlerError> {
    let mut applying = Box::pin(async move { handler.apply(tx, records).await });
    // The state a panic may leave broken is the transaction, which is rolled back.
    poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| applying.as_mut().poll(context))) {
        Ok(poll) => poll,
        Err(panic) => Poll::Ready(Err(panicked(panic.as_ref()))),
    })
    .await
}

fn panicked(panic: &(dyn Any + Send)) -> HandlerError {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    HandlerError::Data(format!("the handler panicked: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_are_not_about_values_are_the_databases() {
        assert!(matches!(HandlerError::from(sqlx::Error::PoolTimedOut), HandlerError::Database(_)));
        assert!(matches!(HandlerError::from(sqlx::Error::WorkerCrashed), HandlerError::Database(_)));
    }
}
