//! Promises of the words that every other crate speaks.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use chrono::{DateTime, TimeDelta};
use ctops_base::id::{AGENT_ID_LEN, is_agent_id, new_agent_id, new_id};
use ctops_base::problem::error_chain;
use ctops_base::text::{clean, escape_like, is_hostile};
use ctops_base::{Clock, FieldProblem, Page, PageRequest, Problem, ProblemKind, Role};
use proptest::prelude::*;

/// A fault with causes below it.
#[derive(Debug)]
struct Layer(&'static str, Option<Box<Layer>>);

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Layer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as &dyn Error)
    }
}

#[test]
fn ids_of_rows_are_different_and_in_the_order_of_their_making() {
    let ids: Vec<_> = (0..2_000).map(|_| new_id()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    assert!(ids.is_sorted(), "lists of the newest first rely on it");
    assert!(ids.iter().all(|id| id.get_version_num() == 7));
}

#[test]
fn ids_of_agents_use_every_character_of_their_alphabet_and_no_other() {
    let ids: Vec<String> = (0..500).map(|_| new_agent_id()).collect();
    let seen: BTreeSet<char> = ids.iter().flat_map(|id| id.chars()).collect();
    assert_eq!(seen.into_iter().collect::<String>(), "0123456789abcdefghijklmnopqrstuvwxyz");
    assert!(ids.iter().all(|id| id.len() == AGENT_ID_LEN && is_agent_id(id)));
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn a_manual_clock_goes_back_as_well_and_survives_what_is_too_much() {
    let start = DateTime::from_timestamp(1_700_000_000, 123_456_000).unwrap();
    let clock = Clock::manual(start);
    clock.advance(TimeDelta::microseconds(-1));
    assert_eq!(start - clock.now(), TimeDelta::microseconds(1));
    assert_eq!(clock.now_ms(), 1_700_000_000_123);
    clock.advance(TimeDelta::MAX);
    assert_eq!(
        start - clock.now(),
        TimeDelta::microseconds(1),
        "more than the clock can count moves it nowhere"
    );
    let system = Clock::default();
    let before = system.now();
    system.advance(TimeDelta::days(1_000));
    assert!(system.now() - before < TimeDelta::days(1), "the machine's clock is left alone");
}

#[test]
fn roles_are_ordered_by_strength_and_named_one_way() {
    assert!(Role::ALL.is_sorted());
    assert_eq!(Role::ALL.iter().max(), Some(&Role::SuperAdmin));
    let names: Vec<String> = Role::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["read_only", "engineer", "org_admin", "super_admin"]);
    for other in ["", " ", "admin", "superadmin", "Engineer", "engineer ", "read-only", "ENGINEER", "owner"] {
        let refused = other.parse::<Role>().unwrap_err();
        assert_eq!(refused.to_string(), format!("{other:?} is not a role"));
    }
}

/// What every translator relies on: a constructor has one kind and one code.
#[test]
fn constructors_of_problems_have_their_kind_and_code() {
    let field = FieldProblem { path: "name".into(), code: "too_long", message: "is too long".into() };
    for (problem, kind, code) in [
        (Problem::malformed("malformed_json", ""), ProblemKind::Malformed, "malformed_json"),
        (Problem::invalid(vec![field]), ProblemKind::Invalid, "validation_failed"),
        (Problem::unauthenticated(), ProblemKind::Unauthenticated, "unauthenticated"),
        (Problem::forbidden(), ProblemKind::Forbidden, "forbidden"),
        (Problem::not_found("host"), ProblemKind::NotFound, "not_found"),
        (Problem::wrong_state(""), ProblemKind::Conflict, "wrong_state"),
        (Problem::conflict(""), ProblemKind::Conflict, "conflict"),
        (Problem::limited(3), ProblemKind::Limited, "rate_limited"),
        (Problem::unavailable(""), ProblemKind::Unavailable, "unavailable"),
        (Problem::internal("cause"), ProblemKind::Internal, "internal"),
    ] {
        assert_eq!((problem.kind(), problem.code()), (kind, code));
        let waits = matches!(kind, ProblemKind::Limited | ProblemKind::Unavailable);
        assert_eq!(problem.retry_after_s().is_some(), waits, "{code}");
    }
}

#[test]
fn a_problem_keeps_its_cause_from_people_and_shows_it_to_the_log() {
    let bottom = Layer("password authentication failed for user ctops", None);
    let cause = Layer("connection refused", Some(Box::new(bottom)));
    let problem = Problem::unavailable("the directory is unavailable").caused_by(cause);
    assert_eq!(problem.to_string(), "unavailable: the directory is unavailable");
    assert!(!problem.detail().contains("ctops"));
    let chain = problem.cause_chain().unwrap();
    assert_eq!(chain, "connection refused: password authentication failed for user ctops");
    assert!(Error::source(&problem).is_some());
    assert_eq!(Problem::forbidden().cause_chain(), None);
}

#[test]
fn a_chain_of_causes_does_not_say_the_same_twice() {
    let bottom = Layer("no such file", None);
    let middle = Layer("reading the key: no such file", Some(Box::new(bottom)));
    assert_eq!(error_chain(&middle), "reading the key: no such file");
}

#[test]
fn several_bad_fields_are_counted_and_members_keep_their_order() {
    let field = |path: &str| FieldProblem { path: path.into(), code: "invalid", message: "is wrong".into() };
    let problem = Problem::invalid(vec![field("a"), field("b.c")])
        .with_member("required_tier", "pro")
        .with_member("current_tier", "community");
    assert_eq!(problem.detail(), "2 fields are not acceptable");
    assert_eq!(
        problem.members(),
        [("required_tier", "pro".to_owned()), ("current_tier", "community".to_owned())]
    );
    assert_eq!(problem.fields().iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["a", "b.c"]);
}

proptest! {
    #[test]
    fn pages_follow_each_other_without_gap_and_overlap(page in 1u32..1_000_000, size in 1u32..201) {
        let (one, next) = (PageRequest { page, page_size: size }, PageRequest { page: page + 1, page_size: size });
        prop_assert_eq!(one.offset() + one.limit(), next.offset());
        prop_assert!(one.offset() >= 0);
    }

    #[test]
    fn a_converted_page_is_the_same_page(items in prop::collection::vec(any::<u16>(), 0..20), total in 0i64..1_000) {
        let request = PageRequest { page: 2, page_size: 20 };
        let page = Page { items: items.clone(), total, request }.map(u32::from);
        prop_assert_eq!((page.total, page.request), (total, request));
        prop_assert!(page.items.iter().zip(&items).all(|(new, old)| *new == u32::from(*old)));
    }

    #[test]
    fn only_texts_of_24_small_letters_and_digits_are_ids_of_agents(text in "[a-z0-9]{22,26}|\\PC{24}") {
        let expected = text.len() == 24 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        prop_assert_eq!(is_agent_id(&text), expected);
    }

    /// Cleaning twice is cleaning once, and nothing is added.
    #[test]
    fn clean_text_stays_as_it_is(text in "\\PC{0,40}|[\\x00-\\x1f\u{202a}-\u{202e} a-z]{0,40}", max in 0usize..50) {
        let once = clean(&text, max);
        prop_assert_eq!(clean(&once, max).chars().count() <= once.chars().count(), true);
        prop_assert!(once.chars().all(|c| text.contains(c) && !is_hostile(c)));
    }

    /// Read back as PostgreSQL reads it, the pattern matches exactly the text.
    #[test]
    fn an_escaped_pattern_has_no_wildcards(text in "[%_\\\\a-c]{0,20}") {
        let (mut read, mut escaped) = (String::new(), false);
        for c in escape_like(&text).chars() {
            match (c, escaped) {
                ('\\', false) => escaped = true,
                ('%' | '_', false) => prop_assert!(false, "a wildcard in {text:?}"),
                _ => {
                    read.push(c);
                    escaped = false;
                }
            }
        }
        prop_assert!(!escaped);
        prop_assert_eq!(read, text);
    }
}
