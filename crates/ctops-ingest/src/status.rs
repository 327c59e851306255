//! The one translation of [`Problem`] into a gRPC status.

use ctops_base::{Problem, ProblemKind};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

/// Metadata key of the problem's stable code.
const CODE_KEY: &str = "ctops-code";

/// The status an agent sees. The cause of an internal problem goes to the log, once, and not to the agent.
pub(crate) fn from_problem(problem: &Problem) -> Status {
    let code = match problem.kind() {
        ProblemKind::Malformed | ProblemKind::Invalid => Code::InvalidArgument,
        ProblemKind::Unauthenticated => Code::Unauthenticated,
        ProblemKind::Forbidden => Code::PermissionDenied,
        ProblemKind::NotFound => Code::NotFound,
        ProblemKind::Conflict if problem.code() == "already_exists" => Code::AlreadyExists,
        ProblemKind::Conflict => Code::FailedPrecondition,
        ProblemKind::Stale => Code::Aborted,
        ProblemKind::TooLarge | ProblemKind::Limited => Code::ResourceExhausted,
        ProblemKind::Unavailable => Code::Unavailable,
        ProblemKind::Internal => Code::Internal,
    };
    match code {
        Code::Internal => tracing::error!(cause = problem.cause_chain(), "a call of an agent failed"),
        Code::Unavailable => {
            tracing::warn!(cause = problem.cause_chain(), "a call of an agent could not be served");
        }
        _ => tracing::debug!(
            code = problem.code(),
            detail = problem.detail(),
            "a call of an agent was refused"
        ),
    }
    let mut status = Status::new(code, problem.detail());
    status.metadata_mut().insert(CODE_KEY, MetadataValue::from_static(problem.code()));
    status
}

/// Errors of the transport's decoder, in the terms of the wire contract: an oversized message is `RESOURCE_EXHAUSTED`.
pub(crate) fn from_transport(status: Status) -> Status {
    match status.code() {
        Code::OutOfRange => Status::resource_exhausted("message is larger than this method accepts"),
        _ => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_problem_maps_every_kind_and_keeps_the_code() {
        let kinds = [
            (ProblemKind::Malformed, Code::InvalidArgument),
            (ProblemKind::Invalid, Code::InvalidArgument),
            (ProblemKind::Unauthenticated, Code::Unauthenticated),
            (ProblemKind::Forbidden, Code::PermissionDenied),
            (ProblemKind::NotFound, Code::NotFound),
            (ProblemKind::Conflict, Code::FailedPrecondition),
            (ProblemKind::Stale, Code::Aborted),
            (ProblemKind::TooLarge, Code::ResourceExhausted),
            (ProblemKind::Limited, Code::ResourceExhausted),
            (ProblemKind::Unavailable, Code::Unavailable),
            (ProblemKind::Internal, Code::Internal),
        ];
        for (kind, code) in kinds {
            let status = from_problem(&Problem::new(kind, "some_code", "what happened"));
            assert_eq!(status.code(), code, "{kind:?}");
            assert_eq!(status.message(), "what happened");
            assert_eq!(status.metadata().get(CODE_KEY).map(|v| v.as_bytes()), Some(&b"some_code"[..]));
        }
        let collision = Problem::new(ProblemKind::Conflict, "already_exists", "host exists");
        assert_eq!(from_problem(&collision).code(), Code::AlreadyExists);
    }

    #[test]
    fn from_problem_when_internal_tells_the_agent_nothing_of_the_cause() {
        let status = from_problem(&Problem::internal("relation agents does not exist"));
        assert!(!format!("{status:?}").contains("relation"));
    }

    #[test]
    fn from_transport_when_a_message_is_oversized_is_resource_exhausted() {
        assert_eq!(from_transport(Status::out_of_range("too long")).code(), Code::ResourceExhausted);
        assert_eq!(from_transport(Status::internal("x")).code(), Code::Internal);
    }
}
