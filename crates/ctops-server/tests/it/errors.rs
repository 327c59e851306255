//! The reference of problem codes is made from the places that name them.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::response::IntoResponse;
use ctops_base::{Problem, ProblemKind};
use ctops_slice::http::ApiError;

use crate::committed::{compare, repository};
use crate::metrics::sources;

/// Every kind with its name in the code and what a caller should do.
const KINDS: [(ProblemKind, &str, &str); 11] = [
    (ProblemKind::Malformed, "Malformed", "Send another request: this one cannot be understood."),
    (ProblemKind::Invalid, "Invalid", "Correct what `fields` names."),
    (ProblemKind::Unauthenticated, "Unauthenticated", "Sign in, or present a valid credential."),
    (ProblemKind::Forbidden, "Forbidden", "Ask somebody with the permission."),
    (ProblemKind::NotFound, "NotFound", "It is not there, or not yours."),
    (ProblemKind::Conflict, "Conflict", "Look at the present state; the request does not fit it."),
    (ProblemKind::Stale, "Stale", "Read it again: somebody changed it in between."),
    (ProblemKind::TooLarge, "TooLarge", "Send less."),
    (ProblemKind::Limited, "Limited", "Wait for `Retry-After` seconds."),
    (ProblemKind::Unavailable, "Unavailable", "Try again later."),
    (ProblemKind::Internal, "Internal", "Give the `request_id` to the operator: the log says more."),
];

#[test]
fn committed_error_reference_names_every_code() {
    let mut codes: BTreeMap<(u16, String), &str> = BTreeMap::new();
    for krate in
        ["ctops-base", "ctops-slice", "ctops-identity", "ctops-fleet", "ctops-monitoring", "ctops-server"]
    {
        for (path, text) in sources(&repository().join("crates").join(krate).join("src")) {
            if path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests") {
                continue;
            }
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for (kind, name, advice) in KINDS {
                for code in codes_after(product, &format!("ProblemKind::{name},")) {
                    codes.insert((status(kind), code), advice);
                }
            }
            for code in codes_after(product, "Problem::malformed(") {
                codes.insert((status(ProblemKind::Malformed), code), KINDS[0].2);
            }
        }
    }
    assert!(codes.len() > 10, "only {} codes were found; does the search still work?", codes.len());
    let mut text = String::from(
        "# Errors\n\nGenerated from the program; do not edit. Errors of the API are `application/problem+json` (RFC 9457) \
         with a stable `code`, a `detail` for people, the `request_id`, and `fields` where values are wrong.\n\n\
         | Status | Code | What to do |\n|---|---|---|\n",
    );
    for ((status, code), advice) in codes {
        writeln!(text, "| {status} | `{code}` | {advice} |").unwrap();
    }
    compare("docs/reference/errors.md", &text);
}

fn status(kind: ProblemKind) -> u16 {
    ApiError::from(Problem::new(kind, "any", "")).into_response().status().as_u16()
}

/// Literals that follow `marker`.
fn codes_after(text: &str, marker: &str) -> Vec<String> {
    let literal = |rest: &str| {
        let code = rest.trim_start().strip_prefix('"')?.split('"').next()?;
        Some(code.to_owned())
    };
    text.match_indices(marker).filter_map(|(at, _)| literal(&text[at + marker.len()..])).collect()
}
