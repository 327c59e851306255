//! A gate between agents and server that can break: it cuts every connection, or holds back what passes.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What passes at a time.
const CHUNK: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// Grows with every cut; connections of an earlier number end.
    cuts: u32,
    is_held: bool,
}

/// Works until it is dropped.
pub(crate) struct Gate {
    pub(crate) port: u16,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

impl Gate {
    /// A gate before `server_port`.
    pub(crate) async fn start(server_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", super::server::free_port())).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = watch::Sender::new(State { cuts: 0, is_held: false });
        let watched = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((outside, _)) = listener.accept().await {
                let state = watched.subscribe();
                tokio::spawn(async move {
                    let Ok(inside) = TcpStream::connect(("127.0.0.1", server_port)).await else { return };
                    let cuts = state.borrow().cuts;
                    let ((outer_in, outer_out), (inner_in, inner_out)) =
                        (outside.into_split(), inside.into_split());
                    let up = pass(outer_in, inner_out, state.clone(), cuts);
                    let down = pass(inner_in, outer_out, state, cuts);
                    tokio::join!(up, down);
                });
            }
        });
        Self { port, state, accepting }
    }

    /// Ends every open connection.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Lets nothing pass, in either direction, and nothing get lost either.
    pub(crate) fn hold(&self) {
        self.state.send_modify(|state| state.is_held = true);
    }

    /// Lets everything pass again.
    pub(crate) fn release(&self) {
        self.state.send_modify(|state| state.is_held = false);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Passes one direction until it ends or is cut. Both halves are dropped then, so the other direction ends as well.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>, cuts: u32) {
    let mut cut = state.clone();
    let forward = async {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = from.read(&mut chunk).await.unwrap_or(0);
            if read == 0 || state.wait_for(|state| !state.is_held).await.is_err() {
                return;
            }
            if to.write_all(&chunk[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = forward => {}
        _ = cut.wait_for(|state| state.cuts != cuts) => {}
    }
}
