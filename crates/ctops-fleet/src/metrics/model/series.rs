//! From rows to the points of a chart (monitoring 8, 9, 11, 12).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{MAX_POINTS, Metric, Plan, floor};

/// Lines bridge no more than this many buckets (monitoring 9).
const BRIDGED: i32 = 2;

/// One row of an answer of the database: one bucket of one label, with a figure per metric.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(in crate::metrics) struct Row {
    pub(in crate::metrics) label: String,
    pub(in crate::metrics) at: DateTime<Utc>,
    pub(in crate::metrics) average: Vec<Option<f64>>,
    pub(in crate::metrics) low: Vec<Option<i64>>,
    pub(in crate::metrics) high: Vec<Option<i64>>,
}

/// One point; without figures it is a gap that lines do not bridge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Begin of the bucket, or the moment of the sample.
    pub at: DateTime<Utc>,
    /// Average, lowest, highest.
    pub figures: Option<[f64; 3]>,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name of the metric.
    pub metric: &'static str,
    /// What the label means, and the label: mount point or interface.
    pub label: Option<(&'static str, String)>,
    /// Points, oldest first.
    pub points: Vec<Point>,
}

/// An answer about metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Seconds; none for samples as they are.
    pub bucket_seconds: Option<i64>,
    /// `raw`, `1m`, `1h` or `1d`.
    pub source: &'static str,
    /// Begin.
    pub from: DateTime<Utc>,
    /// End.
    pub to: DateTime<Utc>,
    /// The begin asked for lies before what is kept.
    pub clipped: bool,
    /// Lines, ordered by metric and label.
    pub series: Vec<Series>,
}

/// The time between two heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, sqlx::FromRow)]
pub struct Gap {
    /// The later heartbeat, or the begin of its bucket.
    pub at: DateTime<Utc>,
    /// Seconds since the one before; the longest in the bucket.
    pub seconds: f64,
}

/// An answer about the gaps between heartbeats.
#[derive(Clone, Debug, PartialEq)]
pub struct GapChart {
    /// Seconds; none for every heartbeat.
    pub bucket_seconds: Option<i64>,
    /// `raw` or `1m`.
    pub source: &'static str,
    /// Begin.
    pub from: DateTime<Utc>,
    /// End.
    pub to: DateTime<Utc>,
    /// The begin asked for lies before what is kept.
    pub clipped: bool,
    /// Gaps, oldest first.
    pub points: Vec<Gap>,
}

/// A time without a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflinePeriod {
    /// When it began.
    pub from: DateTime<Utc>,
    /// When it ended; none while it lasts.
    pub to: Option<DateTime<Utc>>,
    /// Why, as the agent's history says.
    pub reason: String,
}

/// The lines of metrics of one family, and the width of their buckets. Samples that are more than a series may have are
/// put into buckets of their own.
pub(in crate::metrics) fn series_of(
    metrics: &[&'static Metric],
    rows: &[Row],
    plan: &Plan,
    usual_pause: TimeDelta,
) -> (Vec<Series>, Option<i64>) {
    let mut lines: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        lines.entry(row.label.as_str()).or_default().push(row);
    }
    let longest = lines.values().map(Vec::len).max().unwrap_or(0) as i64;
    let thin = plan.bucket.is_none() && longest > MAX_POINTS;
    let step = thin
        .then(|| (plan.to - plan.from).num_seconds().max(1).cast_unsigned().div_ceil(MAX_POINTS as u64 - 1));
    let bucket = plan.bucket.or(step.map(u64::cast_signed));
    // An agent that reports every 5 minutes leaves most buckets of a minute empty without being silent.
    let bridge = bucket.map_or(usual_pause, |seconds| usual_pause.max(TimeDelta::seconds(seconds))) * BRIDGED;
    let mut all = Vec::new();
    for (index, metric) in metrics.iter().enumerate() {
        for (label, rows) in &lines {
            let mut points: Vec<Point> =
                rows.iter().filter_map(|row| point(row, index, metric.scale)).collect();
            if let Some(step) = step {
                points = thinned(&points, TimeDelta::seconds(step.cast_signed()));
            }
            if !points.is_empty() {
                let label = metric.family.label.map(|name| (name, (*label).to_owned()));
                all.push(Series { metric: metric.name, label, points: with_gaps(points, bridge) });
            }
        }
    }
    (all, bucket)
}

