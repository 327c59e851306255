//! What `ct-ops doctor` says of a sound installation and of a broken one.

use crate::support::Server;

/// Exit code and one line for each thing that was looked at.
fn doctor(server: &Server) -> (Option<i32>, Vec<String>) {
    let output = server.command(&["doctor"]).output().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), report.lines().map(str::to_owned).collect())
}

fn line<'a>(report: &'a [String], what: &str) -> &'a str {
    let of_it =
        |line: &&String| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ").starts_with(what);
    report.iter().find(of_it).unwrap_or_else(|| panic!("nothing about {what}: {report:?}"))
}

/// Spec: deployment 7
#[tokio::test]
async fn doctor_when_everything_is_in_order_says_so_before_and_while_the_server_runs() {
    let mut server = Server::new();
    let (code, report) = doctor(&server);
    assert_eq!(code, Some(0), "{report:?}");
    assert!(line(&report, "database").starts_with("note"), "{report:?}");
    assert!(line(&report, "web port").contains("is free"), "{report:?}");
    assert!(!server.state_dir().exists(), "nothing was touched");

    server.start().await;
    let (code, report) = doctor(&server);
    assert_eq!(code, Some(0), "{report:?}");
    assert!(line(&report, "database").contains("schema current"), "{report:?}");
    assert!(line(&report, "clock").starts_with("ok"), "{report:?}");
    assert!(line(&report, "web TLS").contains("valid until"), "{report:?}");
    assert!(line(&report, "agent port").contains("in use"), "{report:?}");
}

/// Spec: deployment 7
#[test]
fn doctor_when_things_are_wrong_names_each_and_ends_with_an_error() {
    let server = Server::new()
        .with("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")
        .with("INGEST_TLS_CERT", "/nonexistent/agents.crt")
        .with("INGEST_TLS_KEY", "/nonexistent/agents.key")
        .with("BETTER_AUTH_URL", "https://nothing.invalid");
    let (code, report) = doctor(&server);
    assert_eq!(code, Some(1), "{report:?}");
    for what in ["database", "agent TLS", "name"] {
        assert!(line(&report, what).starts_with("WRONG"), "{what}: {report:?}");
    }
    assert!(
        line(&report, "disk").starts_with("ok") || line(&report, "disk").starts_with("note"),
        "{report:?}"
    );
}
