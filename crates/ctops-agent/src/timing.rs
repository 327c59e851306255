//! Every waiting time of the agent in one value, so that tests can shorten them.

use std::time::Duration;

use ctops_proto::limits;

/// Waiting times and limits in time.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Between two heartbeats (agents-enrolment 26: 5 to 300 s).
    pub heartbeat: Duration,
    /// Between two `Register` calls while the registration is pending (agents-enrolment 9).
    pub pending_poll: Duration,
    /// The same after a server that waited for the approval inside the call.
    pub waited_pause: Duration,
    /// How long the server may hold a pending `Register` call, seconds.
    pub wait_seconds: u32,
    /// First step of the back-off; it doubles from there (agents-enrolment 26).
    pub backoff_first: Duration,
    /// Largest step of the back-off.
    pub backoff_cap: Duration,
    /// A stream that lived this long resets the back-off.
    pub stable_after: Duration,
    /// Age at which the JWT (24 h) is replaced while the stream is open.
    pub token_refresh: Duration,
    /// Between two attempts to renew the certificate or to replace the JWT after a failure.
    pub errand_retry: Duration,
    /// For name resolution, TCP, TLS and the first bytes of HTTP/2 together.
    pub dial: Duration,
    /// For one answer of the server.
    pub answer: Duration,
    /// For the server's last words after this side closed a stream; an exit takes at most 2 s.
    pub farewell: Duration,
    /// Between two messages with buffered samples.
    pub delivery_pause: Duration,
    /// For the first answered heartbeat of an updated program (agents-enrolment 29).
    pub health_window: Duration,
    /// For one attempt to download an update.
    pub download: Duration,
    /// For a downloaded program to tell its version.
    pub first_look: Duration,
    /// Between two attempts to download an update.
    pub update_retry: Duration,
    /// Between two looks at what the agent itself uses.
    pub watchdog: Duration,
    /// Over which the agent's use of the processor is averaged.
    pub watchdog_average: Duration,
    /// Age before which the agent does not restart itself for using too much.
    pub watchdog_rest: Duration,
}

impl Timing {
    /// The values of the product, with heartbeats every `heartbeat`.
    pub fn standard(heartbeat: Duration) -> Self {
        Self {
            heartbeat,
            pending_poll: Duration::from_secs(30),
            waited_pause: Duration::from_secs(1),
            wait_seconds: limits::MAX_REGISTER_WAIT_SECS,
            backoff_first: Duration::from_secs(1),
            backoff_cap: Duration::from_secs(60),
            stable_after: Duration::from_secs(10),
            token_refresh: Duration::from_secs(20 * 3600),
            errand_retry: Duration::from_secs(3600),
            dial: Duration::from_secs(15),
            answer: Duration::from_secs(60),
            farewell: Duration::from_millis(1500),
            delivery_pause: Duration::from_secs(2),
            health_window: Duration::from_secs(120),
            download: Duration::from_secs(600),
            first_look: Duration::from_secs(10),
            update_retry: Duration::from_secs(60),
            watchdog: Duration::from_secs(15),
            watchdog_average: Duration::from_secs(300),
            watchdog_rest: Duration::from_secs(600),
        }
    }

    /// Silence of the server after which a stream counts as dead although the connection answers pings.
    pub fn silence(&self) -> Duration {
        self.heartbeat * 5 + self.answer
    }
}
