//! A container engine as far as its socket shows: HTTP/1.1 that plays answers in the form of the Docker Engine API.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::task::{AbortHandle, JoinSet};

/// The running engine; ends when dropped.
pub struct Engine {
    state: Arc<Mutex<State>>,
    acceptor: AbortHandle,
}

/// What it answers, and what it was asked.
#[derive(Default)]
pub struct State {
    /// By path without the query; any other path is answered with 404.
    pub answers: HashMap<String, (StatusCode, Value)>,
    /// Take connections and requests, but answer nothing.
    pub silent: bool,
    /// Paths with their query, in order.
    pub asked: Vec<String>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

impl Engine {
    /// An engine on `run`/docker.sock with no containers.
    pub fn start(run: &Path) -> Self {
        Self::start_on(run, "docker.sock")
    }

    pub fn start_on(run: &Path, name: &str) -> Self {
        let socket = run.join(name);
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let acceptor = tokio::spawn(accept(listener, state.clone())).abort_handle();
        let engine = Self { state, acceptor };
        engine.answer("/version", json!({"Version": "27.3.1", "ApiVersion": "1.47", "MinAPIVersion": "1.24", "Components": [{"Name": "Engine"}]}));
        engine.list(&[]);
        engine
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn answer(&self, path: &str, body: Value) {
        self.state().answers.insert(path.to_owned(), (StatusCode::OK, body));
    }

    pub fn refuse(&self, path: &str, status: u16) {
        let answer = (StatusCode::from_u16(status).unwrap(), json!({"message": "as ordered"}));
        self.state().answers.insert(path.to_owned(), answer);
    }

    /// Lists these containers, each with its state; they can be inspected and, while running, measured.
    pub fn list(&self, containers: &[(&str, &str)]) {
        let listed: Vec<Value> = containers.iter().map(|(id, state)| listed(id, state)).collect();
        self.answer("/containers/json", json!(listed));
        for (id, state) in containers {
            self.answer(&format!("/containers/{id}/json"), inspected(id, state));
            self.stats(id, 1_000_000_000, 100_000_000_000);
        }
    }

    /// Sets the counters of a container: its processor time and that of the machine, nanoseconds.
    pub fn stats(&self, id: &str, container: u64, machine: u64) {
        self.answer(&format!("/containers/{id}/stats"), stats(container, machine));
    }
}

/// An entry of the list, with the fields of the API's documentation.
fn listed(id: &str, state: &str) -> Value {
    json!({
        "Id": id, "Names": [format!("/name-{id}")], "Image": "nginx:1.27",
        "ImageID": "sha256:d74508fb6632491cea586a1fd7d748dfc5274cd6fdfedee309ecdcbc2bf5cb82",
        "Command": "/docker-entrypoint.sh nginx -g 'daemon off;' --token=s3cret", "Created": 1_780_000_000,
        "Labels": {"com.docker.compose.project": "shop", "maintainer": "somebody", "com.docker.compose.api_key": "s3cret"},
        "State": state, "Status": "Up 2 hours (healthy)", "Ports": [], "SizeRw": null, "Mounts": [],
        "HostConfig": {"NetworkMode": "shop_default"}, "NetworkSettings": {"Networks": {}},
    })
}

fn inspected(id: &str, state: &str) -> Value {
    json!({
        "Id": id, "Created": "2026-05-28T20:26:40.123456789Z", "RestartCount": 3,
        "State": {"Status": state, "StartedAt": "2026-06-01T00:00:00.5Z", "FinishedAt": "0001-01-01T00:00:00Z", "ExitCode": 0},
        "Config": {"Env": ["PASSWORD=s3cret"]}, "HostConfig": {"NanoCpus": 1_500_000_000_i64, "CpuQuota": 0},
    })
}

fn stats(container: u64, machine: u64) -> Value {
    json!({
        "cpu_stats": {"cpu_usage": {"total_usage": container, "usage_in_kernelmode": 1}, "system_cpu_usage": machine,
                      "online_cpus": 4, "throttling_data": {"periods": 0}},
        "precpu_stats": {"cpu_usage": {"total_usage": 0}},
        "memory_stats": {"usage": 5000, "limit": 10_000, "stats": {"active_file": 500, "inactive_file": 1500}},
        "networks": {"eth0": {"rx_bytes": 10, "tx_bytes": 20}},
        "blkio_stats": {"io_service_bytes_recursive": [{"major": 8, "minor": 0, "op": "read", "value": 30}, {"major": 8, "minor": 0, "op": "write", "value": 40}]},
        "pids_stats": {"current": 5, "limit": 100},
    })
}

async fn accept(listener: UnixListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let state = state.clone();
        let service = service_fn(move |request| answer(state.clone(), request));
        connections.spawn(async move {
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<String>, Infallible> {
    let found = {
        let mut state = state.lock().unwrap();
        state.asked.push(request.uri().to_string());
        let found = state.answers.get(request.uri().path()).cloned();
        (!state.silent)
            .then(|| found.unwrap_or((StatusCode::NOT_FOUND, json!({"message": "No such container"}))))
    };
    let Some((status, body)) = found else { return std::future::pending().await };
    let mut response = Response::new(body.to_string());
    *response.status_mut() = status;
    Ok(response)
}
