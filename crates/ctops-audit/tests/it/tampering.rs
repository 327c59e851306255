//! Every column, every place: nothing of a sealed event changes unseen, and what was exported betrays it too.

use chrono::TimeDelta;
use ctops_audit::chain::{signing_key, verify};
use ctops_audit::exports::{Signature, verify_file};
use ctops_base::Role;
use ctops_crypto::signing::SigningKey;
use ctops_slice::audit::{AuditEvent, By};
use ctops_testkit::start_time;
use serde_json::{Value, json};

use crate::support::App;

async fn is_intact(app: &App) -> bool {
    let key = signing_key(&app.deps.seal).public_key();
    let now = app.clock.now() + TimeDelta::hours(1);
    verify(app.pool(), app.org, (start_time(), now), &key, now).await.unwrap().is_intact()
}

/// An event with something in every column.
async fn write_full(app: &App) {
    let context = ctops_slice::audit::RequestContext {
        ip: Some([192, 0, 2, 1].into()),
        user_agent: Some("curl/8".into()),
        request_id: Some("request-1".into()),
        session_hash: Some("5e55".into()),
        auth_method: Some("password".into()),
        second_factor: Some(true),
        api_key_id: Some(uuid::Uuid::from_u128(7)),
    };
    let mut event = AuditEvent::by(By::User(uuid::Uuid::from_u128(1)), Some(app.org), "host.updated", "host")
        .on("h1")
        .labelled("web-1")
        .summary("full")
        .because("rule-1")
        .failed("busy")
        .change(Some(json!({ "a": 1 })), Some(json!({ "a": 2 })));
    event.actor_name = Some("Ada".into());
    event.context = Some(context);
    app.write(event).await;
}

/// Spec: audit-log 7
#[tokio::test]
async fn no_column_of_a_sealed_event_changes_unseen() {
    let app = App::new().await;
    app.write_many(1).await;
    write_full(&app).await;
    app.write_many(1).await;
    assert!(is_intact(&app).await);
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'audit_events' ORDER BY 1",
    )
    .fetch_all(app.pool())
    .await
    .unwrap();
    assert!(columns.len() >= 24, "{columns:?}");
    for (statement, back) in [
        ("actor_kind = 'api_key'", "actor_kind = 'user'"),
        ("actor_id = 'x'", "actor_id = '00000000-0000-0000-0000-000000000001'"),
        ("actor_name = 'Eve'", "actor_name = 'Ada'"),
        ("action = 'host.deleted'", "action = 'host.updated'"),
        ("target_type = 'team'", "target_type = 'host'"),
        ("target_id = 'h2'", "target_id = 'h1'"),
        ("target_label = NULL", "target_label = 'web-1'"),
        ("outcome = 'success'", "outcome = 'failed'"),
        ("reason_code = NULL", "reason_code = 'busy'"),
        ("cause = 'rule-2'", "cause = 'rule-1'"),
        ("summary = 'full '", "summary = 'full'"),
        ("before = '{\"a\": 1.5}'", "before = '{\"a\": 1}'"),
        ("before = NULL", "before = '{\"a\": 1}'"),
        ("after = '{\"a\": 2, \"b\": null}'", "after = '{\"a\": 2}'"),
        ("repeats = 2", "repeats = 1"),
        ("ip = '192.0.2.2'", "ip = '192.0.2.1'"),
        ("user_agent = NULL", "user_agent = 'curl/8'"),
        ("request_id = 'request-2'", "request_id = 'request-1'"),
        ("session_hash = NULL", "session_hash = '5e55'"),
        ("auth_method = 'saml'", "auth_method = 'password'"),
        ("second_factor = false", "second_factor = true"),
        ("second_factor = NULL", "second_factor = true"),
        ("api_key_id = NULL", "api_key_id = '00000000-0000-0000-0000-000000000007'"),
    ] {
        tamper(&app, statement).await;
        assert!(!is_intact(&app).await, "{statement}");
        tamper(&app, back).await;
        assert!(is_intact(&app).await, "{back}");
    }
    let moved = "UPDATE audit_events SET at = at + interval '1 microsecond' WHERE summary = 'full'";
    app.tamper(moved).await;
    assert!(!is_intact(&app).await, "the time");
}

