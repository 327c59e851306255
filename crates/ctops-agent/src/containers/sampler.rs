//! Stub.
use super::{Engine, Orders, Shared};
use std::sync::Arc;
use tokio::sync::watch;
pub(super) async fn run(
    _shared: Arc<Shared>,
    _orders: watch::Receiver<Orders>,
    _engine: watch::Receiver<Option<Engine>>,
) {
}
