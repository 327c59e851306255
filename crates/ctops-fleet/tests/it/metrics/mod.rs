//! Metrics: samples, aggregates, charts, retention.

mod charts;
mod property;
mod retention;
mod rollup;
mod samples;
mod support;
mod timescale;
