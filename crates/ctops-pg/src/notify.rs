//! `NOTIFY` and `LISTEN`: one connection for the whole process, with notice of gaps.
//!
//! A notification is a hint, never the only carrier of news: PostgreSQL forgets what nobody listened to. Who
//! subscribes therefore reads the state again on [`Notice::Reconnected`] and on
//! [`RecvError::Lagged`](broadcast::error::RecvError::Lagged).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::{broadcast, watch};

use crate::Pool;

/// Channel: work or a decision waits for an agent. Payload `approved:<agent_id>`, `revoked:<agent_id>` or
/// `certificate:<agent_id>`.
pub const AGENTS: &str = "ctops_agents";

/// Channel: what a browser shows has changed. Payload: comma list of `vitals`, `status`, `agents`, `hosts`,
/// optionally followed by `:<org_id>`.
pub const CHANGES: &str = "ctops_changes";

/// Channel: what organisations may use has changed. Payload: one organisation, or nothing for all.
pub const LICENCES: &str = "ctops_licences";

/// Channel: a periodic job has something to do now. Payload: its name. Without the notification it finds out at its own
/// rhythm.
pub const JOBS: &str = "ctops_jobs";

/// The longest payload that PostgreSQL carries, in bytes (manual, NOTIFY: shorter than 8000).
pub const MAX_PAYLOAD: usize = 7_999;

/// How many notices a slow subscriber may fall behind before it is told that it missed some.
const BACKLOG: usize = 1_024;

/// Silence after which the connection is checked: a half-open TCP connection never says that it is dead.
const PROBE_AFTER: Duration = Duration::from_secs(30);

/// How long a check and an attempt to connect may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Waiting time before the second attempt to reconnect; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest waiting time between attempts to reconnect.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a subscriber receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Somebody called [`notify`].
    Message {
        /// The channel it was sent on.
        channel: Arc<str>,
        /// The text that was sent.
        payload: Arc<str>,
    },
    /// The connection was lost and is back. Something may have been missed: read the state again.
    Reconnected,
}

/// Sends `payload` to everybody who listens on `channel`; inside a transaction, when that commits.
///
/// # Errors
/// Those of the database, also when `payload` is longer than [`MAX_PAYLOAD`].
pub async fn notify<'e, E>(executor: E, channel: &str, payload: &str) -> Result<(), sqlx::Error>
where
    E: sqlx::PgExecutor<'e>,
{
    sqlx::query("SELECT pg_notify($1, $2)").bind(channel).bind(payload).execute(executor).await.map(drop)
}

/// The listening connection. Cloning shares it; it closes with [`Notifications::shutdown`] or with the last clone.
#[derive(Clone)]
pub struct Notifications {
    notices: broadcast::Sender<Notice>,
    stop: Arc<watch::Sender<bool>>,
    finished: watch::Receiver<bool>,
}

impl fmt::Debug for Notifications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifications").field("subscribers", &self.notices.receiver_count()).finish()
    }
}

impl Notifications {
    /// Listens on `channels` of the database of `pool`, on a connection that does not count against the pool.
    ///
    /// # Errors
    /// When the first connection cannot be made. Later losses are repaired in the background.
    pub async fn start(pool: &Pool, channels: &[&str]) -> Result<Self, sqlx::Error> {
        let options = PgConnectOptions::clone(&pool.connect_options()).application_name("ct-ops listen");
        let channels: Vec<String> = channels.iter().map(|&channel| channel.to_owned()).collect();
        let listening = listen(&options, &channels).await?;

        let (notices, _) = broadcast::channel(BACKLOG);
        let (stop, stopped) = watch::channel(false);
        let (done, finished) = watch::channel(false);
        let task = Task { options, channels, notices: notices.clone(), stopped };
        tokio::spawn(async move {
            task.run(listening).await;
            done.send_replace(true);
        });
        Ok(Self { notices, stop: Arc::new(stop), finished })
    }

    /// Everything that arrives from now on. A receiver that falls 1,024 notices behind gets `Lagged` and has to treat
    /// it like [`Notice::Reconnected`].
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Closes the connection and waits until it is closed. Receivers stay open but get nothing more.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        // An error means that the task is gone, which is what is waited for.
        let _ = self.finished.clone().wait_for(|finished| *finished).await;
    }
}

struct Task {
    options: PgConnectOptions,
    channels: Vec<String>,
    notices: broadcast::Sender<Notice>,
    stopped: watch::Receiver<bool>,
}

impl Task {
    async fn run(self, mut listening: Listening) {
        let mut stopped = self.stopped.clone();
        loop {
            tokio::select! {
                () = told_to_stop(&mut stopped) => return listening.close().await,
                error = self.forward(&mut listening.listener) => {
                    tracing::warn!(error = error.as_deref(), "listening connection lost");
                }
            }
            drop(listening);
            tokio::select! {
                () = told_to_stop(&mut stopped) => return,
                again = self.reconnect() => listening = again,
            }
            tracing::info!("listening connection restored");
            // No subscriber is no error.
            let _ = self.notices.send(Notice::Reconnected);
        }
    }

    /// Hands on what arrives until the connection fails; returns what was said about the failure.
    async fn forward(&self, listener: &mut PgListener) -> Option<String> {
        loop {
            match tokio::time::timeout(PROBE_AFTER, listener.try_recv()).await {
                Ok(Ok(Some(message))) => {
                    let _ = self.notices.send(Notice::Message {
                        channel: message.channel().into(),
                        payload: message.payload().into(),
                    });
                }
                Ok(Ok(None)) => return None,
                Ok(Err(error)) => return Some(error.to_string()),
                Err(_silence) => {
                    let probe = sqlx::query("SELECT 1").execute(&mut *listener);
                    match tokio::time::timeout(ANSWER_LIMIT, probe).await {
                        Ok(Ok(_)) => {}
                        Ok(Err(error)) => return Some(error.to_string()),
                        Err(_) => return Some("no answer to the check".to_owned()),
                    }
                }
            }
        }
    }

    async fn reconnect(&self) -> Listening {
        let mut pause = FIRST_PAUSE;
        loop {
            match tokio::time::timeout(ANSWER_LIMIT, listen(&self.options, &self.channels)).await {
                Ok(Ok(listening)) => return listening,
                Ok(Err(error)) => tracing::debug!(%error, "listening connection not restored yet"),
                Err(_) => tracing::debug!("listening connection not restored yet: no answer"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Also resolves when every [`Notifications`] is dropped: the sender is gone then.
async fn told_to_stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// A connection that listens. It has a pool of its own, because the listener wants one and would otherwise take a
/// connection away from the queries for good.
struct Listening {
    listener: PgListener,
    pool: Pool,
}

impl Listening {
    async fn close(self) {
        drop(self.listener);
        if tokio::time::timeout(ANSWER_LIMIT, self.pool.close()).await.is_err() {
            tracing::debug!("listening connection abandoned: no answer to the goodbye");
        }
    }
}

async fn listen(options: &PgConnectOptions, channels: &[String]) -> Result<Listening, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(ANSWER_LIMIT)
        .connect_with(options.clone())
        .await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    // Reconnecting is done above, with pauses and with notice to the subscribers.
    listener.eager_reconnect(false);
    listener.listen_all(channels.iter().map(String::as_str)).await?;
    Ok(Listening { listener, pool })
}
