//! What a group is and what may be asked of it.

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::text::is_hostile;
use ctops_base::{FieldProblem, PageRequest, Problem};
use uuid::Uuid;

/// Longest name, characters (host-groups 1).
const MAX_NAME_CHARS: usize = 255;
/// Longest description, characters (host-groups 1).
const MAX_DESCRIPTION_CHARS: usize = 1000;
/// Live groups per organisation.
pub(super) const MAX_GROUPS: i64 = 1_000;
/// Members per group.
pub(super) const MAX_MEMBERS: i64 = 10_000;
/// Groups per host.
pub(super) const MAX_GROUPS_OF_HOST: i64 = 100;
/// Hosts in one call.
pub(super) const MAX_IDS: usize = 1_000;
/// Longest search, characters (api-conventions 12).
const MAX_SEARCH_CHARS: usize = 200;
/// How long a deleted group can be restored (host-groups 10).
pub(super) const RESTORABLE: TimeDelta = TimeDelta::days(30);

/// A group as lists show it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Group {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) kind: String,
    /// Members that the reader may see.
    pub(super) members: i64,
    pub(super) online: i64,
    pub(super) offline: i64,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) deleted_at: Option<DateTime<Utc>>,
}

/// Something that refers to a group.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Reference {
    /// `user`, `team` or `role`.
    pub(super) kind: String,
    pub(super) id: Uuid,
    pub(super) name: String,
    /// The group cannot be deleted because of it.
    pub(super) blocks: bool,
}

/// A group that a scoping team adds to what its members are limited to.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct TeamGroup {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) team_id: Uuid,
    pub(super) team_name: String,
}

/// What somebody is limited to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScopeOf {
    /// Groups given to the person, by name.
    pub(super) own: Vec<(Uuid, String)>,
    /// Groups of scoping teams.
    pub(super) by_teams: Vec<TeamGroup>,
    /// An administrator, or somebody without any group.
    pub(super) sees_all: bool,
    /// Hosts in it.
    pub(super) hosts: i64,
}

/// Name and description, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) name: String,
    pub(super) description: String,
}

impl Text {
    /// Checks what was typed.
    pub(super) fn check(name: &str, description: &str) -> Result<Self, Problem> {
        let (name, description) = (name.trim(), description.trim());
        let mut wrong = Vec::new();
        let mut refuse = |path: &str, code, message: String| {
            wrong.push(FieldProblem { path: path.to_owned(), code, message });
        };
        if name.is_empty() {
            refuse("name", "too_short", "is empty".to_owned());
        }
        for (path, text, most) in
            [("name", name, MAX_NAME_CHARS), ("description", description, MAX_DESCRIPTION_CHARS)]
        {
            let chars = text.chars().count();
            if chars > most {
                refuse(path, "too_long", format!("has {chars} characters, at most {most}"));
            }
            if text.chars().any(|c| is_hostile(c) && c != '\n') {
                refuse(path, "invalid", "contains control characters".to_owned());
            }
        }
        if !wrong.is_empty() {
            return Err(Problem::invalid(wrong));
        }
        Ok(Self { name: name.to_owned(), description: description.to_owned() })
    }
}

/// Refuses kinds this version does not have.
pub(super) fn check_kind(kind: Option<&str>) -> Result<(), Problem> {
    match kind {
        None | Some("static") => Ok(()),
        Some("dynamic") => {
            Err(Problem::invalid_field("kind", "not_available", "groups by filter are not available yet"))
        }
        Some(_) => Err(Problem::invalid_field("kind", "invalid", "must be static")),
    }
}

/// The list of host ids of a bulk call: each once, in order.
pub(super) fn check_ids(path: &str, ids: Vec<Uuid>) -> Result<Vec<Uuid>, Problem> {
    if ids.is_empty() {
        return Err(Problem::invalid_field(path, "too_short", "names nothing"));
    }
    at_most(path, ids)
}

