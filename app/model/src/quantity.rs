//! Kubernetes quantities: a decimal number with an optional suffix (`500m`, `1Gi`, `1.5`, `100M`, `1e3`).
//! Source: k8s.io/apimachinery, pkg/api/resource/quantity.go.

/// Why a text is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Nothing but spaces.
    #[error("a quantity is missing: write for example 500m, 1.5 or 1Gi")]
    Empty,
    /// The part before the suffix is no plain decimal number.
    #[error("{0:?} is not a quantity: it must start with a number, as 500m, 1.5 or 1Gi do")]
    NotANumber(String),
    /// The part after the number is no suffix of Kubernetes.
    #[error("{text:?} has the unknown suffix {suffix:?}: use m, k, M, G, T, Ki, Mi, Gi, Ti or an exponent such as 1e3")]
    UnknownSuffix {
        /// The whole text.
        text: String,
        /// The part that was not understood.
        suffix: String,
    },
    /// Below zero.
    #[error("{0:?} is negative: resources cannot be less than nothing")]
    Negative(String),
    /// Beyond what Kubernetes can hold (2^63 − 1).
    #[error("{0:?} is too large: Kubernetes holds at most 2^63 − 1")]
    TooLarge(String),
}

const SUFFIXES: [(&str, f64); 16] = [
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("", 1.0),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
];

/// The value of a quantity in its base unit (cores, bytes, pieces).
///
/// # Errors
/// [`QuantityError`] names what is wrong with the text.
pub fn parse(text: &str) -> Result<f64, QuantityError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(QuantityError::Empty);
    }
    let unsigned = trimmed.strip_prefix('+').unwrap_or(trimmed);
    if let Some(rest) = unsigned.strip_prefix('-') {
        return Err(if rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            QuantityError::Negative(text.to_owned())
        } else {
            QuantityError::NotANumber(text.to_owned())
        });
    }
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (digits, suffix) = unsigned.split_at(end);
    let number: f64 = digits.parse().map_err(|_| QuantityError::NotANumber(text.to_owned()))?;
    let factor = match SUFFIXES.iter().find(|(name, _)| *name == suffix) {
        Some((_, factor)) => *factor,
        None => exponent(suffix).ok_or_else(|| QuantityError::UnknownSuffix { text: text.to_owned(), suffix: suffix.to_owned() })?,
    };
    let value = number * factor;
    if value > i64::MAX as f64 {
        return Err(QuantityError::TooLarge(text.to_owned()));
    }
    Ok(value)
}

fn exponent(suffix: &str) -> Option<f64> {
    let power = suffix.strip_prefix(['e', 'E'])?;
    let power: i32 = power.parse().ok().filter(|p: &i32| (-20..=20).contains(p))?;
    Some(10f64.powi(power))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_every_suffix() {
        for (text, value) in [
            ("500m", 0.5),
            ("1Gi", 1_073_741_824.0),
            ("1.5", 1.5),
            ("100M", 1e8),
            ("1e3", 1e3),
            ("2E", 2e18),
            ("1E2", 100.0),
            ("12e-3", 0.012),
            (" 3 ", 3.0),
            ("+4", 4.0),
            (".5", 0.5),
            ("1k", 1000.0),
            ("5u", 5e-6),
        ] {
            let got = parse(text).unwrap();
            assert!((got - value).abs() <= value * 1e-12, "{text}: {got}");
        }
    }

    #[test]
    fn refuses_nonsense_by_name() {
        for (text, part) in [
            ("", "missing"),
            ("abc", "not a quantity"),
            ("1GiB", "GiB"),
            ("1 Gi", " Gi"),
            ("-1", "negative"),
            ("1.2.3", "not a quantity"),
            ("1e", "suffix"),
            ("NaN", "not a quantity"),
            ("inf", "not a quantity"),
            ("100E", "too large"),
            ("1K", "\"K\""),
            ("--1", "not a quantity"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,24}") {
            let _ = parse(&text);
        }
        #[test]
        fn bytes_survive_the_round_trip(bytes in 0u64..(1 << 52)) {
            let typed = crate::units::Bytes::new(bytes);
            prop_assert_eq!(typed.to_string().parse::<crate::units::Bytes>().unwrap(), typed);
        }
        #[test]
        fn millicores_survive_the_round_trip(milli in 0u32..10_000_000) {
            let typed = crate::units::Cores::ceil_milli(f64::from(milli) / 1000.0);
            prop_assert_eq!(typed.to_string().parse::<crate::units::Cores>().unwrap().to_string(), typed.to_string());
        }
    }
}
