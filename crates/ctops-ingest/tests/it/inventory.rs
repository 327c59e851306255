//! Software inventories over the real wire.

use chrono::TimeDelta;
use ctops_fleet::tasks::{NewRun, SOFTWARE_INVENTORY, create_run};
use ctops_proto::agent::{SoftwareInventoryChunk, SoftwarePackage};
use ctops_testkit::wait_until;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};
use uuid::Uuid;

use crate::support::{SOON, TestAgent, TestNode};

/// A task to scan the agent's host.
async fn scan_task(node: &TestNode, agent: &TestAgent) -> String {
    let run = NewRun {
        org_id: node.org_id,
        kind: SOFTWARE_INVENTORY.to_owned(),
        host_ids: vec![agent.host_id],
        config_json: "{}".to_owned(),
        max_parallel: 0,
        created_by: None,
    };
    let mut tx = node.pool().begin().await.unwrap();
    let run = create_run(&mut tx, &run, node.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    run.targets[0].1.to_string()
}

fn chunk(scan: &str, index: i32, source: &str, names: &[&str], is_last: bool) -> SoftwareInventoryChunk {
    let package = |name: &&str| SoftwarePackage {
        name: (*name).to_owned(),
        version: "1".into(),
        architecture: "amd64".into(),
        ..SoftwarePackage::default()
    };
    SoftwareInventoryChunk {
        scan_id: scan.to_owned(),
        source: source.to_owned(),
        chunk_index: index,
        is_last,
        packages: names.iter().map(package).collect(),
        ..SoftwareInventoryChunk::default()
    }
}

fn many(scan: &str, index: i32, packages: usize, is_last: bool) -> SoftwareInventoryChunk {
    let names: Vec<String> = (0..packages).map(|n| format!("p{index}-{n}")).collect();
    chunk(scan, index, "dpkg", &names.iter().map(String::as_str).collect::<Vec<_>>(), is_last)
}

/// Sends the chunks with this `authorization`.
async fn send_as(
    node: &TestNode,
    agent: &TestAgent,
    authorization: Option<&str>,
    chunks: Vec<SoftwareInventoryChunk>,
) -> Result<i32, Status> {
    let connection = node.client().connect(Some(agent)).await;
    let mut request = Request::new(tokio_stream::iter(chunks));
    if let Some(value) = authorization {
        request.metadata_mut().insert("authorization", MetadataValue::try_from(value).unwrap());
    }
    let answer = connection.rpc().submit_software_inventory(request).await?;
    Ok(answer.into_inner().received)
}

async fn send(
    node: &TestNode,
    agent: &TestAgent,
    chunks: Vec<SoftwareInventoryChunk>,
) -> Result<i32, Status> {
    send_as(node, agent, Some(&format!("Bearer {}", agent.jwt)), chunks).await
}

/// Names of the packages that the host has.
async fn packages(node: &TestNode, agent: &TestAgent) -> String {
    sqlx::query_scalar(
        "SELECT COALESCE(string_agg(source || ':' || name, ' ' ORDER BY source, name), '')
         FROM software_packages WHERE host_id = $1 AND removed_at IS NULL",
    )
    .bind(agent.host_id)
    .fetch_one(node.pool())
    .await
    .unwrap()
}

/// Status and error of a scan.
async fn scan(node: &TestNode, scan: &str) -> String {
    sqlx::query_scalar("SELECT status || COALESCE(': ' || error, '') FROM software_scans WHERE id = $1")
        .bind(scan.parse::<Uuid>().unwrap())
        .fetch_optional(node.pool())
        .await
        .unwrap()
        .unwrap_or_default()
}

async fn staged(node: &TestNode) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM software_staged_packages").fetch_one(node.pool()).await.unwrap()
}

/// Spec: software-inventory 4, 5
#[tokio::test]
async fn inventory_in_chunks_is_stored_whole_before_it_is_acknowledged() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let task = scan_task(&node, &agent).await;
    let chunks = vec![many(&task, 0, 1_000, false), many(&task, 1, 1_000, false), many(&task, 2, 7, true)];
    assert_eq!(send(&node, &agent, chunks).await.unwrap(), 2_007);
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM software_packages WHERE host_id = $1")
        .bind(agent.host_id)
        .fetch_one(node.pool())
        .await
        .unwrap();
    assert_eq!((count, scan(&node, &task).await.as_str(), staged(&node).await), (2_007, "success", 0));
    // Messages after the last chunk are not read, and a complete scan is over.
    let again = send(&node, &agent, vec![chunk(&task, 0, "dpkg", &["x"], true)]).await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
}