/// As [`check_ids`], where none at all is fine.
pub(super) fn at_most(path: &str, mut ids: Vec<Uuid>) -> Result<Vec<Uuid>, Problem> {
    let count = ids.len();
    if count > MAX_IDS {
        let message = format!("has {count} ids, at most {MAX_IDS}");
        return Err(Problem::invalid_field(path, "too_long", message));
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// One page of the list of groups.
#[derive(Clone, Debug)]
pub(super) struct GroupQuery {
    pub(super) search: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) descending: bool,
    /// Groups deleted after this, instead of those that are there.
    pub(super) deleted_after: Option<DateTime<Utc>>,
    pub(super) page: PageRequest,
}

impl GroupQuery {
    /// Checks all parameters but the page, which was checked before.
    pub(super) fn check(
        search: Option<&str>,
        kind: Option<&str>,
        sort: Option<&str>,
        page: PageRequest,
    ) -> Result<Self, Problem> {
        let search = search.map(str::trim).filter(|text| !text.is_empty());
        if search.is_some_and(|text| text.chars().count() > MAX_SEARCH_CHARS || text.contains('\0')) {
            let message = format!("must be at most {MAX_SEARCH_CHARS} characters without NUL");
            return Err(Problem::invalid_field("search", "invalid", message));
        }
        let kind = kind.filter(|text| !text.is_empty());
        if kind.is_some_and(|kind| !matches!(kind, "static" | "dynamic")) {
            return Err(Problem::invalid_field("kind", "invalid", "must be static or dynamic"));
        }
        let descending = match sort.filter(|text| !text.is_empty()) {
            None | Some("name") => false,
            Some("-name") => true,
            Some(_) => return Err(Problem::invalid_field("sort", "invalid", "must be name or -name")),
        };
        let (search, kind) = (search.map(str::to_owned), kind.map(str::to_owned));
        Ok(Self { search, kind, descending, deleted_after: None, page })
    }

    /// The same for groups that can still be restored.
    pub(super) fn of_deleted(self, now: DateTime<Utc>) -> Self {
        Self { deleted_after: Some(now - RESTORABLE), ..self }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Spec: host-groups 1
    #[test]
    fn names_have_1_to_255_characters_and_descriptions_at_most_1000() {
        assert_eq!(Text::check(" web ", "").unwrap().name, "web");
        assert!(Text::check(&"é".repeat(255), &"x".repeat(1000)).is_ok());
        for (name, description, path) in [
            ("  ", "", "name"),
            (&*"x".repeat(256), "", "name"),
            ("a\u{1b}b", "", "name"),
            ("web", &*"x".repeat(1001), "description"),
        ] {
            assert_eq!(Text::check(name, description).unwrap_err().fields()[0].path, path);
        }
    }

    #[test]
    fn ids_are_taken_once_and_bounded() {
        let id = Uuid::from_u128(1);
        assert_eq!(check_ids("host_ids", vec![id, id]).unwrap(), [id]);
        assert!(check_ids("host_ids", vec![]).is_err());
        assert!(check_ids("host_ids", vec![id; MAX_IDS + 1]).is_err());
        assert!(at_most("group_ids", vec![]).unwrap().is_empty());
    }

    #[test]
    fn unknown_kinds_and_sorts_are_refused() {
        let page = PageRequest { page: 1, page_size: 50 };
        assert!(check_kind(None).is_ok() && check_kind(Some("static")).is_ok());
        assert_eq!(check_kind(Some("dynamic")).unwrap_err().fields()[0].code, "not_available");
        assert!(check_kind(Some("x")).is_err());
        assert!(GroupQuery::check(None, None, Some("-name"), page).unwrap().descending);
        for (search, kind, sort) in
            [(None, None, Some("id")), (None, Some("x"), None), (Some("\0"), None, None)]
        {
            assert!(GroupQuery::check(search, kind, sort, page).is_err());
        }
    }
}
