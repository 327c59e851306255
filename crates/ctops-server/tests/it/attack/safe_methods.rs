//! Methods that say they change nothing change nothing: another site can always make a browser send them.

use axum::http::{Method, StatusCode};
use ctops_base::Role;
use ctops_testkit::a_organisation;

use super::contents::{changed, contents};
use super::read;
use super::somebody::Belongings;
use crate::app::App;
use crate::matrix::filled;
use crate::objects::{Things, object_of};

/// Spec: auth 25
#[tokio::test]
async fn no_operation_that_reads_changes_anything() {
    let app = App::new().await;
    let pool = app.db.pool();
    let ours = a_organisation(pool).await;
    let things = Things::new(pool, ours).await;
    let belongings = Belongings::new(pool, ours, things.user, things.role).await;
    let admin = app.session(ours, Role::SuperAdmin).await;
    let before = contents(pool).await;
    let mut tried = 0;
    for operation in app.operations.iter().filter(|o| o.method == "GET") {
        let address = belongings
            .address(&operation.path)
            .map(|(address, _)| address)
            .or_else(|| things.address(&operation.path, object_of(&operation.path)?))
            .unwrap_or_else(|| filled(&operation.path));
        drop(app.call("GET", &address, Some(&admin), "").await);
        tried += 1;
    }
    assert!(tried > 90, "only {tried} operations were read");
    assert_eq!(changed(&before, &contents(pool).await), [""; 0]);
}

/// Neither a header nor a parameter makes a write of a request that reads.
#[tokio::test]
async fn a_method_is_what_it_says_and_no_header_or_parameter_makes_it_another() {
    let app = App::new().await;
    let pool = app.db.pool();
    let ours = a_organisation(pool).await;
    let things = Things::new(pool, ours).await;
    let admin = app.session(ours, Role::SuperAdmin).await;
    let before = contents(pool).await;
    for path in [format!("/api/v1/teams/{}", things.team), format!("/api/v1/host-groups/{}", things.group)] {
        for question in ["", "?_method=DELETE", "?method=DELETE", "?X-HTTP-Method-Override=DELETE"] {
            let request = axum::http::Request::builder()
                .method(Method::GET)
                .uri(format!("{path}{question}"))
                .header("cookie", format!("__Host-ctops_session={admin}"))
                .header("x-http-method-override", "DELETE")
                .header("x-method-override", "DELETE")
                .extension(axum::extract::ConnectInfo(std::net::SocketAddr::from(([127, 0, 0, 1], 50_000))))
                .body(axum::body::Body::empty())
                .unwrap();
            let response = tower::ServiceExt::oneshot(app.router.clone(), request).await.unwrap();
            assert_ne!(response.status(), StatusCode::NO_CONTENT, "{path}{question}");
        }
    }
    assert_eq!(changed(&before, &contents(pool).await), [""; 0]);
}

/// Methods an address does not have are refused as such, and do not fall through to another one.
#[tokio::test]
async fn methods_that_an_address_does_not_have_are_refused() {
    let app = App::new().await;
    let org_id = a_organisation(app.db.pool()).await;
    let admin = app.session(org_id, Role::SuperAdmin).await;
    let paths: std::collections::BTreeSet<&str> = app.operations.iter().map(|o| o.path.as_str()).collect();
    let mut tried = 0;
    for path in paths {
        let has = |method: &str| app.operations.iter().any(|o| o.path == path && o.method == method);
        for method in ["PUT", "PATCH", "DELETE", "POST"].into_iter().filter(|method| !has(method)) {
            let (status, answer) = read(app.call(method, &filled(path), Some(&admin), "{}").await).await;
            // `/hosts/summary` is also `/hosts/{id}`: whichever answers, it is none that does something.
            assert!(status.is_client_error(), "{method} {path}: {status} {answer}");
            tried += 1;
        }
    }
    assert!(tried > 300, "only {tried} were tried");
}
