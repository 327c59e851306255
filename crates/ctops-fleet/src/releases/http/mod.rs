//! Routes for people.

pub(super) mod releases;
pub(super) mod rollouts;
pub(super) mod updates;

use ctops_base::Problem;
use ctops_base::id::is_agent_id;
use ctops_proto::release::Version;

/// An agent id of the path; anything else names nothing.
fn agent_id(text: String) -> Result<String, Problem> {
    if is_agent_id(&text) { Ok(text) } else { Err(Problem::not_found("agent")) }
}

/// A version of the input.
fn version(field: &str, text: Option<&str>) -> Result<Option<Version>, Problem> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|error: ctops_proto::release::ReleaseError| {
        Problem::invalid_field(field, "invalid", error.to_string())
    })
}
