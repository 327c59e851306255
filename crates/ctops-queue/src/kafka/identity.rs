//! Which log a topic is. The client library knows the id of a topic, but its Rust layer does not hand it out, so this is
//! the one place that speaks to the library itself.
#![expect(unsafe_code, reason = "the Rust layer of the client library has no call that returns topic ids")]

use std::ffi::CString;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::bindings as native;
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataBroker;
use uuid::Uuid;

use super::{ANSWER_LIMIT, failed};
use crate::queue::QueueError;

const ACTION: &str = "ask the brokers for their identity";

/// `<cluster id>/<topic id>`: both change when brokers are replaced, the second also when a topic is made anew. Brokers
/// that give topics no id (KIP-516) are told apart by the cluster only. Waits for the brokers.
pub(super) fn log_id<C: ClientContext>(client: &Client<C>, topic: &str) -> Result<Arc<str>, QueueError> {
    // Any broker can tell; one that is listed is alive.
    let metadata = client.fetch_metadata(Some(topic), ANSWER_LIMIT).map_err(failed(ACTION))?;
    let broker = metadata.brokers().first().map_or(-1, MetadataBroker::id);
    let cluster = client
        .fetch_cluster_id(ANSWER_LIMIT)
        .ok_or_else(|| failed(ACTION)(KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut)))?;
    let id = topic_id(client, broker, topic).map_err(failed(ACTION))?;
    Ok(if id.is_nil() { cluster.into() } else { format!("{cluster}/{}", id.simple()).into() })
}

/// The id that the brokers gave the topic; nil when they give none.
fn topic_id<C: ClientContext>(client: &Client<C>, broker: i32, topic: &str) -> Result<Uuid, KafkaError> {
    let name = CString::new(topic).map_err(KafkaError::from)?;
    let call = Call::start(client.native_ptr(), broker, &name);
    // SAFETY: the queue lives as long as `call`, and so does the event taken from it.
    let answer = unsafe { native::rd_kafka_queue_poll(call.queue, millis(ANSWER_LIMIT)) };
    if answer.is_null() {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut));
    }
    let answer = Answer(answer);
    // SAFETY: the event is the answer to the only request on this queue; everything read belongs to the event.
    unsafe {
        let error = native::rd_kafka_event_error(answer.0);
        if error != native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(KafkaError::MetadataFetch(error.into()));
        }
        let mut count = 0;
        let result = native::rd_kafka_event_DescribeTopics_result(answer.0);
        if result.is_null() {
            return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::Fail));
        }
        let topics = native::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if topics.is_null() || count != 1 {
            return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::Fail));
        }
        let error = native::rd_kafka_error_code(native::rd_kafka_TopicDescription_error(*topics));
        if error != native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(KafkaError::MetadataFetch(error.into()));
        }
        let id = native::rd_kafka_TopicDescription_topic_id(*topics);
        let most = native::rd_kafka_Uuid_most_significant_bits(id).cast_unsigned();
        let least = native::rd_kafka_Uuid_least_significant_bits(id).cast_unsigned();
        Ok(Uuid::from_u64_pair(most, least))
    }
}

/// A request under way, with the queue its answer arrives on.
struct Call {
    queue: *mut native::rd_kafka_queue_t,
}

impl Call {
    fn start(client: *mut native::rd_kafka_t, broker: i32, topic: &CString) -> Self {
        // SAFETY: the client outlives the call; what is made here is freed here or by `drop`, and the library copies the
        // options and the names.
        unsafe {
            let queue = native::rd_kafka_queue_new(client);
            let options = native::rd_kafka_AdminOptions_new(
                client,
                native::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            );
            let limit = millis(ANSWER_LIMIT);
            native::rd_kafka_AdminOptions_set_request_timeout(options, limit, ptr::null_mut(), 0);
            native::rd_kafka_AdminOptions_set_broker(options, broker, ptr::null_mut(), 0);
            let mut names = [topic.as_ptr()];
            let topics = native::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
            native::rd_kafka_DescribeTopics(client, topics, options, queue);
            native::rd_kafka_TopicCollection_destroy(topics);
            native::rd_kafka_AdminOptions_destroy(options);
            Self { queue }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // SAFETY: made in `start` and not used after this.
        unsafe { native::rd_kafka_queue_destroy(self.queue) }
    }
}

struct Answer(*mut native::rd_kafka_event_t);

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: taken from the queue once and not used after this.
        unsafe { native::rd_kafka_event_destroy(self.0) }
    }
}

fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}
