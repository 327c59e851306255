//! What to look for: strings in, a checked filter out.

use std::net::IpAddr;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use ctops_base::{FieldProblem, Problem};
use ctops_slice::audit::Outcome;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Longest range of one question, days.
const MAX_DAYS: i64 = 400;
/// Longest text searched for (api-conventions 12).
const MAX_TEXT: usize = 200;
/// Longest id or name.
const MAX_NAME: usize = 200;
/// Kinds of actors.
const ACTOR_KINDS: [&str; 7] = ["user", "api_key", "system", "agent", "setup", "support_cli", "anonymous"];

/// A range of time, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
}

impl Window {
    /// The range between two moments; without an end up to now, without a beginning as far back as one question
    /// reaches.
    ///
    /// # Errors
    /// `validation_failed` when it ends before it begins, has more than 400 days or lies outside the years 1 to 9999.
    pub(crate) fn checked(
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let most = TimeDelta::days(MAX_DAYS);
        // Events of this very moment belong to "up to now".
        let to = to.unwrap_or(now + TimeDelta::seconds(1));
        for (path, moment) in [("from", from), ("to", Some(to))] {
            if moment.is_some_and(|moment| !is_plausible(moment)) {
                return Err(Problem::invalid_field(path, "out_of_range", "must be in the years 1 to 9999"));
            }
        }
        let from = from.unwrap_or(to - most);
        if to < from {
            return Err(Problem::invalid_field("to", "before_from", "must not be before from"));
        }
        if to - from > most {
            let message = format!("may be at most {MAX_DAYS} days after from");
            return Err(Problem::invalid_field("to", "window_too_long", message));
        }
        Ok(Self { from, to })
    }
}

/// Whether a moment is in the years of RFC 3339. The library and PostgreSQL each end elsewhere, and there is nothing to find.
pub(super) fn is_plausible(moment: DateTime<Utc>) -> bool {
    (1..=9999).contains(&moment.year())
}

/// A filter as clients write it. All parts may be combined.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[schema(as = AuditFilter)]
pub struct FilterInput {
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<DateTime<Utc>>,
    /// Before this moment, at most 400 days after `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<DateTime<Utc>>,
    /// Id of a person, service account or agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) actor_id: Option<String>,
    /// `user`, `api_key`, `system`, `agent`, `setup`, `support_cli` or `anonymous`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) actor_type: Option<String>,
    /// Beginning of the action, for example `auth.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<String>,
    /// Kind of target, for example `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_type: Option<String>,
    /// Id of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_id: Option<String>,
    /// `success`, `denied` or `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<String>,
    /// Client address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ip: Option<String>,
    /// Id of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
    /// Text in the summary, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) q: Option<String>,
}

/// A checked filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) window: Window,
    pub(crate) actor_id: Option<String>,
    pub(crate) actor_kind: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) target_type: Option<String>,
    pub(crate) target_id: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) ip: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) text: Option<String>,
}

impl FilterInput {
    /// Checks every part.
    ///
    /// # Errors
    /// `validation_failed` naming every part that is not acceptable.
    pub(crate) fn check(self, now: DateTime<Utc>) -> Result<Filter, Problem> {
        let mut wrong = Vec::new();
        let mut refuse = |path: &str, message: String| {
            wrong.push(FieldProblem { path: path.to_owned(), code: "invalid", message });
        };
        let outcomes = Outcome::ALL.map(Outcome::as_str);
        if self.outcome.as_deref().is_some_and(|given| !outcomes.contains(&given)) {
            refuse("outcome", format!("must be one of {}", outcomes.join(", ")));
        }
        if self.actor_type.as_deref().is_some_and(|given| !ACTOR_KINDS.contains(&given)) {
            refuse("actor_type", format!("must be one of {}", ACTOR_KINDS.join(", ")));
        }
        let ip = self.ip.as_deref().map(str::parse::<IpAddr>);
        if matches!(ip, Some(Err(_))) {
            refuse("ip", "must be an IP address".to_owned());
        }
        for (path, value, most) in [
            ("actor_id", &self.actor_id, MAX_NAME),
            ("action", &self.action, MAX_NAME),
            ("target_type", &self.target_type, MAX_NAME),
            ("target_id", &self.target_id, MAX_NAME),
            ("request_id", &self.request_id, MAX_NAME),
            ("q", &self.q, MAX_TEXT),
        ] {
            if let Some(value) = value {
                if value.chars().count() > most {
                    refuse(path, format!("must have at most {most} characters"));
                } else if value.contains('\0') {
                    refuse(path, "must not contain NUL".to_owned());
                }
            }
        }
        if !wrong.is_empty() {
            return Err(Problem::invalid(wrong));
        }
        let present = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        Ok(Filter {
            window: Window::checked(self.from, self.to, now)?,
            actor_id: present(self.actor_id),
            actor_kind: present(self.actor_type),
            action: present(self.action),
            target_type: present(self.target_type),
            target_id: present(self.target_id),
            outcome: present(self.outcome),
            ip: ip.and_then(Result::ok).map(|ip| ip.to_canonical().to_string()),
            request_id: present(self.request_id),
            text: present(self.q),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(day * 86_400, 0).unwrap()
    }

    /// Spec: audit-log 9
    #[test]
    fn window_when_it_ends_early_or_is_too_long_is_refused() {
        let code = |from, to| Window::checked(from, to, at(1_000)).map_err(|p| p.fields()[0].code);
        assert_eq!(code(Some(at(2)), Some(at(1))), Err("before_from"));
        assert_eq!(code(Some(at(1)), Some(at(402))), Err("window_too_long"));
        assert_eq!(code(Some(at(1)), None), Err("window_too_long"));
        assert_eq!(code(Some(at(1)), Some(at(401))), Ok(Window { from: at(1), to: at(401) }));
        let open = Window::checked(None, None, at(1_000)).unwrap();
        assert!(open.to > at(1_000) && open.to - open.from == TimeDelta::days(400));
        let long = Window::checked(Some(at(1)), Some(at(500)), at(1_000)).unwrap_err();
        assert!(long.detail().contains("400 days"), "{}", long.detail());
    }

    /// Spec: audit-log 9
    #[test]
    fn filter_names_every_part_that_is_wrong() {
        let input = FilterInput {
            outcome: Some("won".into()),
            actor_type: Some("ghost".into()),
            ip: Some("10.0.0".into()),
            q: Some("x".repeat(201)),
            target_id: Some("a\0b".into()),
            ..FilterInput::default()
        };
        let problem = input.check(at(1_000)).unwrap_err();
        let paths: Vec<_> = problem.fields().iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["outcome", "actor_type", "ip", "target_id", "q"]);
        let fine =
            FilterInput { ip: Some("::ffff:10.0.0.1".into()), q: Some(" ".into()), ..FilterInput::default() };
        let filter = fine.check(at(1_000)).unwrap();
        assert_eq!((filter.ip.as_deref(), filter.text), (Some("10.0.0.1"), None));
    }
}
