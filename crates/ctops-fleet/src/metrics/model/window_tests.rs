//! Charts of any window: never more points than a series may have, never a bucket its source cannot give.

#![allow(clippy::unwrap_used)]

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

/// What monitoring 7 lists, seconds.
const BUCKETS: [i64; 13] =
    [60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800];

fn now() -> DateTime<Utc> {
    ctops_testkit::start_time() + TimeDelta::milliseconds(17_123)
}

fn window(ago_ms: i64, span_ms: i64) -> ChartQuery {
    let from = now() - TimeDelta::milliseconds(ago_ms);
    ChartQuery { metrics: Vec::new(), from, to: from + TimeDelta::milliseconds(span_ms) }
}

fn buckets(plan: &Plan, bucket: i64) -> u64 {
    (plan.to - plan.from).num_milliseconds().cast_unsigned().div_ceil(bucket.cast_unsigned() * 1_000)
}

fn width(source: Source) -> i64 {
    match source {
        Source::Samples => 1,
        Source::Aggregates(level) => level.width().num_seconds(),
    }
}

fn row(at: DateTime<Utc>, value: i64) -> Row {
    Row {
        label: String::new(),
        at,
        average: vec![Some(value as f64)],
        low: vec![Some(value)],
        high: vec![Some(value)],
    }
}

/// Spec: monitoring 7
#[test]
fn span_when_on_either_side_of_a_bucket_then_the_smallest_sufficient_one_is_taken() {
    for pair in BUCKETS.windows(2) {
        let longest = pair[0] * MAX_POINTS;
        for (span, bucket) in [(longest, pair[0]), (longest + 1, pair[1])] {
            if span > 90 * 86_400 || span <= 9_000 {
                continue;
            }
            let plan = Plan::of(&window(span * 1_000, span * 1_000), &Retention::of(180), now());
            let minutes_reach = 30 * 86_400;
            if span < minutes_reach || bucket >= 3_600 {
                assert_eq!(plan.bucket, Some(bucket), "{span} s");
            }
        }
    }
    let plan = |span_ms| Plan::of(&window(span_ms, span_ms), &Retention::of(30), now()).bucket;
    assert_eq!((plan(9_000_000), plan(9_001_000)), (None, Some(60)), "half a minute per point");
}

/// Spec: monitoring 7
#[test]
fn window_when_it_is_a_moment_long_then_is_planned_all_the_same() {
    for ago in [0, 1, 86_400_000, 400 * 86_400_000] {
        for span in [1, 999, 1_000] {
            let plan = Plan::of(&window(ago, span), &Retention::of(1), now());
            assert!(plan.from <= plan.to + TimeDelta::days(2), "{ago} {span}: {plan:?}");
            let gaps = Plan::of_gaps(&window(ago, span), &Retention::of(1), now());
            assert!(gaps.bucket.is_none_or(|bucket| BUCKETS.contains(&bucket)), "{gaps:?}");
        }
    }
}

