//! The committed `db/schema.sql` is what the migrations add up to.

use std::fs;
use std::path::Path;

use ctops_pg::embedded::{Account, Installation};
use ctops_pg::schema;
use ctops_testkit::TestDb;

#[tokio::test]
async fn schema_in_the_repository_is_what_the_migrations_add_up_to() {
    let db = TestDb::new().await;
    let installation = Installation::find(None, None, &Account::choose(None).unwrap()).unwrap();
    let actual = schema::dump(&installation.bin_dir, &db.url()).await.unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../db/schema.sql");
    if std::env::var_os("CT_OPS_BLESS").is_some() {
        fs::write(&path, &actual).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == actual,
        "db/schema.sql is stale; write it anew with: CT_OPS_BLESS=1 cargo test -p ctops-pg schema\n{}",
        first_difference(&committed, &actual)
    );
}

fn first_difference(committed: &str, actual: &str) -> String {
    let (mut left, mut right) = (committed.lines(), actual.lines());
    for number in 1.. {
        match (left.next(), right.next()) {
            (None, None) => break,
            (a, b) if a != b => return format!("line {number}: committed {a:?}, actual {b:?}"),
            _ => {}
        }
    }
    String::new()
}

#[tokio::test]
async fn dump_without_a_database_repeats_what_pg_dump_said() {
    let installation = Installation::find(None, None, &Account::choose(None).unwrap()).unwrap();
    let error = schema::dump(&installation.bin_dir, "postgres://u@%2Fnonexistent/db").await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent"), "{error}");
    let missing =
        schema::dump(Path::new("/nonexistent"), "postgres://u@%2Fnonexistent/db").await.unwrap_err();
    assert!(matches!(missing, schema::SchemaError::Run(_)), "{missing}");
}