async fn tamper(app: &App, set: &str) {
    let mut tx = app.pool().begin().await.unwrap();
    for statement in [
        "ALTER TABLE audit_events DISABLE TRIGGER USER".to_owned(),
        format!("UPDATE audit_events SET {set} WHERE summary LIKE 'full%'"),
        "ALTER TABLE audit_events ENABLE TRIGGER USER".to_owned(),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Exchanging the contents of two events, each intact in itself, is seen as well.
///
/// Spec: audit-log 7
#[tokio::test]
async fn events_do_not_trade_places_and_none_is_put_between() {
    let app = App::new().await;
    app.write_many(4).await;
    app.tamper(
        "UPDATE audit_chain SET seq = seq + 100 WHERE seq IN (2, 3);
         UPDATE audit_chain SET seq = CASE seq WHEN 102 THEN 3 ELSE 2 END WHERE seq > 100",
    )
    .await;
    assert!(!is_intact(&app).await, "two links were exchanged");
    let app = App::new().await;
    app.write_many(4).await;
    // Somebody writes an event of the past and gives it no place.
    app.tamper(
        "INSERT INTO audit_events (id, org_id, actor_kind, action, target_type, outcome, summary, repeats, at)
         SELECT gen_random_uuid(), org_id, actor_kind, action, target_type, outcome, 'forged', repeats, at
         FROM audit_events WHERE summary = 'event 1';
         DELETE FROM audit_unsealed",
    )
    .await;
    assert!(!is_intact(&app).await, "an event without a place");
}

/// Spec: audit-log 8
#[tokio::test]
async fn the_database_itself_refuses_to_change_or_delete_what_was_written() {
    let app = App::new().await;
    app.write_many(3).await;
    app.run("audit_checkpoints").await;
    for statement in [
        "UPDATE audit_events SET summary = 'x'",
        "UPDATE audit_events SET at = now() WHERE summary = 'event 1'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "UPDATE audit_chain SET seq = seq + 1",
        "DELETE FROM audit_chain WHERE seq = 3",
        "UPDATE audit_checkpoints SET hash = sha256('x')",
        "DELETE FROM audit_checkpoints",
    ] {
        let refused = sqlx::raw_sql(statement).execute(app.pool()).await;
        assert!(refused.is_err(), "{statement}");
        assert!(is_intact(&app).await, "{statement}");
    }
    assert_eq!(app.count("SELECT count(*) FROM audit_events").await, 3);
}

async fn an_export(app: &App, admin: &str) -> (String, Signature, String) {
    let made = app.post(admin, "/audit/exports", json!({ "format": "jsonl" })).await.expect(201);
    let path = format!("/audit/exports/{}", made["id"].as_str().unwrap());
    let file = app.get(admin, &format!("{path}/file")).await.text;
    let signature = app.get(admin, &format!("{path}/signature")).await.expect(200);
    let key = app.get(admin, "/audit/settings").await.expect(200)["public_key"].as_str().unwrap().to_owned();
    (file, serde_json::from_value(signature).unwrap(), key)
}

/// Spec: audit-log 14
#[tokio::test]
async fn an_exported_file_betrays_every_change_even_with_signatures_made_anew() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    app.write_many(5).await;
    let (file, signature, key) = an_export(&app, &admin).await;
    let lines: Vec<&str> = file.split_inclusive('\n').collect();
    let check = |file: &str, signature: &Signature| {
        verify_file(file.as_bytes(), true, Some(signature), Some(&key)).unwrap()
    };
    assert!(check(&file, &signature).is_intact());
    let without =
        |at: usize| lines.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, l)| *l).collect::<String>();
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    for (what, changed) in [
        ("an event left out", without(3)),
        ("the last event left out", without(lines.len() - 1)),
        ("the head left out", without(0)),
        ("two lines exchanged", swapped.concat()),
        ("a line twice", format!("{file}{}", lines[2])),
        ("a blank line", format!("{file}\n")),
        ("another end of line", file.replace('\n', "\r\n")),
        ("another head", file.replacen("\"about\"", "\"About\"", 1)),
        ("nothing at all", String::new()),
    ] {
        assert_ne!(check(&changed, &signature).signed, Some(true), "{what}");
    }
    // A forger signs the changed file with a key of their own; the key the installation shows is another.
    let own = SigningKey::generate();
    let forged = Signature { public_key: hex::encode(own.public_key()), ..signature.clone() };
    assert_eq!(check(&file, &forged).signed, Some(false));
    for broken in [
        Signature { signature: String::new(), ..signature.clone() },
        Signature { signature: "zz".into(), ..signature.clone() },
        Signature { sha256: signature.sha256.replace('a', "b") + "0", ..signature.clone() },
        Signature { export: uuid::Uuid::nil(), ..signature.clone() },
    ] {
        assert_eq!(check(&file, &broken).signed, Some(false), "{broken:?}");
    }
}

