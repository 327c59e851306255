#![allow(clippy::unwrap_used)]

use ctops_base::PageRequest;
use proptest::prelude::*;

use super::*;

fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn wrong(input: &HostListInput<'_>) -> Vec<String> {
    HostQuery::parse(input).unwrap_err().fields().iter().map(|field| field.path.clone()).collect()
}

/// Spec: hosts 5
#[test]
fn is_stale_at_the_exact_second_begins_only_after_fifteen_minutes() {
    let now = moment();
    assert!(is_stale(None, now), "never seen");
    assert!(!is_stale(Some(now - STALE_AFTER), now), "exactly 15 minutes");
    assert!(is_stale(Some(now - STALE_AFTER - TimeDelta::microseconds(1)), now));
    assert!(!is_stale(Some(now + TimeDelta::seconds(1)), now), "a clock that is a little behind");
}

/// Spec: hosts 7
#[test]
fn online_percent_of_an_empty_fleet_is_omitted() {
    let fleet = |online, total| FleetSummary { online, total, ..FleetSummary::default() }.online_percent();
    assert_eq!(fleet(0, 0), None);
    assert_eq!(fleet(0, 7), Some(0));
    assert_eq!(fleet(2, 3), Some(67), "rounded");
    assert_eq!(fleet(1, 200), Some(1), "halves go up");
    assert_eq!(fleet(1, 201), Some(0));
    assert_eq!(fleet(5, 5), Some(100));
}

/// Spec: hosts 11
#[test]
fn percent_has_one_decimal() {
    assert_eq!(percent(0).to_string(), "0");
    assert_eq!(percent(4).to_string(), "0");
    assert_eq!(percent(5).to_string(), "0.1");
    assert_eq!(percent(7994).to_string(), "79.9");
    assert_eq!(percent(8000).to_string(), "80");
    assert_eq!(percent(10_000).to_string(), "100");
}

/// Spec: hosts 12, 15, 17
#[test]
fn parse_without_parameters_is_the_first_page_of_fifty_by_hostname() {
    let query = HostQuery::parse(&HostListInput::default()).unwrap();
    assert_eq!(query.page, PageRequest { page: 1, page_size: 50 });
    assert_eq!(query.sort, Sort { key: SortKey::Hostname, descending: false });
    assert_eq!(query.filter, HostFilter::default());
}

/// Spec: hosts 12
#[test]
fn parse_with_any_page_size_takes_the_four_offered() {
    for size in 0..=256 {
        let text = size.to_string();
        let parsed = HostQuery::parse(&HostListInput { page_size: Some(&text), ..HostListInput::default() });
        assert_eq!(parsed.is_ok(), [25, 50, 100, 200].contains(&size), "{size}");
    }
}

/// Spec: hosts 13, 14, 15
#[test]
fn parse_with_everything_given_reads_every_parameter() {
    let input = HostListInput {
        search: Some("  Web_1%  "),
        status: Some("offline"),
        os: Some("linux"),
        arch: Some("arm64"),
        agent_version: Some("unknown"),
        stale: Some("true"),
        hot: Some("memory"),
        sort: Some("-last_seen"),
        page: Some("3"),
        page_size: Some("200"),
    };
    let query = HostQuery::parse(&input).unwrap();
    assert_eq!(query.filter.search.as_deref(), Some("Web_1%"), "trimmed");
    assert_eq!(query.filter.status, Some(HostStatus::Offline));
    assert_eq!(query.filter.os.as_deref(), Some("linux"));
    assert_eq!(query.filter.arch.as_deref(), Some("arm64"));
    assert_eq!(query.filter.agent_version.as_deref(), Some(UNKNOWN));
    assert!(query.filter.stale);
    assert_eq!(query.filter.hot, Some(Vital::Memory));
    assert_eq!(query.sort, Sort { key: SortKey::LastSeen, descending: true });
    assert_eq!(query.page, PageRequest { page: 3, page_size: 200 });
}

#[test]
fn parse_with_several_mistakes_names_them_all() {
    let long = "x".repeat(201);
    let input = HostListInput {
        search: Some(&long),
        status: Some("Online"),
        stale: Some("yes"),
        hot: Some("swap"),
        sort: Some("ip"),
        page: Some("0"),
        page_size: Some("10"),
        ..HostListInput::default()
    };
    assert_eq!(wrong(&input), ["search", "status", "stale", "hot", "sort", "page", "page_size"]);
    assert_eq!(wrong(&HostListInput { sort: Some("--cpu"), ..HostListInput::default() }), ["sort"]);
    assert_eq!(wrong(&HostListInput { os: Some("a\0b"), ..HostListInput::default() }), ["os"]);
    let fits = "ä".repeat(200);
    assert!(HostQuery::parse(&HostListInput { search: Some(&fits), ..HostListInput::default() }).is_ok());
}

#[test]
fn parse_minutes_outside_its_bounds_is_refused() {
    assert_eq!(parse_minutes(None).unwrap(), TimeDelta::minutes(60));
    assert_eq!(parse_minutes(Some("1440")).unwrap(), TimeDelta::minutes(1440));
    for bad in ["0", "-1", "1441", "", "1.5", "x"] {
        assert_eq!(parse_minutes(Some(bad)).unwrap_err().fields()[0].path, "minutes", "{bad}");
    }
}

proptest! {
    #[test]
    fn parse_of_any_text_never_panics_and_search_stays_bounded(text in any::<String>()) {
        let given = Some(text.as_str());
        let input = HostListInput { search: given, sort: given, page: given, ..HostListInput::default() };
        if let Ok(query) = HostQuery::parse(&input) {
            prop_assert!(query.filter.search.is_none_or(|search| search.chars().count() <= 200));
        }
    }
}
