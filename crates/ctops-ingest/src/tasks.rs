//! The tasks of a node, so that a stopping node can wait for them.

use std::future::Future;

use tokio::sync::watch;

/// Counts running tasks. A task counts from the moment it is spawned.
pub(crate) struct Tasks(watch::Sender<()>);

impl Tasks {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    pub(crate) fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let running = self.0.subscribe();
        tokio::spawn(async move {
            task.await;
            drop(running);
        });
    }

    /// Resolves when no task runs. Tasks may be spawned meanwhile; they are waited for as well.
    pub(crate) async fn finished(&self) {
        self.0.closed().await;
    }

    /// How many tasks run.
    pub(crate) fn running(&self) -> usize {
        self.0.receiver_count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn finished_waits_for_every_task_even_one_that_panics() {
        let tasks = Tasks::new();
        tasks.finished().await;
        let (go, gone) = oneshot::channel::<()>();
        tasks.spawn(async move {
            let _told = gone.await;
            panic!("a task may die");
        });
        tasks.spawn(async {});
        assert!(tasks.running() >= 1);
        assert!(tasks.finished().now_or_never().is_none());
        drop(go);
        tasks.finished().await;
        assert_eq!(tasks.running(), 0);
    }
}
