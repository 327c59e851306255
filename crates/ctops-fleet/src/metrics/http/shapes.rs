//! Questions and answers as JSON.

use std::collections::BTreeMap;

use ctops_slice::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::metrics::model::{
    Chart, ChartInput, GapChart, Kept, LIMIT_DAYS, OfflinePeriod, Point, Series, Storage,
};

/// Which metrics, and of which time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::metrics) struct ChartParams {
    /// Names separated by commas: `cpu`, `memory`, `disk`, `swap` and `mount_disk` (percent), `load1`, `load5`,
    /// `load15`, `processes`, `network_receive` and `network_transmit` (bytes per second), `network_receive_errors` and
    /// `network_transmit_errors` (per second). `cpu,memory,disk` without.
    metrics: Option<String>,
    /// `1h`, `6h`, `24h` (default), `7d`, `30d`, `90d`, `180d` or `365d` up to now.
    range: Option<String>,
    /// Begin, together with `to` and instead of `range`.
    from: Option<String>,
    /// End, at most 366 days after `from`.
    to: Option<String>,
    /// `auto`.
    bucket: Option<String>,
}

impl ChartParams {
    pub(super) fn input(&self) -> ChartInput<'_> {
        ChartInput {
            metrics: self.metrics.as_deref(),
            range: self.range.as_deref(),
            from: self.from.as_deref(),
            to: self.to.as_deref(),
            bucket: self.bucket.as_deref(),
        }
    }
}

/// Which time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::metrics) struct WindowParams {
    /// `1h`, `6h`, `24h` (default), `7d`, `30d`, `90d`, `180d` or `365d` up to now.
    range: Option<String>,
    /// Begin, together with `to` and instead of `range`.
    from: Option<String>,
    /// End, at most 366 days after `from`.
    to: Option<String>,
}

impl WindowParams {
    pub(super) fn input(&self) -> ChartInput<'_> {
        ChartInput {
            range: self.range.as_deref(),
            from: self.from.as_deref(),
            to: self.to.as_deref(),
            ..ChartInput::default()
        }
    }
}

/// Charts of one host.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HostMetrics)]
pub(in crate::metrics) struct ChartBody {
    /// Width of a point; null for samples as they are.
    bucket_seconds: Option<i64>,
    /// Where the points come from: `raw`, `1m`, `1h` or `1d`.
    source: &'static str,
    /// Begin, on the edge of a bucket.
    from: Timestamp,
    to: Timestamp,
    /// The begin asked for lies before what is kept.
    clipped: bool,
    series: Vec<SeriesBody>,
}

/// One line.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MetricSeries)]
pub(in crate::metrics) struct SeriesBody {
    metric: &'static str,
    /// `mount_point` or `interface` with its name; empty for the whole host.
    labels: BTreeMap<&'static str, String>,
    /// `[time, average, lowest, highest]`, oldest first; nulls where the line ends.
    points: Vec<PointBody>,
}

/// `[time, average, lowest, highest]`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MetricPoint)]
pub(in crate::metrics) struct PointBody(Timestamp, Option<f64>, Option<f64>, Option<f64>);

impl From<Point> for PointBody {
    fn from(point: Point) -> Self {
        let [average, low, high] = point.figures.map_or([None; 3], |figures| figures.map(Some));
        Self(point.at.into(), average, low, high)
    }
}

impl From<Series> for SeriesBody {
    fn from(series: Series) -> Self {
        Self {
            metric: series.metric,
            labels: series.label.into_iter().collect(),
            points: series.points.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Chart> for ChartBody {
    fn from(chart: Chart) -> Self {
        Self {
            bucket_seconds: chart.bucket_seconds,
            source: chart.source,
            from: chart.from.into(),
            to: chart.to.into(),
            clipped: chart.clipped,
            series: chart.series.into_iter().map(Into::into).collect(),
        }
    }
}

/// Time between heartbeats.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeartbeatGaps)]
pub(in crate::metrics) struct GapsBody {
    /// Width of a point; null for every heartbeat.
    bucket_seconds: Option<i64>,
    /// `raw` or `1m`.
    source: &'static str,
    from: Timestamp,
    to: Timestamp,
    /// The begin asked for lies before what is kept.
    clipped: bool,
    /// `[time, seconds]`, oldest first.
    points: Vec<GapBody>,
}

/// `[time, seconds]`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeartbeatGap)]
pub(in crate::metrics) struct GapBody(Timestamp, f64);

impl From<GapChart> for GapsBody {
    fn from(chart: GapChart) -> Self {
        Self {
            bucket_seconds: chart.bucket_seconds,
            source: chart.source,
            from: chart.from.into(),
            to: chart.to.into(),
            clipped: chart.clipped,
            points: chart.points.into_iter().map(|gap| GapBody(gap.at.into(), gap.seconds)).collect(),
        }
    }
}

/// Times without a connection, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OfflinePeriods)]
pub(in crate::metrics) struct OfflineBody {
    items: Vec<OfflineItem>,
}

/// One time without a connection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OfflinePeriod)]
pub(in crate::metrics) struct OfflineItem {
    from: Timestamp,
    /// Null while it lasts.
    to: Option<Timestamp>,
    reason: String,
}

impl From<Vec<OfflinePeriod>> for OfflineBody {
    fn from(periods: Vec<OfflinePeriod>) -> Self {
        let item = |period: OfflinePeriod| OfflineItem {
            from: period.from.into(),
            to: period.to.map(Into::into),
            reason: period.reason,
        };
        Self { items: periods.into_iter().map(item).collect() }
    }
}

/// How long metrics are kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RetentionSettings)]
pub(in crate::metrics) struct RetentionBody {
    metric_retention_days: i32,
    /// The most that can be set.
    limit_days: i32,
    resolutions: Vec<ResolutionBody>,
}

/// What is kept of one resolution.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RetentionResolution)]
pub(in crate::metrics) struct ResolutionBody {
    /// `raw`, `1m`, `1h` or `1d`.
    resolution: &'static str,
    /// Days it is kept for this organisation.
    days: i32,
    /// Rows of the whole installation, an estimate once there are many; null before the first count.
    rows: Option<i64>,
    /// Bytes with indexes.
    bytes: Option<i64>,
    oldest_sample_at: Option<Timestamp>,
    /// When rows and bytes were counted.
    measured_at: Option<Timestamp>,
}

impl From<Storage> for RetentionBody {
    fn from(storage: Storage) -> Self {
        let resolution = |kept: Kept| ResolutionBody {
            resolution: kept.source.name(),
            days: kept.days,
            rows: kept.amount.as_ref().map(|amount| amount.rows),
            bytes: kept.amount.as_ref().map(|amount| amount.bytes),
            oldest_sample_at: kept.amount.as_ref().and_then(|amount| amount.oldest_at).map(Into::into),
            measured_at: kept.amount.map(|amount| amount.measured_at.into()),
        };
        Self {
            metric_retention_days: storage.retention.days,
            limit_days: LIMIT_DAYS,
            resolutions: storage.kept.into_iter().map(resolution).collect(),
        }
    }
}

/// How long metrics are to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RetentionSettingsInput)]
pub(in crate::metrics) struct RetentionInput {
    /// 1 to 180; up to 365 with the feature `metricRetentionExtended`.
    pub(super) metric_retention_days: i64,
}
