//! System tests: the built programs together, as a customer runs them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod certificates;
mod cleanup;
mod commands;
mod crash;
mod doctor;
mod drain;
mod enrolment;
mod faults;
mod hostile;
mod journey;
mod liveness;
mod nodes;
mod refusal;
mod roles;
mod secrecy;
mod support;
mod update;
