//! Heartbeats of an accepted stream: what is published and when it is acknowledged.

use ctops_ingest::Limits;
use ctops_proto::agent::AgentTaskResult;
use ctops_testkit::wait_until;
use tonic::Code;

use crate::support::{SOON, TestNode, beat};

#[tokio::test]
async fn heartbeat_is_published_with_the_identity_and_the_bounded_values() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut first = beat(&agent.jwt);
    first.timestamp_unix = node.clock.now().timestamp() - 2;
    first.memory_percent = 250.0;
    first.disk_percent = f32::NAN;
    let mut stream = node.client().connect(Some(&agent)).await.heartbeat(first).await.unwrap();
    stream.acked().await;
    let report = node.queue.reports(1).await.remove(0);
    assert_eq!((report.agent_id, report.host_id), (agent.id.clone(), agent.host_id.to_string()));
    assert_eq!(report.org_id, node.org_id.to_string());
    assert_eq!((report.cpu_centi, report.memory_centi, report.disk_centi), (Some(1250), Some(10_000), None));
    assert_eq!(report.uptime_seconds, Some(3600));
    assert_eq!(report.received_at_ms, node.clock.now_ms());
    assert_eq!(report.recorded_at_ms, (node.clock.now().timestamp() - 2) * 1000);
    assert!(report.is_sample && !report.clock_skewed);
    assert_eq!(report.facts.unwrap().disks[0].used_centi, 5000);
    let lease = node.queue.leases(1).await.remove(0);
    assert_eq!((lease.session_id, lease.agent_id), (report.session_id, agent.id));
}

/// Later messages carry the agent id, which nobody reads: a stream cannot change whom it speaks for.
#[tokio::test]
async fn heartbeat_that_claims_another_agent_later_is_still_of_the_first() {
    let node = TestNode::start().await;
    let (agent, other) = (node.agent().await, node.agent().await);
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    stream.send(beat(&other.id)).await;
    stream.send(beat(&other.jwt)).await;
    stream.acked().await;
    stream.acked().await;
    for report in node.queue.reports(3).await {
        assert_eq!(
            (report.agent_id.as_str(), &report.host_id),
            (agent.id.as_str(), &agent.host_id.to_string())
        );
    }
}

/// Trap 8 of the wire contract, appendix B.1.
#[tokio::test]
async fn heartbeats_are_answered_exactly_once_each_and_stored_in_order() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    for n in 1..60 {
        let mut message = beat(&agent.id);
        message.uptime_seconds = 3600 + n;
        stream.send(message).await;
        if n % 7 == 0 {
            stream.acked().await;
        }
    }
    stream.half_close();
    let mut answers = 8;
    while let Some(answer) = stream.next().await.unwrap() {
        assert!(answer.ok);
        answers += 1;
    }
    assert_eq!(answers, 60);
    let uptimes: Vec<_> =
        node.queue.reports(60).await.iter().map(|r| r.uptime_seconds.unwrap() - 3600).collect();
    assert_eq!(uptimes, (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn heartbeat_is_acknowledged_only_after_it_is_durable() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    node.queue.close_door();
    stream.send(beat(&agent.id)).await;
    wait_until(SOON, || async { node.queue.waiting() == 1 }).await;
    assert!(stream.is_quiet().await, "not durable, so not acknowledged");
    assert_eq!(node.queue.reports(1).await.len(), 1);
    node.queue.open_door();
    stream.acked().await;
    assert_eq!(node.queue.reports(2).await.len(), 2);
}

/// A full queue slows senders: so many heartbeats are taken, the rest stays unread.
#[tokio::test]
async fn heartbeats_beyond_the_window_wait_unread_while_the_queue_is_full() {
    let limits = Limits { in_flight: 4, ..Limits::default() };
    let node = TestNode::with_limits(limits).await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    node.queue.close_door();
    for _ in 0..20 {
        stream.send(beat(&agent.id)).await;
    }
    wait_until(SOON, || async { node.queue.waiting() == 4 }).await;
    assert!(stream.is_quiet().await);
    assert_eq!(node.queue.waiting(), 4, "no more than the window");
    node.queue.open_door();
    for _ in 0..20 {
        stream.acked().await;
    }
    assert_eq!(node.queue.reports(21).await.len(), 21);
}

#[tokio::test]
async fn heartbeat_that_cannot_be_stored_is_not_acknowledged_and_ends_the_stream() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    stream.acked().await;
    node.queue.set_broken(true);
    stream.send(beat(&agent.id)).await;
    assert_eq!(stream.next().await.unwrap_err().code(), Code::Unavailable);
    let refused =
        node.client().connect(Some(&agent)).await.heartbeat(beat(&agent.jwt)).await.unwrap().next().await;
    assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
    // The end of the lease is announced as soon as the queue works again.
    node.queue.set_broken(false);
    assert_eq!(node.queue.lease_story(2).await, ["began", "closed"]);
    let mut again = node.client().stream(&agent).await;
    again.acked().await;
    assert_eq!(node.queue.lease_story(3).await, ["began", "closed", "began"]);
}

#[tokio::test]
async fn facts_travel_with_the_first_report_and_when_they_change() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    for change in [false, true, false] {
        let mut message = beat(&agent.id);
        message.cpu_percent = 99.0;
        if change {
            message.os_version = "Debian GNU/Linux 13".to_owned();
        }
        stream.send(message).await;
    }
    for _ in 0..4 {
        stream.acked().await;
    }
    let with_facts: Vec<bool> =
        node.queue.reports(4).await.iter().map(|report| report.facts.is_some()).collect();
    assert_eq!(with_facts, [true, false, true, true]);
}

#[tokio::test]
async fn message_that_only_delivers_results_is_no_sample() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let mut stream = node.client().stream(&agent).await;
    let mut results = beat(&agent.id);
    results.task_results = vec![AgentTaskResult::default()];
    stream.send(results).await;
    stream.acked().await;
    stream.acked().await;
    let samples: Vec<bool> = node.queue.reports(2).await.iter().map(|report| report.is_sample).collect();
    assert_eq!(samples, [true, false]);
}
