//! Dates and times in ISO 8601 as `to_json` writes them: `T` between date and time, fractions without trailing zeros,
//! years before 1 with ` BC`, years past 9999 with all their digits.

use bytes::BytesMut;

const MICROS_A_DAY: i64 = 86_400_000_000;

/// More than the longest text has: a year of six digits, a fraction, a zone and ` BC`.
const MOST: usize = 64;

/// Put together here and copied out at once.
struct Text {
    bytes: [u8; MOST],
    length: usize,
}

impl Text {
    fn new() -> Self {
        Self { bytes: [b'"'; MOST], length: 1 }
    }

    fn push(&mut self, text: &[u8]) {
        self.bytes[self.length..self.length + text.len()].copy_from_slice(text);
        self.length += text.len();
    }

    /// A separator and two digits.
    fn push_two(&mut self, separator: u8, value: i64) {
        self.push(&[separator, b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
    }

    fn end(mut self, before_christ: bool, out: &mut BytesMut) {
        self.push(if before_christ { b" BC\"" } else { b"\"" });
        out.extend_from_slice(&self.bytes[..self.length]);
    }
}

/// Days since 2000-01-01.
pub(super) fn push_date(days: i32, out: &mut BytesMut) {
    match days {
        i32::MAX => out.extend_from_slice(b"\"infinity\""),
        i32::MIN => out.extend_from_slice(b"\"-infinity\""),
        _ => {
            let mut text = Text::new();
            let before_christ = push_day(i64::from(days), &mut text);
            text.end(before_christ, out);
        }
    }
}

/// Microseconds since 2000-01-01 00:00, in UTC where `zone` says so.
pub(super) fn push_timestamp(micros: i64, zone: &str, out: &mut BytesMut) {
    match micros {
        i64::MAX => out.extend_from_slice(b"\"infinity\""),
        i64::MIN => out.extend_from_slice(b"\"-infinity\""),
        _ => {
            let mut text = Text::new();
            let before_christ = push_day(micros.div_euclid(MICROS_A_DAY), &mut text);
            push_time(micros.rem_euclid(MICROS_A_DAY), &mut text);
            text.push(zone.as_bytes());
            text.end(before_christ, out);
        }
    }
}

/// `THH:MM:SS[.ffffff]`
fn push_time(micros: i64, out: &mut Text) {
    let seconds = micros / 1_000_000;
    out.push_two(b'T', seconds / 3600);
    out.push_two(b':', seconds / 60 % 60);
    out.push_two(b':', seconds % 60);
    let mut fraction = micros % 1_000_000;
    if fraction == 0 {
        return;
    }
    let mut digits = *b".000000";
    for digit in digits[1..].iter_mut().rev() {
        *digit += (fraction % 10) as u8;
        fraction /= 10;
    }
    let end = digits.iter().rposition(|digit| *digit != b'0').unwrap_or(0);
    out.push(&digits[..=end]);
}

/// `YYYY-MM-DD` in the proleptic Gregorian calendar; true for years before 1. The year starts in March while
/// computing, so that the leap day is its last, and 400 years are 146,097 days.
fn push_day(days: i64, out: &mut Text) -> bool {
    // From 0000-03-01 to 2000-01-01.
    let days = days + 730_425;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let before_christ = year <= 0;
    let shown = if before_christ { 1 - year } else { year };
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(shown);
    out.push(&b"0000"[text.len().min(4)..]);
    out.push(text.as_bytes());
    out.push_two(b'-', month);
    out.push_two(b'-', day);
    before_christ
}
