//! Commands of people on their way to agents.

use std::time::Duration;

use crate::support::CommandSite;

/// Spec: hosts 27
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_when_asked_over_http_reaches_its_agent_within_two_seconds() {
    let mut site = CommandSite::with_fleet(50, Duration::from_secs(5)).await;
    for _ in 0..10 {
        let took = site.ask().await;
        assert!(took < Duration::from_secs(2), "took {took:?}");
    }
}
