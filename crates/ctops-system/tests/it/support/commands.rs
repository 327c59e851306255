//! How long a command takes from the click to its agent.

use std::time::{Duration, Instant};

use ctops_proto::agent::HeartbeatResponse;
use ctops_testkit::wait_until;
use serde_json::json;
use tonic::Streaming;

use super::{Api, Caller, Fleet, LoadTest, Plan, SOON, Server, beat};

/// Time for a fleet to enrol.
const ENROLMENT_LIMIT: Duration = Duration::from_secs(240);

/// An installation with a fleet, and one agent that notes when commands arrive.
pub(crate) struct CommandSite {
    api: Api,
    host_id: String,
    stream: Streaming<HeartbeatResponse>,
    _load: LoadTest,
    _server: Server,
}

impl CommandSite {
    /// A server with `agents` simulated agents that report every `interval`, all connected.
    pub(crate) async fn with_fleet(agents: usize, interval: Duration) -> Self {
        let mut server = Server::new()
            .with("CT_OPS_REGISTER_PER_SOURCE", "1000000")
            .with("CT_OPS_REGISTER_PER_TOKEN", "1000000");
        server.start().await;
        let api = server.set_up().await;
        let token = api.token_for_many().await;
        let load = LoadTest::start(&server, &token, &Plan { agents, interval });
        let fleet = Fleet::of(&server).await;
        let connected = "SELECT count(*) FROM agent_leases";
        wait_until(ENROLMENT_LIMIT, || async { fleet.count(connected).await == agents as i64 }).await;
        let caller = Caller::registered(&server, &token, "measured").await;
        let (_, stream) = caller.heartbeat(vec![beat(&caller.jwt)]).await.unwrap();
        let found = api.get("/hosts?search=measured").await;
        let host_id = found["items"][0]["id"].as_str().unwrap().to_owned();
        Self { api, host_id, stream, _load: load, _server: server }
    }

    /// Asks the host over HTTP; the time until its agent has read the query.
    pub(crate) async fn ask(&mut self) -> Duration {
        let path = format!("/hosts/{}/queries", self.host_id);
        let began = Instant::now();
        let asked = self.api.post(&path, json!({ "kind": "list_ports" }));
        let arrival = async {
            loop {
                let message =
                    tokio::time::timeout(SOON, self.stream.message()).await.unwrap().unwrap().unwrap();
                if let Some(newest) = message.pending_queries.last() {
                    return (began.elapsed(), newest.query_id.clone());
                }
            }
        };
        let (asked, (took, query_id)) = tokio::join!(asked, arrival);
        assert_eq!(asked["id"].as_str(), Some(query_id.as_str()), "the newest query is the last one");
        took
    }
}
