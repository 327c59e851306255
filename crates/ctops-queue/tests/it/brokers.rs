//! Brokers for tests: those named by `CT_OPS_TEST_BROKERS`, else ones that live inside the test.

use std::sync::Arc;
use std::time::Duration;

use ctops_queue::Topic;
use ctops_queue::kafka::{KafkaOptions, KafkaQueue};
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer};

/// Brokers with topics of their own for one test.
pub(crate) struct Brokers {
    inside: Option<BaseProducer>,
    addresses: String,
    prefix: String,
    partitions: u32,
}

impl Brokers {
    /// Any brokers; topics have this many partitions.
    pub(crate) fn any(partitions: u32) -> Self {
        let Ok(addresses) = std::env::var("CT_OPS_TEST_BROKERS") else {
            return Self::inside(1, partitions);
        };
        let prefix = format!("test-{}.", ctops_base::id::new_id().simple());
        Self { inside: None, addresses, prefix, partitions }
    }

    /// Brokers inside this process, whose faults can be scripted.
    pub(crate) fn inside(count: u32, partitions: u32) -> Self {
        let inside: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", "replaced by those inside")
            .set("test.mock.num.brokers", count.to_string())
            .create()
            .unwrap();
        without_join_delay(&inside);
        let mock = inside.client().mock_cluster().unwrap();
        for topic in Topic::ALL {
            mock.create_topic(topic.name(), partitions.cast_signed(), count.cast_signed()).unwrap();
        }
        let addresses = mock.bootstrap_servers();
        drop(mock);
        Self { inside: Some(inside), addresses, prefix: String::new(), partitions }
    }

    /// The brokers' scripts.
    pub(crate) fn script(&self) -> MockCluster<'_, DefaultProducerContext> {
        self.inside.as_ref().unwrap().client().mock_cluster().unwrap()
    }

    pub(crate) fn options(&self) -> KafkaOptions {
        // Real brokers refuse shorter sessions than 6 s.
        let session_timeout = Duration::from_secs(if self.inside.is_some() { 2 } else { 6 });
        KafkaOptions {
            prefix: self.prefix.clone(),
            partitions: self.partitions,
            session_timeout,
            heartbeat: Duration::from_millis(100),
            ..KafkaOptions::new(self.addresses.clone())
        }
    }

    pub(crate) async fn queue(&self) -> Arc<KafkaQueue> {
        Arc::new(KafkaQueue::open(self.options()).await.unwrap())
    }
}

/// Brokers let the first member of a group wait three seconds for others.
#[expect(unsafe_code, reason = "the Rust layer of the client library has no call for this")]
fn without_join_delay(inside: &BaseProducer) {
    use rdkafka::bindings::{rd_kafka_handle_mock_cluster, rd_kafka_mock_group_initial_rebalance_delay_ms};
    // SAFETY: the client is alive and owns the cluster.
    unsafe {
        let cluster = rd_kafka_handle_mock_cluster(inside.client().native_ptr());
        assert!(!cluster.is_null());
        rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
    }
}
