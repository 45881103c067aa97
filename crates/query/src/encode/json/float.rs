//! Floating-point numbers as PostgreSQL prints them (`extra_float_digits` of 1, the default): the shortest digits that
//! read back as the same value, `1e+20` and `1e-05` outside of the plain range, NaN and ±Infinity as strings.
//!
//! One difference from the shortest digits of other printers: PostgreSQL avoids a decimal that lies exactly in the
//! middle between two floats (`STRICTLY_SHORTEST` in its common/ryu_common.h), so such ones get more digits.

use std::fmt::Write as _;

use bytes::{BufMut as _, BytesMut};

pub(super) fn push_f64(value: f64, out: &mut BytesMut) {
    let bits = value.to_bits();
    let raw = Binary::new(bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32, 52, 1075);
    push(value, raw, 15, |text| text.parse::<f64>().is_ok_and(|read| read.to_bits() == value.to_bits()), out);
}

pub(super) fn push_f32(value: f32, out: &mut BytesMut) {
    let bits = value.to_bits();
    let raw = Binary::new(u64::from(bits) & ((1 << 23) - 1), (bits >> 23 & 0xff) as i32, 23, 150);
    push(value, raw, 6, |text| text.parse::<f32>().is_ok_and(|read| read.to_bits() == value.to_bits()), out);
}

trait Float: ryu::Float + Copy + std::fmt::LowerExp + Into<f64> {}
impl Float for f32 {}
impl Float for f64 {}

/// The value is `mantissa * 2^exponent`.
struct Binary {
    mantissa: u64,
    exponent: i32,
    /// The float below is only half as far away as the one above.
    narrow_below: bool,
}

impl Binary {
    fn new(fraction: u64, biased: i32, bits: u32, bias: i32) -> Self {
        if biased == 0 {
            return Self { mantissa: fraction, exponent: 1 - bias, narrow_below: false };
        }
        Self {
            mantissa: fraction | 1 << bits,
            exponent: biased - bias,
            narrow_below: fraction == 0 && biased > 1,
        }
    }

    /// Whether `digits * 10^power` is exactly the middle between this float and one of its neighbours. The middles
    /// are odd multiples of a power of two, so comparing odd parts and powers of two is enough.
    fn has_middle(&self, digits: u64, power: i32) -> bool {
        // Past this, 5^power has more bits than any middle, or than any 17 digits.
        if !(-24..=24).contains(&power) || digits == 0 {
            return false;
        }
        let fives = 5_u128.pow(power.unsigned_abs());
        let odd_part = |middle: u64, exponent: i32| {
            let (left, right) = if power >= 0 {
                (u128::from(digits) * fives, u128::from(middle))
            } else {
                (u128::from(digits), u128::from(middle) * fives)
            };
            let twos = left.trailing_zeros() as i32 + power;
            let middle_twos = right.trailing_zeros() as i32 + exponent;
            left >> left.trailing_zeros() == right >> right.trailing_zeros() && twos == middle_twos
        };
        let (below, exponent) = if self.narrow_below {
            (4 * self.mantissa - 1, self.exponent - 2)
        } else {
            (2 * self.mantissa - 1, self.exponent - 1)
        };
        odd_part(below, exponent) || odd_part(2 * self.mantissa + 1, self.exponent - 1)
    }
}

/// Decimal digits without leading and trailing zeros; the point stands before `digits[point]`.
struct Decimal {
    digits: [u8; 20],
    len: usize,
    point: i32,
}

impl Decimal {
    /// From `123.4`, `0.001` or `1.2e-7`, without a sign.
    fn read(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let mut found = Self { digits: [0; 20], len: 0, point: exponent.parse().unwrap_or(0) };
        let mut after_point = false;
        for byte in mantissa.bytes() {
            if byte == b'.' {
                after_point = true;
                continue;
            }
            if found.len == 0 && byte == b'0' {
                found.point -= i32::from(after_point);
                continue;
            }
            if found.len < found.digits.len() {
                found.digits[found.len] = byte;
                found.len += 1;
            }
            found.point += i32::from(!after_point);
        }
        while found.len > 0 && found.digits[found.len - 1] == b'0' {
            found.len -= 1;
        }
        found
    }

    fn digits(&self) -> &[u8] {
        &self.digits[..self.len]
    }

    fn number(&self) -> u64 {
        self.digits()
            .iter()
            .fold(0, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
    }
}

fn push<F: Float>(value: F, raw: Binary, plain: i32, reads_back: impl Fn(&str) -> bool, out: &mut BytesMut) {
    let wide: f64 = value.into();
    if wide.is_nan() {
        return out.extend_from_slice(b"\"NaN\"");
    }
    if wide.is_infinite() {
        return out.extend_from_slice(if wide > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    }
    if wide.is_sign_negative() {
        out.put_u8(b'-');
    }
    if wide == 0.0 {
        return out.put_u8(b'0');
    }
    let mut buffer = ryu::Buffer::new();
    let mut decimal = Decimal::read(buffer.format_finite(value).trim_start_matches('-'));
    if raw.has_middle(decimal.number(), decimal.point - decimal.len as i32) {
        decimal = longer(value, &raw, decimal, reads_back);
    }
    push_decimal(&decimal, plain, out);
}

/// The shortest digits that read back and are no middle. Rare, so speed does not matter.
fn longer<F: Float>(value: F, raw: &Binary, start: Decimal, reads_back: impl Fn(&str) -> bool) -> Decimal {
    let mut text = String::new();
    for digits in start.len..18 {
        text.clear();
        let _ = write!(text, "{value:.digits$e}");
        let decimal = Decimal::read(text.trim_start_matches('-'));
        if reads_back(&text) && !raw.has_middle(decimal.number(), decimal.point - decimal.len as i32) {
            return decimal;
        }
    }
    start
}

fn push_decimal(decimal: &Decimal, plain: i32, out: &mut BytesMut) {
    const ZEROS: &[u8; 16] = b"0000000000000000";
    let digits = decimal.digits();
    let exponent = decimal.point - 1;
    if !(-4..plain).contains(&exponent) {
        let (first, rest) = digits.split_at(1.min(digits.len()));
        out.extend_from_slice(first);
        if !rest.is_empty() {
            out.put_u8(b'.');
            out.extend_from_slice(rest);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.abs() < 10 {
            out.put_u8(b'0');
        }
        out.extend_from_slice(itoa::Buffer::new().format(exponent.abs()).as_bytes());
    } else if decimal.point <= 0 {
        out.extend_from_slice(b"0.");
        out.extend_from_slice(&ZEROS[..(-decimal.point) as usize]);
        out.extend_from_slice(digits);
    } else {
        let point = decimal.point as usize;
        let whole = point.min(digits.len());
        out.extend_from_slice(&digits[..whole]);
        out.extend_from_slice(&ZEROS[..point - whole]);
        if point < digits.len() {
            out.put_u8(b'.');
            out.extend_from_slice(&digits[point..]);
        }
    }
}
