//! Stub.
use super::{Engine, Link, Orders, Shared, probe};
use ctops_proto::agent::DockerStatus;
use std::sync::Arc;
use tokio::sync::watch;
pub(super) struct Uploader {
    shared: Arc<Shared>,
    orders: watch::Receiver<Orders>,
    engines: watch::Sender<Option<Engine>>,
    status: watch::Sender<Option<DockerStatus>>,
}
impl Uploader {
    pub(super) fn new(
        shared: Arc<Shared>,
        orders: watch::Receiver<Orders>,
        engines: watch::Sender<Option<Engine>>,
        status: watch::Sender<Option<DockerStatus>>,
    ) -> Self {
        Self { shared, orders, engines, status }
    }
    pub(super) async fn run(self, mut beats: watch::Receiver<Option<Link>>) {
        while beats.changed().await.is_ok() {
            if self.orders.borrow().active() {
                let (status, engine) = probe(&self.shared.run, self.shared.now()).await;
                self.engines.send_replace(engine);
                self.status.send_replace(Some(status));
            }
        }
    }
}
