use std::io;
use std::thread;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Every value of a histogram is kept until it is put into its bucket: 70 MB an hour at a thousand values per second.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

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

/// Starts collecting metrics in this process. A thread keeps what was collected small, whether anybody reads it or not.
///
/// # Errors
/// When a collector was installed before, or the system grants no thread.
pub fn init_metrics() -> io::Result<MetricsPage> {
    let page = PrometheusBuilder::new().install_recorder().map(MetricsPage).map_err(io::Error::other)?;
    let handle = page.0.clone();
    thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(move || {
        loop {
            thread::sleep(UPKEEP_EVERY);
            handle.run_upkeep();
        }
    })?;
    Ok(page)
}
