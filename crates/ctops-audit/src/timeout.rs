//! The problem of a query that took too long.

use ctops_base::{Problem, ProblemKind};

/// The code of a statement that PostgreSQL ended because it ran for too long.
const CANCELLED: &str = "57014";

/// The problem of a failed query: `query_timeout` when it ran for more than 30 s.
pub(crate) fn query_failed(error: sqlx::Error) -> Problem {
    let timed_out = error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == CANCELLED);
    if timed_out {
        let detail = "the query took longer than 30 s; narrow the time range or the filters";
        return Problem::new(ProblemKind::Unavailable, "query_timeout", detail);
    }
    Problem::internal(error)
}
