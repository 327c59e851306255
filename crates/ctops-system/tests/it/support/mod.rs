//! Real programs on loopback: every test has an installation of its own, which ends with it.

mod agent;
mod api;
mod balancer;
mod brokers;
mod commands;
mod gate;
mod load;
mod node;
mod process;
mod rows;
mod server;
mod supervised;
mod wire;

use std::time::Duration;

pub(crate) use agent::{Agent, INTERVAL_SECONDS};
pub(crate) use api::Api;
pub(crate) use balancer::Balancer;
pub(crate) use brokers::Brokers;
pub(crate) use commands::CommandSite;
pub(crate) use gate::Gate;
pub(crate) use load::{LoadTest, Plan};
pub(crate) use node::{Entrance, Installation, Node};
pub(crate) use process::{Process, program};
pub(crate) use rows::Fleet;
pub(crate) use server::{SETUP_CODE, Server};
pub(crate) use supervised::Supervised;
pub(crate) use wire::{Caller, beat};

/// Long enough for a busy machine; what has a limit of its own in the specification is measured against that instead.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// The password of the first account.
pub(crate) const PASSWORD: &str = "correct horse battery staple 42";

/// A running server with its first account, signed in.
pub(crate) async fn installation() -> (Server, Api) {
    let mut server = Server::new();
    server.start().await;
    let api = server.set_up().await;
    (server, api)
}

/// The same with a real agent that is online.
pub(crate) async fn installation_with_agent() -> (Server, Api, Agent, Fleet) {
    let (server, api) = installation().await;
    let fleet = Fleet::of(&server).await;
    let agent = Agent::start(&server, "agent", &api.token_for_many().await);
    fleet.until_status("online").await;
    (server, api, agent, fleet)
}
