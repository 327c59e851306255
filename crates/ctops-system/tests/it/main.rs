//! System tests: the built programs together, as a customer runs them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod crash;
mod enrolment;
mod hostile;
mod journey;
mod liveness;
mod refusal;
mod secrecy;
mod support;
