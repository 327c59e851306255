//! Clocks that stand still, and waiting without guessing how long.

use std::panic::Location;
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use ctops_base::Clock;
use tokio::time::{Instant, sleep};

/// How often waiting looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The moment at which the time of a test begins: noon of a working day, far from every change of date.
pub fn start_time() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 3, 12, 0, 0).unwrap()
}

/// A clock that stands at [`start_time`] until it is advanced.
pub fn a_clock() -> Clock {
    Clock::manual(start_time())
}

/// Waits until `condition` holds.
///
/// # Panics
/// At the line of the caller, when it does not hold within `limit`.
#[track_caller]
pub fn wait_until<C, F>(limit: Duration, mut condition: C) -> impl Future<Output = ()>
where
    C: FnMut() -> F,
    F: Future<Output = bool>,
{
    wait_for(limit, move || {
        let holds = condition();
        async move { holds.await.then_some(()) }
    })
}

/// Waits until `attempt` gives a value, and returns it.
///
/// # Panics
/// At the line of the caller, when there is none within `limit`.
#[track_caller]
pub fn wait_for<T, C, F>(limit: Duration, mut attempt: C) -> impl Future<Output = T>
where
    C: FnMut() -> F,
    F: Future<Output = Option<T>>,
{
    let caller = Location::caller();
    async move {
        let end = Instant::now() + limit;
        loop {
            // An attempt that hangs must not outlast the limit either.
            if let Ok(Some(value)) = tokio::time::timeout_at(end, attempt()).await {
                return value;
            }
            assert!(Instant::now() < end, "what {caller} waits for did not happen within {limit:?}");
            sleep(LOOK_AGAIN).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn wait_for_returns_the_first_value() {
        let count = Cell::new(0);
        let value = wait_for(Duration::from_secs(5), || async {
            count.set(count.get() + 1);
            (count.get() == 3).then_some("third")
        });
        assert_eq!((value.await, count.get()), ("third", 3));
    }

    #[tokio::test]
    async fn wait_until_past_the_limit_panics_with_the_line_of_the_caller() {
        let waiting = tokio::spawn(wait_until(Duration::from_millis(30), std::future::pending::<bool>));
        let panic = waiting.await.unwrap_err().into_panic();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("time.rs:") && text.contains("30ms"), "{text}");
    }
}
