//! Questions to a container engine: HTTP over its Unix socket (Docker Engine API; Podman answers the same).

use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::time::Duration;

use http::{Request, StatusCode, header};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

/// Longest answer that is read: a thousand containers with many labels. Everything is parsed at once.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Where an engine listens. Every question is a connection of its own: on a socket of the same host that costs less than
/// keeping one and noticing its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    socket: PathBuf,
    /// It calls itself Podman.
    pub(super) podman: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no socket.
    #[error("there is no engine")]
    Absent,
    /// The agent's account may not use the socket, or not ask this.
    #[error("access to the engine is refused")]
    Denied,
    /// Nobody listens.
    #[error("the engine refuses connections")]
    Refused,
    /// It took too long.
    #[error("the engine does not answer within {0:?}")]
    TimedOut(Duration),
    /// An answer that says no.
    #[error("the engine answers with status {0}")]
    Status(u16),
    /// An answer over the limit.
    #[error("the engine's answer has more than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
    /// The connection broke.
    #[error("the connection to the engine failed")]
    Connection(#[source] io::Error),
    /// Not the HTTP of an engine.
    #[error("the engine does not speak HTTP")]
    Http(#[from] hyper::Error),
    /// Not the JSON that was expected.
    #[error("the engine's answer is not understood")]
    Json(#[from] serde_json::Error),
}

impl Engine {
    /// The engine of the host whose `/var/run` is `run`: Docker's, else Podman's; `None` without either socket.
    pub fn find(run: &Path) -> Option<Self> {
        ["docker.sock", "podman/podman.sock"]
            .iter()
            .map(|name| run.join(name))
            .find(|socket| socket.symlink_metadata().is_ok())
            .map(|socket| Self { socket, podman: false })
    }

    /// Asks for `path` and reads the JSON of the answer.
    ///
    /// # Errors
    /// When there is no answer within `patience`, or not a usable one.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, patience: Duration) -> Result<T, EngineError> {
        let answer = tokio::time::timeout(patience, self.exchange(path))
            .await
            .unwrap_or(Err(EngineError::TimedOut(patience)))?;
        Ok(serde_json::from_slice(&answer)?)
    }

    async fn exchange(&self, path: &str) -> Result<Vec<u8>, EngineError> {
        let socket = UnixStream::connect(&self.socket).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => EngineError::Absent,
            io::ErrorKind::PermissionDenied => EngineError::Denied,
            io::ErrorKind::ConnectionRefused => EngineError::Refused,
            _ => EngineError::Connection(error),
        })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        let mut request = Request::new(String::new());
        // Paths are made of fixed text and checked ids.
        *request.uri_mut() = path.parse().map_err(|_| EngineError::Status(400))?;
        request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("localhost"));
        let mut exchange = pin!(async {
            let response = sender.send_request(request).await?;
            match response.status() {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(EngineError::Denied),
                status if !status.is_success() => Err(EngineError::Status(status.as_u16())),
                _ => read(response.into_body()).await,
            }
        });
        tokio::select! {
            result = &mut exchange => result,
            // The connection is done once the answer is complete.
            _ = connection => exchange.await,
        }
    }
}

async fn read(mut body: Incoming) -> Result<Vec<u8>, EngineError> {
    let mut content = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame?.into_data() {
            if content.len() + data.len() > MAX_ANSWER_BYTES {
                return Err(EngineError::TooLong);
            }
            content.extend_from_slice(&data);
        }
    }
    Ok(content)
}

/// Whether `id` may stand in a path.
pub(super) fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}
