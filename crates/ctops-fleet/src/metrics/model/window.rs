//! Which samples a chart needs: range, bucket and source (monitoring 6 to 9).

use chrono::{DateTime, TimeDelta, Utc};
use ctops_base::Problem;

use super::{Family, Level, METRICS, Metric, Retention};

/// Points that one series has at most (monitoring 7).
pub const MAX_POINTS: i64 = 300;
/// Widths of buckets, seconds (monitoring 7).
const BUCKETS: [i64; 13] =
    [60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800];
/// Rows are shown as they are when a point may stand for no more than this, seconds (monitoring 7).
const RAW_STEP: i64 = 30;
/// Longest span that can be asked for.
const MAX_SPAN: TimeDelta = TimeDelta::days(366);
/// The ranges that have a name (monitoring 6).
const RANGES: [(&str, TimeDelta); 8] = [
    ("1h", TimeDelta::hours(1)),
    ("6h", TimeDelta::hours(6)),
    ("24h", TimeDelta::hours(24)),
    ("7d", TimeDelta::days(7)),
    ("30d", TimeDelta::days(30)),
    ("90d", TimeDelta::days(90)),
    ("180d", TimeDelta::days(180)),
    ("365d", TimeDelta::days(365)),
];

/// A question about metrics as it was asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChartInput<'a> {
    /// Names, separated by commas; `cpu,memory,disk` without.
    pub metrics: Option<&'a str>,
    /// Name of a range that ends now; `24h` without.
    pub range: Option<&'a str>,
    /// Begin instead of a range.
    pub from: Option<&'a str>,
    /// End instead of a range.
    pub to: Option<&'a str>,
    /// Only `auto`.
    pub bucket: Option<&'a str>,
}

/// A question about metrics that can be answered.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::metrics) struct ChartQuery {
    pub(in crate::metrics) metrics: Vec<&'static Metric>,
    pub(in crate::metrics) from: DateTime<Utc>,
    pub(in crate::metrics) to: DateTime<Utc>,
}

impl ChartQuery {
    /// # Errors
    /// `validation_failed` on `metrics`, `range`, `from`, `to` or `bucket`.
    pub(in crate::metrics) fn parse(input: &ChartInput<'_>, now: DateTime<Utc>) -> Result<Self, Problem> {
        if input.bucket.is_some_and(|bucket| bucket != "auto") {
            return Err(Problem::invalid_field("bucket", "invalid", "must be auto"));
        }
        let (from, to) = span(input, now)?;
        Ok(Self { metrics: metrics(input.metrics.unwrap_or("cpu,memory,disk"))?, from, to })
    }
}

fn metrics(text: &str) -> Result<Vec<&'static Metric>, Problem> {
    let mut found: Vec<&'static Metric> = Vec::new();
    for name in text.split(',').map(str::trim) {
        let Some(metric) = METRICS.iter().find(|metric| metric.name == name) else {
            let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
            let message = format!("must be names of {}", names.join(", "));
            return Err(Problem::invalid_field("metrics", "invalid", message));
        };
        if !found.contains(&metric) {
            found.push(metric);
        }
    }
    Ok(found)
}

fn span(input: &ChartInput<'_>, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Problem> {
    match (input.range, input.from, input.to) {
        (range, None, None) => {
            let range = range.unwrap_or("24h");
            let known = RANGES.iter().find(|(name, _)| *name == range).ok_or_else(|| {
                let names = RANGES.map(|(name, _)| name).join(", ");
                Problem::invalid_field("range", "invalid", format!("must be one of {names}"))
            })?;
            Ok((now - known.1, now))
        }
        (None, Some(from), Some(to)) => {
            let (from, to) = (moment("from", from)?, moment("to", to)?);
            if from >= to {
                return Err(Problem::invalid_field("from", "invalid", "must be before to"));
            }
            if to - from > MAX_SPAN {
                let message = format!("must be at most {} days before to", MAX_SPAN.num_days());
                return Err(Problem::invalid_field("from", "invalid", message));
            }
            Ok((from, to))
        }
        (None, Some(_), None) => Err(Problem::invalid_field("to", "required", "is missing beside from")),
        (None, None, Some(_)) => Err(Problem::invalid_field("from", "required", "is missing beside to")),
        (Some(_), ..) => Err(Problem::invalid_field("range", "invalid", "cannot stand beside from and to")),
    }
}

fn moment(field: &str, text: &str) -> Result<DateTime<Utc>, Problem> {
    // PostgreSQL's time stamps begin and end elsewhere than chrono's; these years are common to both.
    let years = DateTime::UNIX_EPOCH..DateTime::UNIX_EPOCH + TimeDelta::days(365 * 8_000);
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|at| at.to_utc())
        .filter(|at| years.contains(at))
        .ok_or_else(|| Problem::invalid_field(field, "invalid", "must be a time like 2026-06-03T12:00:00Z"))
}

