//! Generated files are committed; each test compares one and, with `CT_OPS_BLESS=1`, writes it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use ctops_base::Role;
use ctops_server::settings::REGISTRY;
use ctops_slice::slice::OperationInfo;

use crate::app::App;
use crate::objects::{Object, object_of};

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
         SA super administrator. What members waiting for approval or for their second factor reach is marked \
         own_account. A custom role reaches what its permissions allow. Other organisation: what an id of another \
         organisation answers; out of scope: what an id beyond the host groups answers that somebody is limited to. \
         The test `things_of_another_organisation_or_out_of_scope_are_not_found` tries them.\n\n## Operations\n\n\
         | Operation | Needs | Licence | RO | EN | OA | SA | Other organisation | Out of scope |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for operation in &app.operations {
        let marks: Vec<&str> = Role::ALL
            .iter()
            .map(|role| if operation.access.allows(&[*role].into()) { "yes" } else { "–" })
            .collect();
        let name = operation.access.name();
        let licence = operation.access.feature().map_or("–", ctops_slice::Feature::key);
        let object = object_of(&operation.path);
        let answer = |hidden: bool| if hidden { "404" } else { "–" };
        let other = answer(object.is_some_and(Object::is_owned));
        let beyond = answer(object.is_some_and(Object::is_scoped));
        let OperationInfo { method, path, .. } = operation;
        let marks = marks.join(" | ");
        writeln!(text, "| `{method} {path}` | {name} | {licence} | {marks} | {other} | {beyond} |").unwrap();
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