/// Several sources in one scan: a chunk without a name belongs to the source before it.
///
/// Spec: software-inventory 1, 5
#[tokio::test]
async fn inventory_of_several_sources_leaves_those_that_were_not_read_alone() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let first = scan_task(&node, &agent).await;
    let chunks = vec![
        chunk(&first, 0, "dpkg", &["bash", "curl"], false),
        chunk(&first, 1, "", &["vim", "vim"], false),
        chunk(&first, 2, "snap", &["core"], true),
    ];
    assert_eq!(send(&node, &agent, chunks).await.unwrap(), 5);
    assert_eq!(packages(&node, &agent).await, "dpkg:bash dpkg:curl dpkg:vim snap:core");
    let second = scan_task(&node, &agent).await;
    send(&node, &agent, vec![chunk(&second, 0, "dpkg", &["bash"], true)]).await.unwrap();
    assert_eq!(packages(&node, &agent).await, "dpkg:bash snap:core");
    // An original agent on a system without packages: one empty chunk without a source.
    let third = scan_task(&node, &agent).await;
    assert_eq!(send(&node, &agent, vec![chunk(&third, 0, "", &[], true)]).await.unwrap(), 0);
    assert_eq!(packages(&node, &agent).await, "dpkg:bash snap:core");
}

/// The original takes the end of a stream for the end of the inventory and removes what did not arrive.
///
/// Spec: software-inventory 5
#[tokio::test]
async fn inventory_that_ends_without_its_last_chunk_changes_nothing() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let first = scan_task(&node, &agent).await;
    send(&node, &agent, vec![chunk(&first, 0, "dpkg", &["bash", "curl"], true)]).await.unwrap();
    let cut = scan_task(&node, &agent).await;
    let refused = send(&node, &agent, vec![chunk(&cut, 0, "dpkg", &["bash"], false)]).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(packages(&node, &agent).await, "dpkg:bash dpkg:curl");
    assert_eq!(scan(&node, &cut).await, "partial: the inventory ended without its last chunk");
    assert_eq!(staged(&node).await, 0);
    let empty = send(&node, &agent, vec![]).await.unwrap_err();
    assert_eq!(empty.code(), Code::InvalidArgument);
}

/// Spec: software-inventory 5
#[tokio::test]
async fn agent_that_goes_away_in_the_middle_leaves_no_open_scan_and_no_open_transaction() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let task = scan_task(&node, &agent).await;
    let connection = node.client().connect(Some(&agent)).await;
    let (sender, receiver) = mpsc::channel(4);
    let mut request = Request::new(ReceiverStream::new(receiver));
    let token = MetadataValue::try_from(agent.jwt.as_str()).unwrap();
    request.metadata_mut().insert("authorization", token);
    let mut rpc = connection.rpc();
    let call = tokio::spawn(async move { rpc.submit_software_inventory(request).await });
    sender.send(chunk(&task, 0, "dpkg", &["bash"], false)).await.unwrap();
    wait_until(SOON, || async { staged(&node).await == 1 }).await;
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
    )
    .fetch_one(node.pool())
    .await
    .unwrap();
    assert_eq!((open, scan(&node, &task).await.as_str()), (0, "running"));
    connection.cut();
    call.abort();
    drop(sender);
    wait_until(SOON, || async { scan(&node, &task).await.starts_with("partial") }).await;
    assert_eq!((packages(&node, &agent).await.as_str(), staged(&node).await), ("", 0));
}

/// Spec: software-inventory 4
#[tokio::test]
async fn inventory_of_a_scan_that_is_not_the_agents_is_not_found() {
    let node = TestNode::start().await;
    let (agent, other) = (node.agent().await, node.agent().await);
    let task = scan_task(&node, &other).await;
    for id in [task.as_str(), &Uuid::nil().to_string(), "no id"] {
        let refused = send(&node, &agent, vec![chunk(id, 0, "dpkg", &["bash"], true)]).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{id}");
    }
    let blank = send(&node, &agent, vec![chunk(" ", 0, "dpkg", &["bash"], true)]).await.unwrap_err();
    assert_eq!(blank.code(), Code::InvalidArgument);
    assert_eq!(packages(&node, &other).await, "");
}

