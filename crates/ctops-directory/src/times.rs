//! Moments as directories write them.

use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta, Utc};

/// 1601-01-01 to 1970-01-01, seconds: where file times begin.
const FILE_TIME_EPOCH_S: i64 = 11_644_473_600;
/// File times that mean never ([MS-ADTS]: accountExpires, msDS-UserPasswordExpiryTimeComputed).
const NEVER: i64 = i64::MAX;

/// Generalized time (RFC 4517 section 3.3.13): to the hour, minute or second, with a fraction and an offset.
pub(crate) fn generalized_time(text: &str) -> Option<DateTime<Utc>> {
    let zone_at = text.find(['Z', '+', '-'])?;
    let (moment, zone) = text.split_at(zone_at);
    let offset_s = offset(zone)?;
    let (digits, fraction) = match moment.split_once(['.', ',']) {
        Some((digits, fraction)) => (digits, Some(fraction)),
        None => (moment, None),
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<u32>().ok();
    let (minute, second, unit_s) = match digits.len() {
        10 => (0, 0, 3600.0),
        12 => (number(10, 12)?, 0, 60.0),
        // A leap second is the last one of its minute here.
        14 => (number(10, 12)?, number(12, 14)?.min(59), 1.0),
        _ => return None,
    };
    let day = NaiveDate::from_ymd_opt(digits.get(0..4)?.parse().ok()?, number(4, 6)?, number(6, 8)?)?;
    let local = day.and_hms_opt(number(8, 10)?, minute, second)?;
    let zone = FixedOffset::east_opt(offset_s)?;
    let moment = local.and_local_timezone(zone).single()?.with_timezone(&Utc);
    Some(moment + part_of(fraction, unit_s)?)
}

/// `.25` of a second, minute or hour.
fn part_of(fraction: Option<&str>, unit_s: f64) -> Option<TimeDelta> {
    let Some(fraction) = fraction else {
        return Some(TimeDelta::zero());
    };
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part: f64 = format!("0.{fraction}").parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "at most an hour in milliseconds")]
    Some(TimeDelta::milliseconds((part * unit_s * 1000.0).round() as i64))
}

/// `Z`, `+hh` or `+hhmm`, seconds.
fn offset(zone: &str) -> Option<i32> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits.get(0..2)?.parse().ok()?;
    let minutes: i32 = digits.get(2..4).map_or(Ok(0), str::parse).ok()?;
    (minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A file time: 100 ns since 1601 ([MS-DTYP] 2.3.3). None for never, for zero and for what no calendar holds.
pub(crate) fn file_time(ticks: i64) -> Option<DateTime<Utc>> {
    if ticks <= 0 || ticks == NEVER {
        return None;
    }
    let seconds = ticks / 10_000_000 - FILE_TIME_EPOCH_S;
    let nanos = u32::try_from(ticks % 10_000_000 * 100).ok()?;
    DateTime::from_timestamp(seconds, nanos).filter(|moment| moment.timestamp() < 253_402_300_800)
}

/// So many days after 1970-01-01 (shadow attributes, RFC 2307).
pub(crate) fn epoch_days(days: i64) -> Option<DateTime<Utc>> {
    (0..1_000_000).contains(&days).then(|| DateTime::from_timestamp(days * 86_400, 0)).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> Option<String> {
        generalized_time(text).map(|moment| moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
    }

    /// Spec: ldap-directory-lookup 9
    #[test]
    fn generalized_time_is_read_with_fraction_and_offset() {
        for (text, expected) in [
            ("20261122174500Z", "2026-11-22T17:45:00.000Z"),
            ("20261122174500.25Z", "2026-11-22T17:45:00.250Z"),
            ("20261122174500,5+0130", "2026-11-22T16:15:00.500Z"),
            ("20261122174500-05", "2026-11-22T22:45:00.000Z"),
            ("202611221745Z", "2026-11-22T17:45:00.000Z"),
            ("2026112217.5Z", "2026-11-22T17:30:00.000Z"),
            ("20161231235960Z", "2016-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(written(text).as_deref(), Some(expected), "{text}");
        }
        for bad in [
            "",
            "Z",
            "20261122",
            "20261122174500",
            "20261322174500Z",
            "20261122254500Z",
            "2026112217450aZ",
            "20261122174500.Z",
            "20261122174500+1",
            "20261122174500+0199",
            "20261122174500ZZ",
            "é0261122174500Z",
        ] {
            assert_eq!(written(bad), None, "{bad}");
        }
    }

    /// Spec: ldap-directory-lookup 9
    #[test]
    fn file_times_that_mean_never_are_no_moments() {
        assert_eq!(file_time(133_449_696_000_000_000).unwrap().to_rfc3339(), "2023-11-20T16:00:00+00:00");
        for never in [0, -1, i64::MAX, i64::MIN, i64::MAX - 1] {
            assert_eq!(file_time(never), None, "{never}");
        }
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(epoch_days(0).unwrap().timestamp(), 0);
        assert_eq!(epoch_days(20_000).unwrap().to_rfc3339(), "2024-10-04T00:00:00+00:00");
        assert_eq!((epoch_days(-1), epoch_days(i64::MAX)), (None, None));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in "[0-9Z.,+-]{0,24}", ticks in any::<i64>()) {
            let _ = generalized_time(&text);
            let _ = file_time(ticks);
        }
    }
}
