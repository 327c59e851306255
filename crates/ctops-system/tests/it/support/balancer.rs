//! A balancer in front of ingest nodes: passes TCP through, one node after the other, and skips those that refuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Works until it is dropped.
pub(crate) struct Balancer {
    pub(crate) port: u16,
    accepting: JoinHandle<()>,
}

impl Balancer {
    /// A balancer in front of these ports.
    pub(crate) async fn start(ports: Vec<u16>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", super::server::free_port())).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ports, turn) = (Arc::new(ports), Arc::new(AtomicUsize::new(0)));
        let accepting = tokio::spawn(async move {
            while let Ok((mut inside, _)) = listener.accept().await {
                let (ports, turn) = (Arc::clone(&ports), Arc::clone(&turn));
                tokio::spawn(async move {
                    let first = turn.fetch_add(1, Ordering::Relaxed);
                    for attempt in 0..ports.len() {
                        let port = ports[(first + attempt) % ports.len()];
                        if let Ok(mut node) = TcpStream::connect(("127.0.0.1", port)).await {
                            let _either_side_closed = copy_bidirectional(&mut inside, &mut node).await;
                            return;
                        }
                    }
                });
            }
        });
        Self { port, accepting }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
