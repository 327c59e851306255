//! Logs and metrics: set-up.

mod logs;
mod metrics_set_up;

pub use logs::{LogFormat, init_logs};
pub use metrics_set_up::{MetricsPage, init_metrics};
