//! Durations, sizes and rates as people write them: `30s`, `1m30s`, `2MiB`, `300/10s`.

use std::fmt;
use std::time::Duration;

/// A number of bytes, written `512B`, `32KiB`, `2MiB`, `1GiB`, or in powers of ten `10kB`, `2MB`, `1GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const SIZE_UNITS: &[(&str, u64)] = &[
    ("gib", 1 << 30),
    ("mib", 1 << 20),
    ("kib", 1 << 10),
    ("gb", 1_000_000_000),
    ("mb", 1_000_000),
    ("kb", 1_000),
    ("b", 1),
];

impl ByteSize {
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }

    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }

    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// For limits on memory; saturates on 32-bit machines.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = (&text[..digits], text[digits..].trim());
        let factor = SIZE_UNITS.iter().find(|(name, _)| *name == unit)?.1;
        number.parse::<u64>().ok()?.checked_mul(factor).map(Self)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
            if self.0 >= unit && self.0.is_multiple_of(unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}B", self.0)
    }
}

const TIME_UNITS: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Parses `250ms`, `30s`, `5m`, `1h30m`, `7d`; `0` needs no unit. Anything else is `None`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let factor = TIME_UNITS.iter().find(|(name, _)| *name == &rest[..letters])?.1;
        rest = &rest[letters..];
        millis = millis.checked_add(number.checked_mul(factor)?)?;
    }
    (!text.is_empty()).then(|| Duration::from_millis(millis))
}

/// The shortest exact text that [`parse_duration`] reads back: `1m30s`, `250ms`, `0s`.
pub fn format_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".into();
    }
    let mut out = String::new();
    for (unit, factor) in TIME_UNITS {
        if millis >= *factor {
            out.push_str(&format!("{}{unit}", millis / factor));
            millis %= factor;
        }
    }
    out
}

/// So many requests in a time, written `300/10s`; `off` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    Off,
    /// Both at least 1; the time at most a day.
    Of {
        requests: u32,
        seconds: u32,
    },
}

impl Rate {
    const DAY: u32 = 86_400;
    /// One for each microsecond: what is more cannot be told apart from no limit.
    const FASTEST: u32 = 1_000_000;

    pub(crate) const fn of(requests: u32, seconds: u32) -> Self {
        Self::Of { requests, seconds }
    }

    /// Whole seconds only: that is what the headers can say.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("off") {
            return Some(Self::Off);
        }
        let (requests, time) = text.split_once('/')?;
        let requests: u32 = requests.trim().replace('_', "").parse().ok()?;
        // `300/s` and `20/m` mean one of the unit.
        let time = time.trim();
        let bare = time.starts_with(|c: char| c.is_ascii_alphabetic());
        let time = if bare { parse_duration(&format!("1{time}")) } else { parse_duration(time) }?;
        let seconds = u32::try_from(time.as_secs()).ok().filter(|s| (1..=Self::DAY).contains(s))?;
        let sensible = (1..=seconds.saturating_mul(Self::FASTEST)).contains(&requests);
        (time.subsec_nanos() == 0 && sensible).then_some(Self::Of { requests, seconds })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Of { requests, seconds } => {
                write!(f, "{requests}/{}", format_duration(Duration::from_secs(u64::from(*seconds))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        assert_eq!(ByteSize::parse("2MiB"), Some(ByteSize::mib(2)));
        assert_eq!(ByteSize::parse("32 kib"), Some(ByteSize::kib(32)));
        assert_eq!(ByteSize::parse("10kB"), Some(ByteSize(10_000)));
        for bad in ["", "2", "MiB", "-1B", "1.5MiB", "99999999999999GiB", "2XiB"] {
            assert_eq!(ByteSize::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("0"), Some(Duration::ZERO));
        for bad in ["", "30", "s", "-1s", "5 minutes", "1y", "99999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn rates_read_as_people_write_them() {
        assert_eq!(Rate::parse("300/10s"), Some(Rate::of(300, 10)));
        assert_eq!(Rate::parse("1_000 / 1m30s"), Some(Rate::of(1_000, 90)));
        assert_eq!(Rate::parse("5/m"), Some(Rate::of(5, 60)));
        assert_eq!(Rate::parse("OFF"), Some(Rate::Off));
        for bad in [
            "",
            "300",
            "/10s",
            "0/1s",
            "1/0s",
            "1/500ms",
            "1/1s500ms",
            "1/2d",
            "2000000/1s",
            "-1/1s",
            "1/",
            "none",
        ] {
            assert_eq!(Rate::parse(bad), None, "{bad}");
        }
        for text in ["off", "300/10s", "20/1m30s", "7/1d"] {
            assert_eq!(Rate::parse(text).unwrap().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_agree(millis in 0u64..10_000_000_000, bytes in any::<u64>()) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
            prop_assert_eq!(ByteSize::parse(&ByteSize(bytes).to_string()), Some(ByteSize(bytes)));
        }
    }
}
