//! Publish and consume: the queue contract, the embedded log and the consumer runner.
