//! A consumer whose records say what it must do.

use std::sync::Arc;
use std::time::Duration;

use ctops_base::clock::Clock;
use ctops_pg::Pool;
use ctops_queue::{BatchLimits, HandlerError, Parked, Queue, Record, Topic};
use ctops_testkit::{TestDb, wait_until};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::{LIMIT, quick, text};

/// What the handler below does after it has applied its records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Lets the transaction be committed.
    Commit,
    /// Kills its own database connection, so that the commit fails.
    LoseConnection,
    /// Tells the test and waits until it is released.
    Hang,
}

/// Decides by the records of an attempt.
type Decide = dyn Fn(&[Record]) -> Then + Send + Sync;

/// Writes payloads into the table `applied`. The table refuses `poison`; `park` is parked; `panic` panics.
pub(crate) struct Applier {
    pub(crate) limits: BatchLimits,
    pub(crate) pace: Duration,
    /// Called with the records of each attempt.
    pub(crate) then: Box<Decide>,
    pub(crate) hanging: Notify,
    pub(crate) released: Notify,
}

impl Applier {
    pub(crate) fn new(then: impl Fn(&[Record]) -> Then + Send + Sync + 'static) -> Arc<Self> {
        Self::paced(BatchLimits { max_records: 50, ..quick() }, Duration::ZERO, then)
    }

    /// One that gathers records for `pace` while they keep coming.
    pub(crate) fn paced(
        limits: BatchLimits,
        pace: Duration,
        then: impl Fn(&[Record]) -> Then + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (hanging, released) = (Notify::new(), Notify::new());
        Arc::new(Self { limits, pace, then: Box::new(then), hanging, released })
    }
}

#[async_trait::async_trait]
impl ctops_queue::Handler for Applier {
    fn group(&self) -> &'static str {
        "metrics"
    }

    fn topic(&self) -> Topic {
        Topic::METRICS_RAW
    }

    fn limits(&self) -> BatchLimits {
        self.limits
    }

    fn pace(&self) -> Duration {
        self.pace
    }

    async fn apply(
        &self,
        tx: &mut ctops_pg::Tx<'_>,
        records: &[Record],
    ) -> Result<Vec<Parked>, HandlerError> {
        let (parked, good): (Vec<&Record>, Vec<&Record>) =
            records.iter().partition(|record| record.payload == "park");
        assert!(!good.iter().any(|record| record.payload == "panic"), "the handler met a panic record");
        let payloads: Vec<String> = good.iter().map(|record| text(&record.payload)).collect();
        sqlx::query("INSERT INTO applied (payload) SELECT * FROM UNNEST($1::text[])")
            .bind(payloads)
            .execute(&mut **tx)
            .await?;
        match (self.then)(records) {
            Then::Commit => {}
            Then::LoseConnection => {
                let lost =
                    sqlx::query("SELECT pg_terminate_backend(pg_backend_pid())").execute(&mut **tx).await;
                lost.unwrap_err();
            }
            Then::Hang => {
                self.hanging.notify_one();
                self.released.notified().await;
            }
        }
        Ok(parked
            .into_iter()
            .map(|record| Parked { offset: record.offset, reason: "asked to".into() })
            .collect())
    }
}

/// A database with the table that [`Applier`] writes to.
pub(crate) async fn database() -> TestDb {
    let db = TestDb::new().await;
    run_sql(db.pool(), CREATE_APPLIED).await;
    db
}

pub(crate) const CREATE_APPLIED: &str = "CREATE TABLE applied (
    number bigint GENERATED ALWAYS AS IDENTITY,
    payload text NOT NULL CONSTRAINT applied_no_poison CHECK (payload <> 'poison'))";

pub(crate) async fn run_sql(pool: &Pool, statement: &'static str) {
    sqlx::raw_sql(statement).execute(pool).await.unwrap();
}

/// What was applied, in order.
pub(crate) async fn applied(pool: &Pool) -> Vec<String> {
    sqlx::query_scalar("SELECT payload FROM applied ORDER BY number").fetch_all(pool).await.unwrap()
}

pub(crate) async fn until_applied(pool: &Pool, count: usize) {
    wait_until(LIMIT, || async { applied(pool).await.len() >= count }).await;
}

/// The stored log id and offset of [`Applier`]'s group.
pub(crate) async fn stored(pool: &Pool) -> Option<(String, i64)> {
    sqlx::query_as(
        "SELECT log_id, next_offset FROM consumer_offsets
          WHERE group_name = 'metrics' AND topic = 'metrics.raw' AND partition = 0",
    )
    .fetch_optional(pool)
    .await
    .unwrap()
}

/// Payload and reason of the dead letters, in order of their offsets.
pub(crate) async fn dead_letters(pool: &Pool) -> Vec<(String, String)> {
    let letters: Vec<(Vec<u8>, String)> =
        sqlx::query_as("SELECT payload, reason FROM dead_letters ORDER BY \"offset\"")
            .fetch_all(pool)
            .await
            .unwrap();
    letters.into_iter().map(|(payload, reason)| (String::from_utf8(payload).unwrap(), reason)).collect()
}

/// A running consumer.
pub(crate) struct Consumer {
    pub(crate) task: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Consumer {
    pub(crate) fn start(queue: &Arc<impl Queue + 'static>, pool: &Pool, applier: &Arc<Applier>) -> Self {
        Self::on(Arc::clone(queue) as Arc<dyn Queue>, pool, applier)
    }

    pub(crate) fn on(queue: Arc<dyn Queue>, pool: &Pool, applier: &Arc<Applier>) -> Self {
        let shutdown = CancellationToken::new();
        let handler = Arc::clone(applier) as Arc<dyn ctops_queue::Handler>;
        let running =
            ctops_queue::run_consumer(queue, pool.clone(), Clock::system(), handler, shutdown.clone());
        Self { task: tokio::spawn(running), shutdown }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        timeout(LIMIT, self.task).await.unwrap().unwrap();
    }

    /// Ends the task wherever it is, as a crash would.
    pub(crate) async fn abort(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}
