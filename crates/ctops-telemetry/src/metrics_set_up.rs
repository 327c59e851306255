use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

/// Renders all metrics of this process as Prometheus text (exposition format 0.0.4).
#[derive(Clone)]
pub struct MetricsPage(PrometheusHandle);

impl MetricsPage {
    /// The page.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

/// Starts collecting metrics in this process.
///
/// # Errors
/// When a collector was installed before.
pub fn init_metrics() -> Result<MetricsPage, BuildError> {
    PrometheusBuilder::new().install_recorder().map(MetricsPage)
}
