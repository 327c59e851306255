//! Releases enter the store only when the trusted key signed them, and leave it by withdrawal.

use ctops_base::Role;
use ctops_crypto::signing::{SigningKey, is_signed};
use ctops_proto::release::{Manifest, to_hex};
use serde_json::json;

use super::{bundle, bundle_for, publish};
use crate::support::{App, release_key};

/// Spec: agents-enrolment 28, 31
#[tokio::test]
async fn bundle_when_uploaded_by_a_super_administrator_then_is_listed_and_served() {
    let app = App::new().await;
    let (admin, reader) = (app.person(Role::SuperAdmin).await, app.person(Role::ReadOnly).await);
    let content = bundle(&release_key(), "v1.2.0", "v1.0.0", "the program");
    for role in [Role::OrgAdmin, Role::Engineer] {
        let person = app.person(role).await;
        assert_eq!(app.upload(&person, "/agent-releases", content.clone()).await.code(403), "forbidden");
    }
    let published = app.upload(&admin, "/agent-releases", content.clone()).await.expect(201);
    assert_eq!(published, json!({"version": "v1.2.0", "channel": "stable"}));
    let listed = app.get(&reader, "/agent-releases").await.expect(200);
    let release = &listed["items"][0];
    assert_eq!((&release["version"], &release["minimum_version"]), (&json!("v1.2.0"), &json!("v1.0.0")));
    assert_eq!(
        (&release["artifacts"][0]["size"], &release["artifacts"][0]["os"]),
        (&json!(11), &json!("linux"))
    );
    assert_eq!(release["published_by"]["id"], json!(admin.actor.user_id));

    let nobody = [192, 0, 2, 7];
    let manifest = app.send(None, "GET", "/agent/manifest?channel=stable", None, nobody).await.expect(200);
    let text = manifest["manifest_json"].as_str().unwrap();
    assert!(is_signed(
        &release_key().public_key(),
        text.as_bytes(),
        &hex(manifest["signature"].as_str().unwrap())
    ));
    assert_eq!(Manifest::parse(text.as_bytes()).unwrap().version.to_string(), "v1.2.0");
    for query in ["os=linux&arch=amd64", "os=linux&arch=amd64&version=v1.2.0"] {
        let program = app.send(None, "GET", &format!("/agent/binary?{query}"), None, nobody).await;
        assert_eq!((program.status.as_u16(), program.text().as_str()), (200, "the program"), "{query}");
        assert_eq!(program.headers["x-sha256"], release["artifacts"][0]["sha256"].as_str().unwrap());
    }
    let answer =
        app.send(None, "GET", "/agent/binary?os=linux&arch=amd64&version=v9.0.0", None, nobody).await;
    assert_eq!(answer.code(404), "not_found");
    let answer =
        app.send(None, "GET", "/agent/binary?os=linux&arch=arm64&version=v1.2.0", None, nobody).await;
    assert_eq!(answer.code(503), "unavailable");
    std::fs::write(
        app.state.installation.agent_dist_dir.join("ct-ops-agent-linux-arm64"),
        "put there by hand",
    )
    .unwrap();
    let program = app.send(None, "GET", "/agent/binary?os=linux&arch=arm64", None, nobody).await;
    assert_eq!(program.text(), "put there by hand", "the release has no such program");
    let answer = app.send(None, "GET", "/agent/binary?os=linux&arch=amd64&version=new", None, nobody).await;
    assert_eq!(answer.code(422), "validation_failed");
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16).unwrap()).collect();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect();
    assert_eq!(to_hex(&bytes), text);
    bytes
}

/// Spec: agents-enrolment 28
#[tokio::test]
async fn bundle_when_not_signed_by_the_trusted_key_or_changed_then_is_refused_and_leaves_nothing() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    let good = bundle(&release_key(), "v1.2.0", "v1.0.0", "the program");
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    let mut longer = good.clone();
    longer.push(b'!');
    let foreign = bundle(&SigningKey::generate(), "v1.2.0", "v1.0.0", "the program");
    for wrong in [changed, longer, foreign, good[..good.len() - 1].to_vec(), b"{}".to_vec(), Vec::new()] {
        let answer = app.upload(&admin, "/agent-releases", wrong).await;
        assert_eq!(answer.code(422), "validation_failed");
    }
    assert_eq!(app.get(&admin, "/agent-releases").await.expect(200)["items"], json!([]));
    let answer = app.send(None, "GET", "/agent/manifest", None, [192, 0, 2, 7]).await;
    assert_eq!(answer.code(404), "not_found");
}

#[tokio::test]
async fn version_when_published_again_then_stays_what_it_was() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    let (key, path) = (release_key(), "/agent-releases");
    let first = bundle(&key, "v1.2.0", "v1.0.0", "one");
    app.upload(&admin, path, first.clone()).await.expect(201);
    app.upload(&admin, path, first).await.expect(201);
    let other = bundle(&key, "v1.2.0", "v1.0.0", "other");
    assert_eq!(app.upload(&admin, path, other).await.code(409), "conflict");
    let minimum = bundle(&key, "v1.2.0", "v1.1.0", "one");
    assert_eq!(app.upload(&admin, path, minimum).await.code(409), "conflict");
    app.upload(&admin, path, bundle_for("beta", &key, "v1.2.0", "v1.0.0", "one")).await.expect(201);
    let listed = app.get(&admin, path).await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "promoted to another channel");
    let beta = app.get(&admin, "/agent-releases?channel=beta").await.expect(200);
    assert_eq!(beta["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn release_when_withdrawn_then_is_offered_to_nobody() {
    let app = App::new().await;
    let admin = app.person(Role::SuperAdmin).await;
    publish(&app, "v1.1.0", "v1.0.0").await;
    publish(&app, "v1.2.0", "v1.0.0").await;
    let listed = app.get(&admin, "/agent-releases").await.expect(200);
    let path = format!("/agent-releases/{}/withdraw", listed["items"][0]["id"].as_str().unwrap());
    assert_eq!(app.post(&app.person(Role::OrgAdmin).await, &path, None).await.code(403), "forbidden");
    assert_eq!(app.post(&admin, &path, None).await.status, 204);
    assert_eq!(app.post(&admin, &path, None).await.code(409), "wrong_state");
    let unknown = format!("/agent-releases/{}/withdraw", app.org);
    assert_eq!(app.post(&admin, &unknown, None).await.code(404), "not_found");
    let manifest = app.send(None, "GET", "/agent/manifest", None, [192, 0, 2, 7]).await.expect(200);
    assert_eq!(manifest["version"], "v1.1.0");
    let (host, _) = super::an_agent(&app, "v0.9.0").await;
    assert_eq!(super::offered(&app, &host, "v0.9.0").await.as_deref(), Some("v1.1.0"));
}

#[tokio::test]
async fn version_query_when_asked_too_often_then_is_limited_per_address() {
    let app = App::new().await;
    publish(&app, "v1.0.0", "v0.0.0").await;
    for _ in 0..10 {
        app.send(None, "GET", "/agent/manifest", None, [192, 0, 2, 8]).await.expect(200);
    }
    let limited = app.send(None, "GET", "/agent/manifest", None, [192, 0, 2, 8]).await;
    assert_eq!(limited.code(429), "rate_limited");
    app.send(None, "GET", "/agent/manifest", None, [192, 0, 2, 9]).await.expect(200);
}