fn point(row: &Row, index: usize, scale: f64) -> Option<Point> {
    let whole = |value: &Option<i64>| value.map(|value| value as f64);
    let figures = [
        row.average.get(index).copied().flatten()?,
        row.low.get(index).and_then(whole)?,
        row.high.get(index).and_then(whole)?,
    ];
    // Hundredths of the unit are what was measured.
    Some(Point { at: row.at, figures: Some(figures.map(|figure| (figure / scale * 100.0).round() / 100.0)) })
}

/// Samples in buckets. Each counts once, so averages are exact.
fn thinned(points: &[Point], width: TimeDelta) -> Vec<Point> {
    let mut buckets: BTreeMap<DateTime<Utc>, (f64, [f64; 3])> = BTreeMap::new();
    for point in points {
        let Some([average, low, high]) = point.figures else { continue };
        let (count, sums) =
            buckets.entry(floor(point.at, width)).or_insert((0.0, [0.0, f64::INFINITY, f64::NEG_INFINITY]));
        *count += 1.0;
        *sums = [sums[0] + average, sums[1].min(low), sums[2].max(high)];
    }
    let point = |(at, (count, [sum, low, high])): (DateTime<Utc>, (f64, [f64; 3]))| Point {
        at,
        figures: Some([(sum / count * 100.0).round() / 100.0, low, high]),
    };
    buckets.into_iter().map(point).collect()
}

/// Puts a point without figures where lines must end.
fn with_gaps(points: Vec<Point>, bridge: TimeDelta) -> Vec<Point> {
    let mut all: Vec<Point> = Vec::with_capacity(points.len());
    for point in points {
        if let Some(before) = all.last().copied()
            && point.at - before.at > bridge
        {
            all.push(Point { at: before.at + bridge / BRIDGED, figures: None });
        }
        all.push(point);
    }
    all
}

/// The longest gap of each bucket.
pub(in crate::metrics) fn gaps_by_bucket(gaps: Vec<Gap>, plan: &Plan) -> (Vec<Gap>, Option<i64>) {
    let too_many = gaps.len() as i64 > MAX_POINTS;
    let step = || (plan.to - plan.from).num_seconds() / (MAX_POINTS - 1) + 1;
    let bucket = plan.bucket.or_else(|| too_many.then(step));
    let Some(seconds) = bucket else { return (gaps, None) };
    let mut longest: BTreeMap<DateTime<Utc>, f64> = BTreeMap::new();
    for gap in gaps {
        let most = longest.entry(floor(gap.at, TimeDelta::seconds(seconds)).max(plan.from)).or_insert(0.0);
        *most = most.max(gap.seconds);
    }
    (longest.into_iter().map(|(at, seconds)| Gap { at, seconds }).collect(), bucket)
}

/// The times without a connection within a window, from an agent's history, oldest first: status, moment, reason.
pub(in crate::metrics) fn offline_periods(
    history: &[(String, DateTime<Utc>, String)],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Vec<OfflinePeriod> {
    let mut periods = Vec::new();
    let mut open: Option<OfflinePeriod> = None;
    for (status, at, reason) in history {
        let is_offline = matches!(status.as_str(), "offline" | "revoked");
        match &mut open {
            None if is_offline => {
                open = Some(OfflinePeriod { from: *at, to: None, reason: reason.clone() });
            }
            Some(_) if status == "active" => {
                periods.extend(open.take().map(|period| OfflinePeriod { to: Some(*at), ..period }));
            }
            _ => {}
        }
    }
    periods.extend(open);
    periods.retain(|period| period.from < to && period.to.is_none_or(|end| end > from));
    periods
}