/// Where the points of a chart come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::metrics) enum Source {
    Samples,
    Aggregates(Level),
}

impl Source {
    /// Every resolution, from fine to coarse.
    pub(in crate::metrics) const ALL: [Self; 4] = [
        Self::Samples,
        Self::Aggregates(Level::Minute),
        Self::Aggregates(Level::Hour),
        Self::Aggregates(Level::Day),
    ];

    /// Name in the API.
    pub(in crate::metrics) fn name(self) -> &'static str {
        match self {
            Self::Samples => "raw",
            Self::Aggregates(level) => level.name(),
        }
    }

    /// The table of a family that holds it, and that table's column of time.
    pub(in crate::metrics) fn table(self, family: &Family) -> (String, &'static str) {
        match self {
            Self::Samples => (family.samples.to_owned(), "recorded_at"),
            Self::Aggregates(level) => (family.aggregates(level), "bucket"),
        }
    }
}

/// What is read for a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::metrics) struct Plan {
    pub(in crate::metrics) source: Source,
    /// Seconds; none for rows as they are.
    pub(in crate::metrics) bucket: Option<i64>,
    /// Begin, on the edge of a bucket.
    pub(in crate::metrics) from: DateTime<Utc>,
    /// End.
    pub(in crate::metrics) to: DateTime<Utc>,
    /// The begin asked for lies before what is kept.
    pub(in crate::metrics) clipped: bool,
}

impl Plan {
    /// The smallest bucket that keeps a series within [`MAX_POINTS`] and whose source still covers the span. Aggregates
    /// hold sums and counts, so every level that divides a bucket gives the same figures; the coarsest is read, because
    /// it has the fewest rows (monitoring 7, 8).
    pub(in crate::metrics) fn of(query: &ChartQuery, retention: &Retention, now: DateTime<Utc>) -> Self {
        let kept = now - TimeDelta::days(i64::from(retention.kept_days(Source::Aggregates(Level::Day))));
        let from = query.from.max(kept).min(query.to);
        let step = (query.to - from).num_seconds() as f64 / MAX_POINTS as f64;
        let covers = |source| from >= now - TimeDelta::days(i64::from(retention.kept_days(source)));
        if step <= RAW_STEP as f64 && covers(Source::Samples) {
            return Self {
                source: Source::Samples,
                bucket: None,
                from,
                to: query.to,
                clipped: from > query.from,
            };
        }
        let fits = |bucket: &&i64| **bucket as f64 >= step && covers(source_of(**bucket));
        let bucket = BUCKETS.iter().find(fits).copied().unwrap_or(BUCKETS[BUCKETS.len() - 1]);
        Self {
            source: source_of(bucket),
            bucket: Some(bucket),
            from: first_edge(from, query.to, bucket),
            to: query.to,
            clipped: from > query.from,
        }
    }

    /// The same for the gaps between heartbeats, which only samples and minutes tell (monitoring 12).
    pub(in crate::metrics) fn of_gaps(query: &ChartQuery, retention: &Retention, now: DateTime<Utc>) -> Self {
        let kept = now - TimeDelta::days(i64::from(retention.kept_days(Source::Samples)));
        let from = query.from.max(kept).min(query.to);
        let step = (query.to - from).num_seconds() as f64 / MAX_POINTS as f64;
        let clipped = from > query.from;
        if step <= RAW_STEP as f64 {
            return Self { source: Source::Samples, bucket: None, from, to: query.to, clipped };
        }
        let fits = |bucket: &&i64| **bucket as f64 >= step;
        let bucket = BUCKETS.iter().find(fits).copied().unwrap_or(BUCKETS[BUCKETS.len() - 1]);
        Self {
            source: Source::Aggregates(Level::Minute),
            bucket: Some(bucket),
            from: first_edge(from, query.to, bucket),
            to: query.to,
            clipped,
        }
    }
}

/// The coarsest level that divides the bucket.
fn source_of(bucket: i64) -> Source {
    let divides = |level: &Level| bucket % level.width().num_seconds() == 0;
    Source::Aggregates(Level::ALL.into_iter().rev().find(divides).unwrap_or(Level::Minute))
}

/// The edge at or before `from`, or the one after it when there would be a bucket too many.
fn first_edge(from: DateTime<Utc>, to: DateTime<Utc>, bucket: i64) -> DateTime<Utc> {
    let width = TimeDelta::seconds(bucket);
    let edge = floor(from, width);
    let too_many = (to - edge).num_milliseconds() > MAX_POINTS * width.num_milliseconds();
    if too_many { edge + width } else { edge }
}

/// The last multiple of `width` since the Unix epoch at or before `at`.
pub(in crate::metrics) fn floor(at: DateTime<Utc>, width: TimeDelta) -> DateTime<Utc> {
    let width = width.num_milliseconds().max(1);
    let millis = at.timestamp_millis();
    DateTime::from_timestamp_millis(millis - millis.rem_euclid(width)).unwrap_or(at)
}
