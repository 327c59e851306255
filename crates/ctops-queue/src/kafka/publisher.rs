//! Records on their way to the brokers.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use metrics::counter;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::membership::log_line;
use super::options::KafkaOptions;
use super::reachability::Reachability;
use super::{failed, identity};
use crate::measure;
use crate::queue::{MAX_RECORD_BYTES, PublishError, QueueError};
use crate::topic::Topic;

/// How long a publisher waits when the client library takes no more records although the budget has room.
const ROOM_AGAIN: Duration = Duration::from_millis(10);

type Client = ThreadedProducer<Deliveries>;

/// Publishes; cheap to clone.
#[derive(Clone)]
pub(super) struct Publisher {
    shared: Arc<Shared>,
}

struct Shared {
    options: KafkaOptions,
    /// Replaced after an error that ends an idempotent producer.
    client: RwLock<Arc<Client>>,
    budgets: HashMap<Topic, Arc<Semaphore>>,
    reachability: Arc<Reachability>,
}

/// What the client library tells about records and brokers.
pub(super) struct Deliveries {
    reachability: Arc<Reachability>,
}

/// Travels with a record. The room is given back when the record is not under way any more, whether or not its publisher
/// still waits.
pub(super) struct Ticket {
    done: oneshot::Sender<Result<(), KafkaError>>,
    _room: OwnedSemaphorePermit,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.reachability.set(false);
        }
        tracing::debug!(%error, reason, "The brokers reported an error");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Self::DeliveryOpaque) {
        let outcome = match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.clone()),
        };
        // A record that is too large says nothing about the brokers.
        let refused =
            outcome.as_ref().is_err_and(|error| code(error) != RDKafkaErrorCode::MessageSizeTooLarge);
        self.reachability.set(!refused);
        // The publisher may have given up.
        let _ = ticket.done.send(outcome);
    }
}

impl Publisher {
    pub(super) fn new(options: &KafkaOptions, reachability: Arc<Reachability>) -> Result<Self, QueueError> {
        let budget = || Arc::new(Semaphore::new(options.max_pending_bytes));
        let budgets = options.topics.iter().map(|topic| (*topic, budget())).collect();
        let client = connect(options, &reachability).map_err(failed("start a publisher"))?;
        let options = options.clone();
        let shared = Shared { options, client: RwLock::new(Arc::new(client)), budgets, reachability };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Sends the records in order and waits until the brokers have all of them.
    pub(super) async fn publish(
        &self,
        topic: Topic,
        name: &str,
        records: Vec<(Bytes, Bytes)>,
    ) -> Result<(), PublishError> {
        let Some(budget) = self.shared.budgets.get(&topic) else {
            return Err(PublishError::UnknownTopic(topic));
        };
        let mut stored = Vec::with_capacity(records.len());
        let mut sizes = Vec::with_capacity(records.len());
        for (key, payload) in records {
            let size = key.len() + payload.len();
            let room = Arc::clone(budget).acquire_many_owned(self.shared.options.room_for(size)).await;
            let room = room.map_err(|_| PublishError::Closed)?;
            let (done, waiting) = oneshot::channel();
            let ticket = Box::new(Ticket { done, _room: room });
            self.send(name, &key, &payload, ticket)
                .await
                .map_err(|error| self.refusal(topic, size, error))?;
            stored.push(waiting);
            sizes.push(size);
        }
        let count = stored.len();
        for (waiting, size) in stored.into_iter().zip(sizes) {
            let outcome = waiting.await.unwrap_or(Err(KafkaError::Canceled));
            outcome.map_err(|error| self.refusal(topic, size, error))?;
        }
        counter!(measure::PUBLISHED, "topic" => topic.name()).increment(count as u64);
        Ok(())
    }

    async fn send(
        &self,
        name: &str,
        key: &Bytes,
        payload: &Bytes,
        mut ticket: Box<Ticket>,
    ) -> Result<(), KafkaError> {
        loop {
            let sent = {
                let record = BaseRecord::with_opaque_to(name, ticket).key(&key[..]).payload(&payload[..]);
                let sent = self.client().send(record);
                sent.map_err(|(error, record)| (error, record.delivery_opaque))
            };
            match sent {
                Ok(()) => return Ok(()),
                Err((error, back)) if code(&error) == RDKafkaErrorCode::QueueFull => {
                    ticket = back;
                    tokio::time::sleep(ROOM_AGAIN).await;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    fn refusal(&self, topic: Topic, size: usize, error: KafkaError) -> PublishError {
        counter!(measure::STORE_FAILED, "topic" => topic.name()).increment(1);
        self.replace_if_ended();
        match code(&error) {
            RDKafkaErrorCode::MessageSizeTooLarge => {
                PublishError::TooLarge { topic, size, limit: MAX_RECORD_BYTES }
            }
            _ if self.is_closed() => PublishError::Closed,
            _ => PublishError::Unavailable { topic, source: Arc::new(error) },
        }
    }

    /// An idempotent producer that met a contradiction takes no records any more (KIP-98). A new one starts over; records
    /// of the old one that are under way are reported as not stored.
    fn replace_if_ended(&self) {
        let ended = self.client();
        let Some((code, reason)) = ended.client().fatal_error() else {
            return;
        };
        let mut current = self.shared.client.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, &ended) {
            return;
        }
        match connect(&self.shared.options, &self.shared.reachability) {
            Ok(client) => {
                tracing::error!(%code, reason, "The publisher had to start over");
                *current = Arc::new(client);
            }
            Err(error) => tracing::error!(%code, %error, "The publisher ended and cannot start over"),
        }
        drop(current);
        // Dropping waits for the library's threads.
        std::thread::spawn(move || drop(ended));
    }

    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.shared.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_closed(&self) -> bool {
        self.shared.budgets.values().any(|budget| budget.is_closed())
    }

    /// Takes no more records and waits for those under way.
    pub(super) async fn close(&self, limit: Duration) {
        self.shared.budgets.values().for_each(|budget| budget.close());
        let client = self.client();
        let flushed = tokio::task::spawn_blocking(move || client.flush(limit)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!(
                "Some records were not stored before the queue was closed; nobody was told they were"
            );
        }
    }

    /// Asks the brokers which log a topic is. Waits for them.
    pub(super) fn log_id(&self, name: &str) -> Result<Arc<str>, QueueError> {
        identity::log_id(self.client().client(), name)
    }

    /// Whether any broker answers. Waits for it.
    pub(super) fn brokers_answer(&self, limit: Duration) -> bool {
        let topic = self.shared.options.topics.first().map(|topic| self.shared.options.topic_name(*topic));
        self.client().client().fetch_metadata(topic.as_deref(), limit).is_ok()
    }
}

fn connect(options: &KafkaOptions, reachability: &Arc<Reachability>) -> Result<Client, KafkaError> {
    let context = Deliveries { reachability: Arc::clone(reachability) };
    Client::from_config_and_context(&options.publishing(), context)
}

fn code(error: &KafkaError) -> RDKafkaErrorCode {
    error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)
}
