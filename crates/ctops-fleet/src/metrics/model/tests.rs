#![allow(clippy::unwrap_used, clippy::expect_used)]

use chrono::TimeDelta;

use super::series::OfflinePeriod;
use super::*;

fn now() -> DateTime<Utc> {
    ctops_testkit::start_time() + TimeDelta::seconds(17)
}

fn kept(days: i32) -> Retention {
    Retention::of(days)
}

fn plan_of(range: &str, days: i32) -> Plan {
    let input = ChartInput { range: Some(range), ..ChartInput::default() };
    Plan::of(&ChartQuery::parse(&input, now()).unwrap(), &kept(days), now())
}

fn between(from: TimeDelta, to: TimeDelta, days: i32) -> Plan {
    let query = ChartQuery { metrics: Vec::new(), from: now() - from, to: now() - to };
    Plan::of(&query, &kept(days), now())
}

/// Spec: monitoring 7, 8
#[test]
fn buckets_of_the_named_ranges_are_those_of_the_table() {
    let expected = [
        ("1h", None, "raw"),
        ("6h", Some(120), "1m"),
        ("24h", Some(300), "1m"),
        ("7d", Some(3_600), "1h"),
        ("30d", Some(14_400), "1h"),
        ("90d", Some(43_200), "1h"),
        ("180d", Some(86_400), "1d"),
    ];
    for (range, bucket, source) in expected {
        let plan = plan_of(range, 180);
        assert_eq!((plan.bucket, plan.source.name(), plan.clipped), (bucket, source, false), "{range}");
    }
    let year = ChartQuery { metrics: Vec::new(), from: now() - TimeDelta::days(365), to: now() };
    assert_eq!((year.to - year.from).num_seconds() / MAX_POINTS, 105_120, "so two days per point");
}

/// Spec: monitoring 7
#[test]
fn no_window_has_more_than_300_buckets() {
    for minutes in (1..366 * 24 * 60).step_by(977) {
        let plan = between(TimeDelta::minutes(minutes), TimeDelta::zero(), 180);
        let Some(bucket) = plan.bucket else {
            assert!(minutes <= 150, "{minutes} minutes are read from samples");
            continue;
        };
        let buckets =
            (plan.to - plan.from).num_milliseconds().cast_unsigned().div_ceil(bucket as u64 * 1_000);
        assert!(buckets <= MAX_POINTS as u64, "{minutes} minutes are {buckets} buckets of {bucket} s");
        assert_eq!(plan.from.timestamp() % bucket, 0, "and begin on an edge");
    }
}

/// Spec: monitoring 8
#[test]
fn windows_older_than_a_resolution_are_served_from_one_that_covers_them() {
    let hours =
        |ago: i64, days| between(TimeDelta::days(ago), TimeDelta::days(ago) - TimeDelta::hours(2), days);
    assert_eq!(hours(3, 7).source.name(), "raw");
    assert_eq!((hours(10, 7).source.name(), hours(10, 7).bucket), ("1h", Some(3_600)));
    assert_eq!((hours(100, 7).source.name(), hours(100, 7).bucket), ("1d", Some(86_400)));
    assert_eq!(hours(100, 180).source.name(), "1h");
}

#[test]
fn windows_before_everything_kept_are_clipped() {
    let plan = between(TimeDelta::days(300), TimeDelta::zero(), 30);
    assert!(plan.clipped);
    assert!(plan.from >= now() - TimeDelta::days(181));
    let gone = between(TimeDelta::days(300), TimeDelta::days(200), 30);
    assert!(gone.clipped && gone.from >= gone.to - TimeDelta::days(2), "{gone:?}");
    assert!(plan_of("365d", 180).clipped);
}

fn refused(input: &ChartInput<'_>) -> String {
    let problem = ChartQuery::parse(input, now()).unwrap_err();
    assert_eq!(problem.code(), "validation_failed");
    problem.fields()[0].path.clone()
}

/// Spec: monitoring 6
#[test]
fn questions_that_make_no_sense_are_refused_by_field() {
    let all = ChartInput::default();
    let (from, to) = (Some("2026-06-01T00:00:00Z"), Some("2026-06-02T00:00:00Z"));
    assert!(ChartQuery::parse(&ChartInput { from, to, ..all }, now()).is_ok());
    for range in ["", "2h", "24H", "-1d", "366d"] {
        assert_eq!(refused(&ChartInput { range: Some(range), ..all }), "range", "{range:?}");
    }
    assert_eq!(refused(&ChartInput { from: to, to: from, ..all }), "from");
    assert_eq!(refused(&ChartInput { from, to: from, ..all }), "from");
    assert_eq!(refused(&ChartInput { from: Some("2025-05-01T00:00:00Z"), to, ..all }), "from", "398 days");
    assert_eq!(refused(&ChartInput { from, ..all }), "to");
    assert_eq!(refused(&ChartInput { to, ..all }), "from");
    assert_eq!(refused(&ChartInput { from, to: Some("yesterday"), ..all }), "to");
    assert_eq!(refused(&ChartInput { from: Some("+262142-01-01T00:00:00Z"), to, ..all }), "from");
    assert_eq!(refused(&ChartInput { range: Some("1h"), from, to, ..all }), "range");
    assert_eq!(refused(&ChartInput { bucket: Some("60"), ..all }), "bucket");
    for metrics in ["", "cpu,", "cpu;memory", "CPU", "cpu_centi"] {
        assert_eq!(refused(&ChartInput { metrics: Some(metrics), ..all }), "metrics", "{metrics:?}");
    }
}

