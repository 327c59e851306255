//! `port`: a TCP port takes connections, or a UDP port does not refuse.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use tokio::net::{TcpStream, UdpSocket, lookup_host};

use super::{Outcome, seconds};

/// A silent UDP port counts as open after this time, for a refusal comes at once.
const UDP_SILENCE: Duration = Duration::from_secs(2);
/// Largest reply read, bytes.
const MAX_REPLY: usize = 64 * 1024;

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Port {
    host: String,
    port: u16,
    protocol: Protocol,
    #[serde(alias = "timeout_seconds")]
    timeout_s: Option<i64>,
    /// Sent over UDP.
    payload: String,
    /// Must be in the reply over UDP.
    #[serde(alias = "expected")]
    expected_reply: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    #[default]
    Tcp,
    Udp,
}

impl Port {
    /// Time-out of the whole check.
    pub(super) fn limit(&self) -> Duration {
        seconds(self.timeout_s, 5, 30)
    }

    pub(super) async fn run(&self) -> Outcome {
        let attempt = async {
            match self.protocol {
                Protocol::Tcp => connect(&self.host, self.port).await.map(drop),
                Protocol::Udp => self.ask().await,
            }
        };
        let result = tokio::time::timeout(self.limit(), attempt).await;
        let port = self.port;
        match result.unwrap_or_else(|_| Err(io::Error::other(format!("no answer within {:?}", self.limit()))))
        {
            Ok(()) => Outcome::pass(format!("port {port} reachable")),
            Err(error) => Outcome::fail(format!("connection failed: {error}")),
        }
    }

    async fn ask(&self) -> io::Result<()> {
        let target = lookup_host((bare(&self.host), self.port)).await?.next().ok_or_else(no_address)?;
        let local: SocketAddr = if target.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = UdpSocket::bind(local).await?;
        socket.connect(target).await?;
        socket.send(self.payload.as_bytes()).await?;
        let mut reply = vec![0; MAX_REPLY];
        let wait =
            if self.expected_reply.is_empty() { UDP_SILENCE.min(self.limit() / 2) } else { self.limit() };
        match tokio::time::timeout(wait, socket.recv(&mut reply)).await {
            Ok(length) => {
                let reply = String::from_utf8_lossy(&reply[..length?]);
                if reply.contains(&self.expected_reply) {
                    return Ok(());
                }
                Err(io::Error::other("the reply is not the expected one"))
            }
            Err(_) if self.expected_reply.is_empty() => Ok(()),
            Err(_) => Err(io::Error::other(format!("no reply within {wait:?}"))),
        }
    }
}

/// IPv6 addresses may be written with brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

fn no_address() -> io::Error {
    io::Error::other("the name has no address")
}

/// Connects to the first address of `host` that takes the connection.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = no_address();
    for address in lookup_host((bare(host), port)).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
