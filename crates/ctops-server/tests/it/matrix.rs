//! Every operation of the API document as nobody, as each role, and with a session that does not exist.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use ctops_base::Role;
use ctops_slice::Access;
use ctops_testkit::a_organisation;

use crate::app::App;

/// `path` with every placeholder filled with an id that nobody has.
pub(crate) fn filled(path: &str) -> String {
    let mut filled = String::from("/api/v1");
    for part in path.split('/').filter(|part| !part.is_empty()) {
        filled.push('/');
        filled.push_str(if part.starts_with('{') { "019a0000-0000-7000-8000-000000000000" } else { part });
    }
    filled
}

/// Spec: security 24
#[tokio::test]
async fn every_operation_refuses_whoever_lacks_its_access() {
    let app = App::new().await;
    let org_id = a_organisation(app.db.pool()).await;
    let mut sessions = Vec::new();
    for role in Role::ALL {
        sessions.push((role, app.session(org_id, role).await));
    }
    let mut wrong = Vec::new();
    for operation in app.operations.iter().filter(|o| !matches!(o.access, Access::Public)) {
        let path = filled(&operation.path);
        let mut expect = |who: &str, status: StatusCode, allowed: bool| {
            let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            // Without an address to fetch it from, the revocation list cannot be refreshed.
            let says_so =
                status == StatusCode::SERVICE_UNAVAILABLE && operation.path == "/licence/revocations/refresh";
            if refused == allowed || (status.is_server_error() && !says_so) {
                wrong.push(format!("{} {} as {who}: {status}", operation.method, operation.path));
            }
        };
        expect("nobody", app.status(&operation.method, &path, None).await, false);
        expect("unknown session", app.status(&operation.method, &path, Some("no-such-token")).await, false);
        for (role, session) in &sessions {
            let ends_itself = operation.path.contains("logout") || operation.path == "/me/sessions";
            let session = if ends_itself { app.session(org_id, *role).await } else { session.clone() };
            let status = app.status(&operation.method, &path, Some(&session)).await;
            expect(role.as_str(), status, operation.access.allows(&BTreeSet::from([*role])));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn public_operations_are_the_known_few() {
    let app = App::new().await;
    let public: Vec<String> = app
        .operations
        .iter()
        .filter(|o| matches!(o.access, Access::Public))
        .map(|o| format!("{} {}", o.method, o.path))
        .collect();
    let known = [
        "POST /admin/hosts/bulk-delete",
        "GET /agent/binary",
        "GET /agent/ca.pem",
        "GET /agent/install.sh",
        "GET /agent/manifest",
        // Whoever has forgotten a password cannot sign in; what the link proves is the mailbox.
        "POST /auth/forgot-password",
        // Sign-in with the account of a directory.
        "POST /auth/ldap/login",
        "POST /auth/login",
        "GET /auth/methods",
        // The second step of a sign-in, named by a cookie of its own, and sign-in with a passkey: nobody is signed in yet.
        "GET /auth/mfa",
        "POST /auth/mfa/passkey",
        "POST /auth/mfa/passkey/options",
        "POST /auth/mfa/verify",
        // A browser on its way to an identity provider and back; nobody is signed in yet.
        "GET /auth/oidc/{id}/callback",
        "GET /auth/oidc/{id}/logout",
        "GET /auth/oidc/{id}/start",
        "POST /auth/passkey",
        "POST /auth/passkey/options",
        // Whoever asks for an account, and whoever proves an address, has none to sign in with yet.
        "POST /auth/register",
        "POST /auth/resend-verification",
        "POST /auth/reset-password",
        "POST /auth/saml/{id}/acs",
        "GET /auth/saml/{id}/finish",
        "GET /auth/saml/{id}/metadata",
        "GET /auth/saml/{id}/start",
        "POST /auth/verify-email",
        // Whoever holds the link of an invitation has no account yet.
        "POST /invitations/accept",
        "POST /invitations/lookup",
        "POST /setup",
    ];
    assert_eq!(public, known, "a new public operation needs a reason and a line here");
}

#[tokio::test]
async fn every_operation_of_the_document_names_its_access() {
    let app = App::new().await;
    let document: serde_json::Value = serde_json::from_str(&app.document).unwrap();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            count += 1;
            assert!(operation["x-access"].is_string(), "{method} {path} names no access");
            assert!(operation["operationId"].is_string(), "{method} {path} has no operation id");
        }
    }
    assert_eq!(count, app.operations.len());
}

/// Clients are made from the document: what it says stands in the address must stand there, and nothing else.
#[tokio::test]
async fn every_parameter_of_the_document_stands_where_it_says() {
    let app = App::new().await;
    let document: serde_json::Value = serde_json::from_str(&app.document).unwrap();
    let mut wrong = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let named = operation["parameters"].as_array().cloned().unwrap_or_default();
            let in_address = |name: &str| path.contains(&format!("{{{name}}}"));
            for parameter in &named {
                let name = parameter["name"].as_str().unwrap();
                if (parameter["in"] == "path") != in_address(name) {
                    wrong.push(format!("{method} {path}: {name} in {}", parameter["in"]));
                }
            }
            for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                if !named.iter().any(|parameter| parameter["name"] == part) {
                    wrong.push(format!("{method} {path}: {part} is not described"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