/// Spec: monitoring 14
#[test]
fn resolutions_are_kept_as_long_as_the_setting_and_the_limit_say() {
    let days = |setting: i32| Source::ALL.map(|source| kept(setting).kept_days(source));
    assert_eq!(days(7), [7, 7, 90, 180]);
    assert_eq!(days(30), [30, 30, 90, 180]);
    assert_eq!(days(120), [30, 30, 120, 180]);
    assert_eq!(days(180), [30, 30, 180, 180]);
    assert_eq!(days(365), [30, 30, 180, 180], "what was allowed once is held to what is allowed now");
}

/// Spec: monitoring 13
#[test]
fn settings_are_whole_numbers_up_to_what_is_licensed() {
    for days in [1, 7, 30, 31, 180] {
        assert_eq!(NewRetention::check(days).unwrap().days, i32::try_from(days).unwrap());
    }
    for days in [181, 365] {
        assert_eq!(NewRetention::check(days).unwrap_err().code(), "feature_not_licensed");
    }
    for days in [0, -1, 366, i64::MAX] {
        assert_eq!(NewRetention::check(days).unwrap_err().code(), "validation_failed", "{days}");
    }
}

fn row(second: i64, value: Option<i64>) -> Row {
    Row {
        label: String::new(),
        at: now() + TimeDelta::seconds(second),
        average: vec![value.map(|value| value as f64)],
        low: vec![value],
        high: vec![value],
    }
}

fn cpu() -> Vec<&'static Metric> {
    METRICS.iter().filter(|metric| metric.name == "cpu").collect()
}

fn plan(bucket: Option<i64>, seconds: i64) -> Plan {
    Plan {
        source: Source::Samples,
        bucket,
        from: now(),
        to: now() + TimeDelta::seconds(seconds),
        clipped: false,
    }
}

/// Spec: monitoring 9
#[test]
fn lines_end_where_more_than_two_buckets_are_missing() {
    let rows: Vec<Row> = [0, 60, 180, 420].map(|second| row(second, Some(100))).to_vec();
    let (lines, _) = series_of(&cpu(), &rows, &plan(Some(60), 600), TimeDelta::seconds(30));
    let seconds: Vec<(i64, bool)> = lines[0]
        .points
        .iter()
        .map(|point| ((point.at - now()).num_seconds(), point.figures.is_some()))
        .collect();
    assert_eq!(seconds, [(0, true), (60, true), (180, true), (240, false), (420, true)]);
    let slow = series_of(&cpu(), &rows, &plan(Some(60), 600), TimeDelta::seconds(300)).0;
    assert_eq!(slow[0].points.len(), 4, "an agent that reports every five minutes is not silent in between");
}

/// Spec: monitoring 1
#[test]
fn absent_figures_are_no_points_and_a_metric_without_any_is_no_line() {
    let rows = [row(0, Some(1_234)), row(30, None)];
    let (lines, bucket) = series_of(&cpu(), &rows, &plan(None, 60), TimeDelta::seconds(30));
    assert_eq!((lines[0].points.len(), bucket), (1, None));
    assert_eq!(lines[0].points[0].figures, Some([12.34; 3]));
    assert!(series_of(&cpu(), &[row(0, None)], &plan(None, 60), TimeDelta::seconds(30)).0.is_empty());
}

/// Spec: monitoring 7
#[test]
fn samples_of_short_intervals_are_thinned_to_300_points_with_their_extremes() {
    let rows: Vec<Row> = (0..720).map(|n| row(n * 5, Some(if n == 100 { 9_900 } else { 100 }))).collect();
    let (lines, bucket) = series_of(&cpu(), &rows, &plan(None, 3_600), TimeDelta::seconds(5));
    let points = &lines[0].points;
    assert!(points.len() as i64 <= MAX_POINTS && points.len() > 200, "{}", points.len());
    assert_eq!(bucket, Some(13));
    let highest =
        points.iter().filter_map(|point| point.figures).map(|figures| figures[2]).fold(0.0, f64::max);
    assert_eq!(highest, 99.0);
}

/// Spec: monitoring 12
#[test]
fn gaps_in_buckets_are_the_longest_of_each() {
    let gap = |second, seconds| Gap { at: now() + TimeDelta::seconds(second), seconds };
    let all = vec![gap(0, 30.0), gap(50, 50.0), gap(90, 40.0), gap(250, 160.0)];
    let (every, none) = gaps_by_bucket(all.clone(), &plan(None, 300));
    assert_eq!((every.len(), none), (4, None));
    let (longest, _) = gaps_by_bucket(all, &plan(Some(120), 300));
    assert_eq!(longest.iter().map(|gap| gap.seconds).collect::<Vec<_>>(), [50.0, 160.0]);
}

/// Spec: monitoring 11
#[test]
fn offline_periods_last_from_the_first_loss_to_the_next_connection() {
    let at = |minute| now() + TimeDelta::minutes(minute);
    let line = |status: &str, minute, reason: &str| (status.to_owned(), at(minute), reason.to_owned());
    let history = [
        line("pending", 0, "registered"),
        line("active", 1, "approved"),
        line("offline", 10, "silent"),
        line("adopted", 12, "adopted"),
        line("active", 15, "connected"),
        line("offline", 20, "closed"),
        line("revoked", 25, "revoked"),
    ];
    let period = |from, to: Option<i64>, reason: &str| OfflinePeriod {
        from: at(from),
        to: to.map(at),
        reason: reason.to_owned(),
    };
    let all = offline_periods(&history, at(0), at(60));
    assert_eq!(all, [period(10, Some(15), "silent"), period(20, None, "closed")]);
    assert_eq!(offline_periods(&history, at(15), at(19)), []);
    assert_eq!(offline_periods(&history, at(12), at(13)), [period(10, Some(15), "silent")]);
}
