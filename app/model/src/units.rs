//! Typed units. A value says its unit in its type and its limits in its constructor.

use crate::quantity::{self, QuantityError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A number outside the limits of its unit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what} cannot be {value}: allowed is {allowed}")]
pub struct OutOfRange {
    /// What the number was meant to be.
    pub what: &'static str,
    /// The number that was refused.
    pub value: f64,
    /// The limits, in words.
    pub allowed: &'static str,
}

/// CPU, in cores. Finite and not negative. On the wire a Kubernetes quantity (`"500m"`).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cores(f64);

impl Cores {
    /// # Errors
    /// [`OutOfRange`] for a negative or non-finite number.
    pub fn new(cores: f64) -> Result<Self, OutOfRange> {
        (cores.is_finite() && cores >= 0.0).then_some(Self(cores)).ok_or(OutOfRange {
            what: "CPU",
            value: cores,
            allowed: "a finite number of cores, 0 or more",
        })
    }
    /// Rounds up to whole millicores, the resolution of Kubernetes; negative or non-finite becomes zero.
    #[must_use]
    pub fn ceil_milli(cores: f64) -> Self {
        if cores.is_finite() && cores > 0.0 { Self((cores * 1000.0 - 1e-6).ceil() / 1000.0) } else { Self(0.0) }
    }
    /// Cores.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milli = (self.0 * 1000.0).round();
        if milli % 1000.0 == 0.0 { write!(f, "{}", milli / 1000.0) } else { write!(f, "{milli}m") }
    }
}

impl FromStr for Cores {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        quantity::parse(text).map(Self)
    }
}

impl TryFrom<String> for Cores {
    type Error = QuantityError;
    fn try_from(text: String) -> Result<Self, QuantityError> {
        text.parse()
    }
}

impl From<Cores> for String {
    fn from(value: Cores) -> Self {
        value.to_string()
    }
}

/// Memory or storage, in bytes. On the wire a Kubernetes quantity (`"1Gi"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(u64);

/// One kibibyte, mebibyte and gibibyte, in bytes.
pub const KIB: u64 = 1 << 10;
/// One mebibyte, in bytes.
pub const MIB: u64 = 1 << 20;
/// One gibibyte, in bytes.
pub const GIB: u64 = 1 << 30;

impl Bytes {
    /// Bytes, exactly.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }
    /// Rounds up to whole mebibytes; negative or non-finite becomes zero.
    #[must_use]
    pub fn ceil_mib(bytes: f64) -> Self {
        if bytes.is_finite() && bytes > 0.0 { Self(((bytes / MIB as f64 - 1e-9).ceil() as u64).saturating_mul(MIB)) } else { Self(0) }
    }
    /// Bytes.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
    /// Bytes, for arithmetic with measured values.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, suffix) in [(1u64 << 60, "Ei"), (1 << 50, "Pi"), (1 << 40, "Ti"), (GIB, "Gi"), (MIB, "Mi"), (KIB, "Ki")] {
            if self.0 > 0 && self.0.is_multiple_of(unit) {
                return write!(f, "{}{suffix}", self.0 / unit);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl FromStr for Bytes {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let bytes = quantity::parse(text)?.ceil();
        if bytes > u64::MAX as f64 {
            return Err(QuantityError::TooLarge(text.to_owned()));
        }
        Ok(Self(bytes as u64))
    }
}

impl TryFrom<String> for Bytes {
    type Error = QuantityError;
    fn try_from(text: String) -> Result<Self, QuantityError> {
        text.parse()
    }
}

impl From<Bytes> for String {
    fn from(value: Bytes) -> Self {
        value.to_string()
    }
}

/// An amount of money: micro-units (millionths) of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Money {
    /// Millionths of one unit of the currency.
    pub micros: i64,
    /// ISO 4217 code.
    pub currency: Currency,
}