/// Spec: monitoring 6
#[test]
fn moments_when_damaged_or_beyond_what_is_stored_then_are_refused() {
    for moment in [
        "",
        "now",
        "0",
        "2026-06-01",
        "2026-06-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-06-01T25:00:00Z",
        "1969-12-31T23:59:59Z",
        "9999999-01-01T00:00:00Z",
        "2026-06-01T00:00:00Z\0",
        "２026-06-01T00:00:00Z",
        "-2026-06-01T00:00:00Z",
    ] {
        let input =
            ChartInput { from: Some(moment), to: Some("2026-06-02T00:00:00Z"), ..ChartInput::default() };
        let problem = ChartQuery::parse(&input, now()).unwrap_err();
        assert_eq!(
            (problem.code(), problem.fields()[0].path.as_str()),
            ("validation_failed", "from"),
            "{moment:?}"
        );
    }
    let zoned = ChartInput {
        from: Some("2026-06-01T02:00:00+02:00"),
        to: Some("2026-06-01T00:00:01.5Z"),
        ..ChartInput::default()
    };
    let query = ChartQuery::parse(&zoned, now()).unwrap();
    assert_eq!((query.to - query.from).num_milliseconds(), 1_500);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Spec: monitoring 7, 8
    #[test]
    fn any_window_has_at_most_300_buckets_that_its_source_divides(
        ago in 0_i64..400 * 86_400_000, span in prop_oneof![1_i64..20_000_000, 1_i64..366 * 86_400_000], days in 1_i32..=365,
    ) {
        let (query, retention) = (window(ago, span), Retention::of(days));
        let plan = Plan::of(&query, &retention, now());
        prop_assert!(plan.to == query.to);
        prop_assert_eq!(plan.clipped, query.from < now() - TimeDelta::days(180));
        match plan.bucket {
            None => {
                prop_assert_eq!(plan.source, Source::Samples);
                prop_assert!((plan.to - plan.from).num_seconds() <= 9_000);
            }
            Some(bucket) => {
                prop_assert!(BUCKETS.contains(&bucket));
                prop_assert!(plan.source != Source::Samples && bucket % width(plan.source) == 0);
                prop_assert!(plan.from >= plan.to || buckets(&plan, bucket) <= MAX_POINTS as u64);
                prop_assert_eq!(plan.from.timestamp_millis().rem_euclid(bucket * 1_000), 0, "begins on an edge");
            }
        }
        let kept = now() - TimeDelta::days(i64::from(retention.kept_days(plan.source)));
        let asked = query.from.max(now() - TimeDelta::days(180)).min(query.to);
        let is_gone = query.to < now() - TimeDelta::days(180);
        prop_assert!(is_gone || asked >= kept, "the source covers the window");
    }

    /// Spec: monitoring 7, 12
    #[test]
    fn any_gaps_are_at_most_300_points(ago in 0_i64..60 * 86_400_000, span in 1_i64..60 * 86_400_000, days in 1_i32..=180, every in 1_i64..600) {
        let plan = Plan::of_gaps(&window(ago, span), &Retention::of(days), now());
        let begin = plan.from;
        let count = ((plan.to - begin).num_seconds().max(0) / every).min(5_000);
        let gaps = (0..count).map(|n| Gap { at: begin + TimeDelta::seconds(n * every), seconds: n as f64 }).collect();
        let (points, bucket) = gaps_by_bucket(gaps, &plan);
        prop_assert!(points.len() as i64 <= MAX_POINTS + 1, "{} points in buckets of {bucket:?}", points.len());
        let longest = points.iter().map(|gap| gap.seconds).fold(0.0, f64::max);
        prop_assert_eq!(longest, (count - 1).max(0) as f64, "no gap is lost");
        prop_assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at));
    }

    /// Spec: monitoring 7, 9
    #[test]
    fn any_samples_give_at_most_300_figures_in_order_with_their_extremes(
        seconds in proptest::collection::btree_map(0_i64..9_000, 0_i64..10_000, 1..700), pause in 5_i64..300,
    ) {
        let plan = Plan::of(&window(9_000_000, 9_000_000), &Retention::of(30), now());
        prop_assert_eq!(plan.source, Source::Samples);
        let rows: Vec<Row> = seconds.iter().map(|(at, value)| row(plan.from + TimeDelta::seconds(*at), *value)).collect();
        let cpu = METRICS.iter().find(|metric| metric.name == "cpu").unwrap();
        let (lines, _) = series_of(&[cpu], &rows, &plan, TimeDelta::seconds(pause));
        let points = &lines[0].points;
        let figures: Vec<[f64; 3]> = points.iter().filter_map(|point| point.figures).collect();
        prop_assert!(figures.len() as i64 <= MAX_POINTS, "{}", figures.len());
        prop_assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at), "oldest first, each moment once");
        prop_assert!(points.windows(2).all(|pair| pair[0].figures.is_some() || pair[1].figures.is_some()), "one mark per gap");
        prop_assert!(figures.iter().all(|[average, low, high]| low <= average && average <= high));
        let (lowest, highest) = (*seconds.values().min().unwrap() as f64 / 100.0, *seconds.values().max().unwrap() as f64 / 100.0);
        prop_assert_eq!(figures.iter().map(|figure| figure[1]).fold(f64::INFINITY, f64::min), lowest);
        prop_assert_eq!(figures.iter().map(|figure| figure[2]).fold(0.0, f64::max), highest);
    }
}
