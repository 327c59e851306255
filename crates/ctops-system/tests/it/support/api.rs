//! The web API as a browser uses it: cookie, origin, anti-forgery header, verified TLS.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue, ORIGIN};
use reqwest::{Certificate, Client, Method};
use serde_json::{Value, json};

use super::Server;

/// For one answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// A browser, signed in or not.
pub(crate) struct Api {
    http: Client,
    url: String,
}

/// Status and body of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Api {
    /// Somebody who is not signed in.
    pub(crate) fn new(server: &Server) -> Self {
        let url = server.url();
        let ca = std::fs::read(server.ca_file()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_str(&url).unwrap());
        headers.insert("x-ctops-request", HeaderValue::from_static("1"));
        let http = Client::builder()
            .tls_certs_only([Certificate::from_pem(&ca).unwrap()])
            .resolve("localhost", SocketAddr::from(([127, 0, 0, 1], server.web_port())))
            .default_headers(headers)
            .cookie_store(true)
            .timeout(ANSWER_LIMIT)
            .build()
            .unwrap();
        Self { http, url }
    }

    /// Whether the server may receive traffic.
    pub(crate) async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/readyz", self.url)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Asks and returns whatever comes back. `path` is below `/api/v1`.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}/api/v1{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    /// Reads something that must be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path, None).await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body);
        answer.body
    }

    /// Does something that must succeed.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.ask(Method::POST, path, Some(body)).await;
        assert!((200..300).contains(&answer.status), "POST {path}: {} {}", answer.status, answer.body);
        answer.body
    }

    /// Does something that needs no body and must succeed.
    pub(crate) async fn act(&self, path: &str) -> Value {
        let answer = self.ask(Method::POST, path, None).await;
        assert!((200..300).contains(&answer.status), "POST {path}: {} {}", answer.status, answer.body);
        answer.body
    }

    /// Signs in and returns the value of the session cookie.
    pub(crate) async fn sign_in(&self, credentials: Value) -> String {
        let request = self.http.post(format!("{}/api/v1/auth/login", self.url)).json(&credentials);
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        let (_, rest) = cookie.split_once('=').unwrap();
        rest.split(';').next().unwrap().to_owned()
    }

    /// A token whose agents wait for approval.
    pub(crate) async fn token(&self) -> String {
        let created = self.post("/enrolment-tokens", json!({ "label": "one agent" })).await;
        created["secret"].as_str().unwrap().to_owned()
    }

    /// A token for any number of agents, which need no approval.
    pub(crate) async fn token_for_many(&self) -> String {
        let body = json!({ "label": "many agents", "auto_approve": true, "max_uses": null });
        self.post("/enrolment-tokens", body).await["secret"].as_str().unwrap().to_owned()
    }

    /// The only agent there is.
    pub(crate) async fn only_agent(&self) -> Value {
        only(&self.get("/agents").await)
    }

    /// The only host there is.
    pub(crate) async fn only_host(&self) -> Value {
        only(&self.get("/hosts").await)
    }
}

#[track_caller]
fn only(page: &Value) -> Value {
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{page}");
    items[0].clone()
}
