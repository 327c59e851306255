//! Attacks that are tried on every operation there is, so that a new one is covered the day it is declared: forged
//! requests, fields nobody may set, roles nobody may give, keys beyond their scopes, things of somebody else.

mod bodies;
mod contents;
mod escalation;
mod forgery;
mod hostile_input;
mod keys;
mod lists;
mod mass_assignment;
mod safe_methods;
mod somebody;
mod strangers;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;

/// Status and body of an answer; null when it is no JSON.
async fn read(response: Response<Body>) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Whether a method changes something.
fn writes(method: &str) -> bool {
    method != "GET"
}