impl Money {
    /// Rounds a number of whole units to micro-units.
    #[must_use]
    pub fn from_units(units: f64, currency: Currency) -> Self {
        Self { micros: (units * 1e6).round() as i64, currency }
    }
    /// Whole units, for display and ratios.
    #[must_use]
    pub fn units(self) -> f64 {
        self.micros as f64 / 1e6
    }
    /// The sum; both amounts must be of one currency.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        debug_assert_eq!(self.currency, other.currency);
        Self { micros: self.micros.saturating_add(other.micros), ..self }
    }
    /// The difference `self - other`; both amounts must be of one currency.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        debug_assert_eq!(self.currency, other.currency);
        Self { micros: self.micros.saturating_sub(other.micros), ..self }
    }
}

impl fmt::Display for Money {
    /// `$1,140` from 100 units on, `$4.20` below; `−` before the sign of the currency.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.units();
        let sign = if units < -0.004_999 { "−" } else { "" };
        let symbol = match self.currency.code() {
            "USD" => "$".to_owned(),
            "EUR" => "€".to_owned(),
            "GBP" => "£".to_owned(),
            other => format!("{other} "),
        };
        if units.abs() >= 100.0 {
            write!(f, "{sign}{symbol}{}", thousands(units.abs().round() as u64))
        } else {
            write!(f, "{sign}{symbol}{:.2}", units.abs())
        }
    }
}

/// `1234567` as `1,234,567`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// An ISO 4217 currency code, three capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// US dollars.
    pub const USD: Self = Self(*b"USD");
    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("built from ASCII capitals only")
    }
}

impl Default for Currency {
    fn default() -> Self {
        Self::USD
    }
}

impl TryFrom<String> for Currency {
    type Error = String;
    fn try_from(code: String) -> Result<Self, String> {
        match code.as_bytes() {
            [a, b, c] if code.bytes().all(|x| x.is_ascii_uppercase()) => Ok(Self([*a, *b, *c])),
            _ => Err(format!("{code:?} is not a currency code: write three capital letters such as USD")),
        }
    }
}

impl From<Currency> for String {
    fn from(value: Currency) -> Self {
        value.code().to_owned()
    }
}

/// A probability that a recommendation achieves what it promises, in `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

impl Confidence {
    /// Clamps into `[0, 1]`; not-a-number becomes 0.
    #[must_use]
    pub fn clamped(value: f64) -> Self {
        Self(if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) })
    }
    /// In `[0, 1]`.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Confidence {
    type Error = OutOfRange;
    fn try_from(value: f64) -> Result<Self, OutOfRange> {
        (0.0..=1.0).contains(&value).then_some(Self(value)).ok_or(OutOfRange { what: "confidence", value, allowed: "0 to 1" })
    }
}

impl From<Confidence> for f64 {
    fn from(value: Confidence) -> Self {
        value.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_kubernetes_prints() {
        for (input, output) in [("500m", "500m"), ("1.5", "1500m"), ("2", "2"), ("0.1", "100m"), ("1e3", "1000")] {
            assert_eq!(input.parse::<Cores>().unwrap().to_string(), output, "{input}");
        }
        for (input, output) in [("1Gi", "1Gi"), ("1024Mi", "1Gi"), ("800Mi", "800Mi"), ("100M", "100000000"), ("1536Mi", "1536Mi")] {
            assert_eq!(input.parse::<Bytes>().unwrap().to_string(), output, "{input}");
        }
    }

    #[test]
    fn money_prints_for_people() {
        for (units, text) in
            [(1140.2, "$1,140"), (4.2, "$4.20"), (-96.0, "−$96.00"), (0.0, "$0.00"), (-0.001, "$0.00"), (1_234_567.0, "$1,234,567")]
        {
            assert_eq!(Money::from_units(units, Currency::USD).to_string(), text);
        }
    }

    #[test]
    fn refuses_numbers_outside_their_unit() {
        assert!(Cores::new(f64::NAN).is_err());
        assert!(Cores::new(-1.0).is_err());
        assert!(Confidence::try_from(1.01).is_err());
        assert!(Currency::try_from("usd".to_owned()).is_err());
    }
}
