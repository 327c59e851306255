//! Brokers that speak the Kafka API inside the test; other processes reach them over loopback while the test lives.

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer};

/// Topics of the product (deployment 1).
const TOPICS: [&str; 4] = ["metrics.raw", "agent.status", "events.raw", "alerts.pending"];
/// Partitions of each.
const PARTITIONS: i32 = 4;

/// A cluster of one broker.
pub(crate) struct Brokers {
    _owner: BaseProducer,
    pub(crate) addresses: String,
}

impl Brokers {
    /// A cluster with all topics.
    pub(crate) fn start() -> Self {
        let owner: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", "replaced by the one inside")
            .set("test.mock.num.brokers", "1")
            .create()
            .unwrap();
        let cluster = owner.client().mock_cluster().unwrap();
        for topic in TOPICS {
            cluster.create_topic(topic, PARTITIONS, 1).unwrap();
        }
        let addresses = cluster.bootstrap_servers();
        drop(cluster);
        Self { _owner: owner, addresses }
    }
}