/// Spec: software-inventory 4, 5
#[tokio::test]
async fn inventory_with_a_gap_or_too_large_a_chunk_or_of_two_scans_fails() {
    type Chunks = fn(&str, &str) -> Vec<SoftwareInventoryChunk>;
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let other = scan_task(&node, &agent).await;
    let cases: [(&str, Chunks); 4] = [
        ("gap", |scan, _| vec![chunk(scan, 0, "dpkg", &["a"], false), chunk(scan, 2, "dpkg", &["b"], true)]),
        ("repetition", |scan, _| {
            vec![chunk(scan, 0, "dpkg", &["a"], false), chunk(scan, 0, "dpkg", &["a"], true)]
        }),
        ("large", |scan, _| vec![chunk(scan, 0, "dpkg", &["a"], false), many(scan, 1, 1_001, true)]),
        ("two", |scan, other| {
            vec![chunk(scan, 0, "dpkg", &["a"], false), chunk(other, 1, "dpkg", &["b"], true)]
        }),
    ];
    for (name, chunks) in cases {
        let task = scan_task(&node, &agent).await;
        let refused = send(&node, &agent, chunks(&task, &other)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{name}: {refused:?}");
        let ended = scan(&node, &task).await;
        assert!(ended.starts_with("partial: chunk"), "{name}: {ended}");
    }
    assert_eq!((packages(&node, &agent).await.as_str(), staged(&node).await), ("", 0));
}

#[tokio::test]
async fn inventory_of_more_packages_than_a_host_can_have_is_refused() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let task = scan_task(&node, &agent).await;
    // Nameless packages count, but are not put aside: the limit is on what is sent.
    let nameless = |index| SoftwareInventoryChunk {
        scan_id: task.clone(),
        source: "dpkg".into(),
        chunk_index: index,
        packages: vec![SoftwarePackage::default(); 1_000],
        ..SoftwareInventoryChunk::default()
    };
    let flood: Vec<_> = (0..251).map(nameless).collect();
    let refused = send(&node, &agent, flood).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(scan(&node, &task).await.contains("250000"), "{}", scan(&node, &task).await);
}

/// Agents of the original product keep one token for the life of their process.
///
/// Spec: software-inventory 4
#[tokio::test]
async fn inventory_with_an_expired_token_of_the_same_agent_is_taken() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    node.clock.advance(TimeDelta::hours(25));
    for (scheme, wanted) in [("Bearer ", true), ("bEARER ", true), ("", true), ("Basic ", false)] {
        let task = scan_task(&node, &agent).await;
        let authorization = format!("{scheme}{}", agent.jwt);
        let taken =
            send_as(&node, &agent, Some(&authorization), vec![chunk(&task, 0, "dpkg", &["bash"], true)])
                .await;
        assert_eq!(taken.is_ok(), wanted, "{scheme}: {taken:?}");
        if let Err(status) = taken {
            assert_eq!(status.code(), Code::Unauthenticated);
        }
    }
}

/// Spec: security 19
#[tokio::test]
async fn inventory_without_the_agents_own_token_or_approval_is_refused() {
    let node = TestNode::start().await;
    let (agent, other) = (node.agent().await, node.agent().await);
    let task = scan_task(&node, &agent).await;
    let one = || vec![chunk(&task, 0, "dpkg", &["bash"], true)];
    for token in [None, Some(format!("Bearer {}", other.jwt)), Some("Bearer nonsense".to_owned())] {
        let refused = send_as(&node, &agent, token.as_deref(), one()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{token:?}");
    }
    for status in ["pending", "revoked"] {
        let agent = node.agent_with_status(status).await;
        let refused = send(&node, &agent, one()).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{status}");
    }
    let unknown = node.unknown_agent();
    assert_eq!(send(&node, &unknown, one()).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(packages(&node, &agent).await, "");
}

/// Spec: software-inventory 6
#[tokio::test]
async fn inventory_without_packages_where_many_were_is_a_failure() {
    let node = TestNode::start().await;
    let agent = node.agent().await;
    let first = scan_task(&node, &agent).await;
    send(&node, &agent, vec![many(&first, 0, 11, true)]).await.unwrap();
    let empty = scan_task(&node, &agent).await;
    assert_eq!(send(&node, &agent, vec![chunk(&empty, 0, "dpkg", &[], true)]).await.unwrap(), 0);
    assert_eq!(scan(&node, &empty).await, "failed: dpkg reported no packages, but had 11");
    assert_eq!(packages(&node, &agent).await.split(' ').count(), 11);
}
