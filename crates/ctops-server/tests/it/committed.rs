//! Generated files are committed; each test compares one and, with `CT_OPS_BLESS=1`, writes it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use ctops_base::Role;
use ctops_server::settings::REGISTRY;

use crate::app::App;

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[track_caller]
pub(crate) fn compare(path: &str, text: &str) {
    let file = repository().join(path);
    if std::env::var_os("CT_OPS_BLESS").is_some() {
        std::fs::write(&file, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == text,
        "{path} is out of date; run `cargo xtask generate` and look at the difference"
    );
}

#[tokio::test]
async fn committed_api_document_is_what_the_program_serves() {
    compare("api/openapi.json", &App::new().await.document);
}

#[tokio::test]
async fn committed_permission_matrix_is_what_the_program_checks() {
    let app = App::new().await;
    let mut text = String::from(
        "# Permissions\n\nGenerated from the program; do not edit. RO read-only, EN engineer, OA organisation administrator, \
         SA super administrator.\n\n## Operations\n\n| Operation | Needs | RO | EN | OA | SA |\n|---|---|---|---|---|---|\n",
    );
    for operation in &app.operations {
        let marks: Vec<&str> = Role::ALL
            .iter()
            .map(|role| if operation.access.allows(&[*role].into()) { "yes" } else { "–" })
            .collect();
        let name = operation.access.name();
        writeln!(text, "| `{} {}` | {name} | {} |", operation.method, operation.path, marks.join(" | "))
            .unwrap();
    }
    text.push_str("\n## Permissions\n\n| Permission | Allows |\n|---|---|\n");
    for permission in &app.permissions {
        writeln!(text, "| `{}` | {} |", permission.name, permission.about).unwrap();
    }
    compare("docs/reference/permissions.md", &text);
}

#[test]
fn committed_settings_reference_names_every_setting() {
    compare("docs/reference/settings.md", &REGISTRY.reference("ct-ops"));
    compare("deploy/.env.example", &REGISTRY.example());
}