/// Names of hosts and people, and what they type, stand in exports: no spreadsheet takes them for a formula, no line or
/// field ends early, and the line of JSON says exactly what was written.
///
/// Spec: audit-log 14
/// Spec: security 7
#[tokio::test]
async fn hostile_text_stays_in_its_cell_in_every_format() {
    let app = App::new().await;
    let admin = app.person(Role::OrgAdmin).await;
    let texts = [
        "=HYPERLINK(\"http://evil.example\",\"click\")",
        "+1+1",
        "-2+3",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "\u{ff1d}1+1",
        "\u{ff0b}1",
        "\u{ff0d}1",
        "\u{ff20}A1",
        "a\",\"=1+1",
        "a\r\n=1+1,b",
        "a|b=c\\d",
        "CEF:0|x|y|z",
        "# filter: forged",
        "<script>alert(1)</script>",
        "caf\u{e9} \u{202e}gpj",
    ];
    for text in texts {
        let event =
            AuditEvent::by(By::System, Some(app.org), "host.updated", "host").labelled(text).summary(text);
        app.write(event).await;
    }
    app.seal().await;
    let file = async |format: &str| {
        let made = app
            .post(&admin, "/audit/exports", json!({ "format": format, "filter": { "action": "host." } }))
            .await;
        app.clock.advance(TimeDelta::seconds(11));
        app.get(&admin, &format!("/audit/exports/{}/file", made.expect(201)["id"].as_str().unwrap()))
            .await
            .text
    };
    let rows = csv_rows(&file("csv").await);
    assert_eq!(rows.len(), texts.len() + 1, "a head and one row each");
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "every row has the columns of the head");
    for cell in rows.iter().skip(1).flatten() {
        let first = cell.chars().next().unwrap_or('x');
        assert!(!"=+-@\r\n\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}|%".contains(first), "a formula: {cell:?}");
    }
    let cef = file("cef").await;
    let events = cef.lines().filter(|line| line.starts_with("CEF:0|CT-Ops|")).count();
    assert_eq!(events, texts.len());
    assert!(cef.lines().all(|line| line.starts_with("CEF:0|CT-Ops|") || line.starts_with("# ")), "{cef}");
    let json_lines = file("jsonl").await;
    let mut written: Vec<String> = json_lines
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["summary"].as_str().unwrap().to_owned())
        .collect();
    let mut expected: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    written.sort();
    expected.sort();
    assert_eq!(written, expected);
}

/// Rows of a CSV file (RFC 4180), without its comment lines at the beginning.
fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let mut rest = text;
    while rest.starts_with('#') {
        rest = rest.split_once("\r\n").map_or("", |(_, after)| after);
    }
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = rest.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            ('"', true) if chars.peek() == Some(&'"') => cell.extend(chars.next()),
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) => {}
            ('\n', false) => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            _ => cell.push(c),
        }
    }
    rows
}
