//! Promises that hold for any input.

use std::collections::BTreeSet;

use ctops_slice::HostScope;
use ctops_slice::audit::redact::{self, VALUE_BYTES};
use ctops_slice::paging::{STANDARD_SIZES, parse_page};
use ctops_slice::settings::KeyKind;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

/// Any JSON, three levels deep, with names that people give to secrets among the names.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z_]{0,8}(password|_id|name)?", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn sets(ids: &[u8]) -> HostScope {
    HostScope::limited(ids.iter().map(|id| Uuid::from_u128(u128::from(*id))))
}

fn ids(scope: &HostScope) -> BTreeSet<Uuid> {
    scope.ids().map(|ids| ids.iter().copied().collect()).unwrap_or_default()
}

proptest! {
    /// Spec: audit-log 5
    #[test]
    fn no_token_of_ours_survives_in_any_text(before in "[ -~]{0,30}[ \"'<>,=(]", after in "([ \"'<>,)][ -~]{0,30})?", secret in "[A-Za-z0-9]{24,64}") {
        for token in [format!("tok_{secret}"), format!("ctops_pat_{secret}"), format!("ctops_svc_{secret}")] {
            let text = format!("{before}{token}{after}");
            let cleaned = redact::text(&text, 10_000);
            prop_assert!(!cleaned.contains(&secret), "{text:?} became {cleaned:?}");
        }
    }

    #[test]
    fn text_is_never_longer_than_its_limit_nor_cut_inside_a_character(text in "\\PC{0,80}|[äöü\u{1f600}\0]{0,80}", limit in 3usize..60) {
        let cleaned = redact::text(&text, limit);
        prop_assert!(cleaned.len() <= limit, "{} bytes of {limit}", cleaned.len());
        prop_assert!(!cleaned.contains('\0'), "PostgreSQL keeps no NUL");
    }

    /// Spec: audit-log 5
    #[test]
    fn what_stands_under_the_name_of_a_secret_is_hidden_at_any_depth(value in any_json(), secret in "[a-z]{12}", depth in 0usize..5) {
        let planted = (0..depth).fold(json!({ "password": secret }), |inner, level| match level % 2 {
            0 => json!({ "inner": inner, "other": value }),
            _ => json!([inner, value]),
        });
        let cleaned = redact::value(&planted).to_string();
        prop_assume!(!value.to_string().contains(&secret));
        prop_assert!(!cleaned.contains(&secret), "{cleaned}");
    }

    #[test]
    fn no_member_of_a_state_is_longer_than_its_limit(value in any_json(), size in 0usize..9_000) {
        let cleaned = redact::value(&json!({ "any": value, "long": "x".repeat(size), "list": vec!["y"; size / 4] }));
        for (name, member) in cleaned.as_object().unwrap() {
            let length = member.as_str().map_or_else(|| member.to_string().len(), str::len);
            prop_assert!(length <= VALUE_BYTES, "{name}: {length}");
        }
    }

    /// Cleaning what is clean changes nothing, so that a chain of writers does not eat a state.
    #[test]
    fn cleaning_twice_is_cleaning_once(value in any_json()) {
        let once = redact::value(&json!({ "state": value }));
        prop_assert_eq!(redact::value(&once), once);
    }

    /// Spec: users-teams-rbac 12, 15
    #[test]
    fn scopes_form_the_union_and_the_part_of_sets(a in prop::collection::vec(0u8..9, 0..6), b in prop::collection::vec(0u8..9, 0..6)) {
        let (left, right) = (sets(&a), sets(&b));
        prop_assert_eq!(ids(&left.union(&right)), ids(&left).union(&ids(&right)).copied().collect());
        prop_assert_eq!(left.union(&right), right.union(&left));
        prop_assert_eq!(left.union(&left), left.clone());
        let narrowed = left.narrowed_to(right.ids().unwrap());
        prop_assert!(!narrowed.is_all());
        prop_assert_eq!(ids(&narrowed), ids(&left).intersection(&ids(&right)).copied().collect());
        prop_assert!(left.union(&HostScope::All).is_all());
    }

    /// Spec: api-conventions 4
    #[test]
    fn pages_are_whole_numbers_from_one_and_of_an_offered_size(page in "\\PC{0,6}|-?[0-9]{1,11}", size in "\\PC{0,4}|[0-9]{1,4}") {
        let wanted_page = page.parse::<u32>().ok().filter(|page| *page >= 1);
        let wanted_size = size.parse::<u32>().ok().filter(|size| STANDARD_SIZES.allowed.contains(size));
        match parse_page(Some(&page), Some(&size), STANDARD_SIZES) {
            Ok(request) => {
                prop_assert_eq!((Some(request.page), Some(request.page_size)), (wanted_page, wanted_size));
                prop_assert!(request.offset() >= 0);
            }
            Err(problem) => {
                let named: Vec<&str> = problem.fields().iter().map(|field| field.path.as_str()).collect();
                let expected = [(wanted_page.is_none(), "page"), (wanted_size.is_none(), "page_size")];
                let expected: Vec<&str> = expected.iter().filter(|(wrong, _)| *wrong).map(|(_, name)| *name).collect();
                prop_assert_eq!(named, expected);
            }
        }
    }

    /// Spec: settings 3
    #[test]
    fn any_value_fits_a_key_or_is_refused_without_being_repeated(value in any_json()) {
        for kind in [
            KeyKind::Flag,
            KeyKind::Integer { least: -5, most: 5 },
            KeyKind::Text { least: 1, most: 5 },
            KeyKind::LongText { most: 5 },
            KeyKind::Choice(&["on", "off"]),
            KeyKind::Choices(&["on", "off"]),
            KeyKind::List { items: 2, chars: 3 },
            KeyKind::Integers { items: 2, least: 0, most: 9 },
            KeyKind::Optional(&KeyKind::Flag),
            KeyKind::Secret { most: 8 },
        ] {
            if let Err(misfit) = kind.check(&value) {
                let written = value.as_str().unwrap_or_default();
                prop_assert!(written.len() < 6 || !misfit.message.contains(written), "{misfit:?}");
                prop_assert!(["out_of_range", "too_long", "too_short", "not_a_choice", "wrong_type"].contains(&misfit.code));
            }
        }
    }
}
