//! Failures that are part of the product: a kind, a code, a text for people and, privately, the cause.

use std::error::Error;
use std::fmt;

/// The closed list of kinds; translators (HTTP, gRPC, queue) decide on this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// Not parseable at all (400).
    Malformed,
    /// Parsed but not acceptable (422).
    Invalid,
    /// No or expired sign-in (401).
    Unauthenticated,
    /// Signed in, not allowed (403).
    Forbidden,
    /// Absent, deleted, of another organisation, or out of scope (404).
    NotFound,
    /// The state forbids it (409).
    Conflict,
    /// A version the caller held is out of date (412).
    Stale,
    /// Over a size cap (413).
    TooLarge,
    /// Too many calls (429).
    Limited,
    /// A dependency is absent (503).
    Unavailable,
    /// A fault of ours (500).
    Internal,
}

/// What is wrong with one field of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// Name of the field as the caller wrote it, dots for nesting.
    pub path: String,
    /// Stable code.
    pub code: &'static str,
    /// Text for people.
    pub message: String,
}

/// An expected failure. `code` is stable, `detail` may change freely.
pub struct Problem {
    kind: ProblemKind,
    code: &'static str,
    detail: String,
    fields: Vec<FieldProblem>,
    members: Box<[(&'static str, String)]>,
    retry_after_s: Option<u64>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem with a code of its own.
    pub fn new(kind: ProblemKind, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            detail: detail.into(),
            fields: Vec::new(),
            members: Box::default(),
            retry_after_s: None,
            source: None,
        }
    }

    /// Input that could not be parsed: `code` is `malformed_json` or `malformed_query`.
    pub fn malformed(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Malformed, code, detail)
    }

    /// `validation_failed` on one field.
    pub fn invalid_field(path: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldProblem { path: path.to_owned(), code, message: message.into() }])
    }

    /// `validation_failed` on several fields.
    pub fn invalid(fields: Vec<FieldProblem>) -> Self {
        let detail = match fields.as_slice() {
            [one] => format!("{}: {}", one.path, one.message),
            many => format!("{} fields are not acceptable", many.len()),
        };
        let mut problem = Self::new(ProblemKind::Invalid, "validation_failed", detail);
        problem.fields = fields;
        problem
    }

    /// `unauthenticated`.
    pub fn unauthenticated() -> Self {
        Self::new(ProblemKind::Unauthenticated, "unauthenticated", "sign in to continue")
    }

    /// `forbidden`.
    pub fn forbidden() -> Self {
        Self::new(ProblemKind::Forbidden, "forbidden", "your roles do not allow this")
    }

    /// `not_found`; `what` names the thing.
    pub fn not_found(what: &str) -> Self {
        Self::new(ProblemKind::NotFound, "not_found", format!("{what} not found"))
    }

    /// `wrong_state`.
    pub fn wrong_state(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Conflict, "wrong_state", detail)
    }

    /// `conflict`.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Conflict, "conflict", detail)
    }

    /// `rate_limited`, to be tried again after so many seconds.
    pub fn limited(retry_after_s: u64) -> Self {
        let mut problem = Self::new(
            ProblemKind::Limited,
            "rate_limited",
            format!("too many attempts, try again in {retry_after_s} s"),
        );
        problem.retry_after_s = Some(retry_after_s.max(1));
        problem
    }

    /// `unavailable`: something this needs is not there right now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(ProblemKind::Unavailable, "unavailable", detail);
        problem.retry_after_s = Some(5);
        problem
    }

    /// `internal`: a fault of ours; the cause goes to the log, never to the caller.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ProblemKind::Internal, "internal", "something went wrong on the server").caused_by(source)
    }

    /// The same problem with a private cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same problem with these fields named.
    #[must_use]
    pub fn with_fields(mut self, fields: Vec<FieldProblem>) -> Self {
        self.fields = fields;
        self
    }

    /// The same problem with a member of its own in the answer (RFC 9457 section 3.2). Never a secret.
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let mut members = std::mem::take(&mut self.members).into_vec();
        members.push((name, value.into()));
        self.members = members.into_boxed_slice();
        self
    }

    /// Members of its own, in the order they were added.
    pub fn members(&self) -> &[(&'static str, String)] {
        &self.members
    }

    /// Kind.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// Stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Text for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What is wrong with which fields.
    pub fn fields(&self) -> &[FieldProblem] {
        &self.fields
    }

    /// Seconds after which another attempt makes sense.
    pub fn retry_after_s(&self) -> Option<u64> {
        self.retry_after_s
    }

    /// The private cause and its causes, joined for a log line.
    pub fn cause_chain(&self) -> Option<String> {
        self.source.as_ref().map(|source| error_chain(source.as_ref()))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem")
            .field("kind", &self.kind)
            .field("code", &self.code)
            .field("detail", &self.detail)
            .field("fields", &self.fields)
            .field("cause", &self.cause_chain())
            .finish()
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|s| s.as_ref() as &(dyn Error + 'static))
    }
}

/// `error` and everything that caused it, as `a: b: c`.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let part = cause.to_string();
        if !text.ends_with(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_private_but_in_the_chain() {
        let problem = Problem::internal("relation hosts does not exist");
        assert!(!problem.detail().contains("hosts"));
        assert!(!problem.to_string().contains("hosts"));
        assert_eq!(problem.cause_chain().as_deref(), Some("relation hosts does not exist"));
    }

    #[test]
    fn a_limit_always_carries_a_time_to_wait() {
        assert_eq!(Problem::limited(0).retry_after_s(), Some(1));
        assert_eq!(Problem::limited(42).retry_after_s(), Some(42));
    }

    #[test]
    fn one_bad_field_is_named_in_the_detail() {
        let problem = Problem::invalid_field("label", "too_long", "has 101 characters, at most 100");
        assert_eq!(problem.detail(), "label: has 101 characters, at most 100");
        assert_eq!(problem.fields()[0].code, "too_long");
    }
}
