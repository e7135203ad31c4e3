//! What resources cost: a dated price book with its source. A zero is never a price.

use headroom_model::service::ResourceState;
use headroom_model::time::{DAY, Timestamp};
use headroom_model::units::{Currency, GIB, Money};
use serde::{Deserialize, Serialize};

/// Hours in a month, as clouds bill it: 365 days × 24 / 12.
pub const HOURS_PER_MONTH: f64 = 730.0;

/// Prices per hour, with where they are from and how old they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceBook {
    /// Where the prices are from, in words.
    pub source: String,
    /// When they were read.
    pub dated: Timestamp,
    /// Their currency.
    #[serde(default)]
    pub currency: Currency,
    /// One CPU core for an hour; `None` when unknown.
    #[serde(default)]
    pub cpu_core_hour: Option<f64>,
    /// One GiB of memory for an hour.
    #[serde(default)]
    pub memory_gib_hour: Option<f64>,
    /// One GPU for an hour.
    #[serde(default)]
    pub gpu_hour: Option<f64>,
    /// One GiB of storage for an hour.
    #[serde(default)]
    pub storage_gib_hour: Option<f64>,
    /// One GiB sent to the internet.
    #[serde(default)]
    pub internet_gib: Option<f64>,
}

/// Why a text is no price book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Not TOML, or a key that is unknown or missing.
    #[error("the price book cannot be read: {0}")]
    Unreadable(String),
    /// A zero, negative or non-finite price.
    #[error("{key} = {value} is not a price: write an amount above 0 per hour, or leave the line out if it is unknown")]
    NotAPrice {
        /// The key.
        key: &'static str,
        /// What was written.
        value: String,
    },
}

impl PriceBook {
    /// OpenCost's default on-premises rates, as read in November 2026, in US dollars.
    #[must_use]
    pub fn on_prem_default() -> Self {
        Self {
            source: "OpenCost default on-premises rates".to_owned(),
            dated: Timestamp::from_secs(1_795_219_200), // 2026-11-21
            currency: Currency::USD,
            cpu_core_hour: Some(0.031_611),
            memory_gib_hour: Some(0.004_237),
            gpu_hour: Some(0.95),
            storage_gib_hour: Some(0.000_054_794_5),
            internet_gib: Some(0.12),
        }
    }

    /// Reads a price book from TOML.
    ///
    /// # Errors
    /// [`PriceError`] names the line or the key and what is wrong with it.
    pub fn parse_toml(text: &str) -> Result<Self, PriceError> {
        let book: Self = toml::from_str(text).map_err(|e| PriceError::Unreadable(e.to_string().trim().to_owned()))?;
        for (key, price) in book.rates() {
            if let Some(value) = price.filter(|v| !(v.is_finite() && *v > 0.0)) {
                return Err(PriceError::NotAPrice { key, value: value.to_string() });
            }
        }
        Ok(book)
    }

    fn rates(&self) -> [(&'static str, Option<f64>); 5] {
        [
            ("cpu_core_hour", self.cpu_core_hour),
            ("memory_gib_hour", self.memory_gib_hour),
            ("gpu_hour", self.gpu_hour),
            ("storage_gib_hour", self.storage_gib_hour),
            ("internet_gib", self.internet_gib),
        ]
    }

    /// Whole days since the prices were read, 0 if they are from later.
    #[must_use]
    pub fn age_days(&self, now: Timestamp) -> i64 {
        (now.secs_since(self.dated) / DAY).max(0)
    }

    /// The prices of a service that runs for this share of the time (0 to 1), such as a job at night: a request is paid for while it
    /// runs, a volume always.
    #[must_use]
    pub fn running(&self, share: f64) -> Self {
        let of = |rate: Option<f64>| rate.map(|rate| rate * share);
        Self {
            cpu_core_hour: of(self.cpu_core_hour),
            memory_gib_hour: of(self.memory_gib_hour),
            gpu_hour: of(self.gpu_hour),
            ..self.clone()
        }
    }

    /// What a state costs a month by its requests, all replicas and the volume together. `None` without any request, or when a
    /// price of something it asks for is not known: unknown is never zero.
    #[must_use]
    pub fn month(&self, state: &ResourceState) -> Option<Money> {
        let (cpu, memory) = (state.cpu_request(), state.memory_request());
        if cpu.is_none() && memory.is_none() && state.gpus() == 0 {
            return None;
        }
        let replica = cost(cpu.map_or(0.0, |c| c.get()), self.cpu_core_hour)?
            + cost(memory.map_or(0.0, |m| m.as_f64() / GIB as f64), self.memory_gib_hour)?
            + cost(f64::from(state.gpus()), self.gpu_hour)?;
        let volume = cost(state.volume.map_or(0.0, |v| v.as_f64() / GIB as f64), self.storage_gib_hour)?;
        let hourly = replica * f64::from(state.replicas.unwrap_or(1)) + volume;
        Some(Money::from_units(hourly * HOURS_PER_MONTH, self.currency))
    }

    /// What `cores` over `replicas` cost a month.
    #[must_use]
    pub fn cpu_month(&self, cores: f64, replicas: f64) -> Option<Money> {
        Some(Money::from_units(cost(cores, self.cpu_core_hour)? * replicas * HOURS_PER_MONTH, self.currency))
    }

    /// What `bytes` of memory over `replicas` cost a month.
    #[must_use]
    pub fn memory_month(&self, bytes: f64, replicas: f64) -> Option<Money> {
        Some(Money::from_units(cost(bytes / GIB as f64, self.memory_gib_hour)? * replicas * HOURS_PER_MONTH, self.currency))
    }
}

/// `amount × rate`; nothing costs nothing, something without a real price is unknown.
fn cost(amount: f64, rate: Option<f64>) -> Option<f64> {
    if amount <= 0.0 { Some(0.0) } else { rate.filter(|r| r.is_finite() && *r > 0.0).map(|r| amount * r) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_model::service::Container;

    fn state(cpu: &str, memory: &str, replicas: u32) -> ResourceState {
        let container =
            Container { cpu_request: Some(cpu.parse().unwrap()), memory_request: Some(memory.parse().unwrap()), ..Container::default() };
        ResourceState { containers: [("app".to_owned(), container)].into(), replicas: Some(replicas), ..ResourceState::default() }
    }

    #[test]
    fn a_month_is_priced_by_request() {
        let money = PriceBook::on_prem_default().month(&state("2", "4Gi", 3)).unwrap();
        assert!((money.units() - 3.0 * 730.0 * (2.0 * 0.031_611 + 4.0 * 0.004_237)).abs() < 1e-5);
        assert_eq!(PriceBook::on_prem_default().month(&ResourceState::default()), None);
    }

    #[test]
    fn what_runs_for_a_part_of_the_time_costs_as_much_less_but_for_its_volume() {
        let book = PriceBook::on_prem_default();
        let volume = |gib: u64| ResourceState { volume: Some(headroom_model::units::Bytes::new(gib * GIB)), ..state("2", "4Gi", 3) };
        let (all_day, at_night) = (book.month(&volume(0)).unwrap(), book.running(0.25).month(&volume(0)).unwrap());
        assert!((at_night.units() - all_day.units() / 4.0).abs() < 1e-5);
        let disk = book.month(&volume(100)).unwrap().units() - all_day.units();
        assert!((book.running(0.25).month(&volume(100)).unwrap().units() - at_night.units() - disk).abs() < 1e-5);
    }

    #[test]
    fn a_zero_is_never_a_price() {
        let zero = PriceBook { cpu_core_hour: Some(0.0), ..PriceBook::on_prem_default() };
        assert_eq!(zero.month(&state("2", "4Gi", 3)), None);
        let book = "source = \"x\"\ndated = \"2026-01-01T00:00:00Z\"\ncpu_core_hour = 0.0\n";
        assert!(PriceBook::parse_toml(book).unwrap_err().to_string().contains("cpu_core_hour = 0"));
        let unknown = PriceBook::parse_toml("source = \"x\"\ndated = \"2026-01-01T00:00:00Z\"\ncpu_hour = 1.0\n").unwrap_err();
        assert!(unknown.to_string().contains("cpu_hour"), "{unknown}");
        for bad in ["nan", "inf", "-1.0"] {
            assert!(PriceBook::parse_toml(&book.replace("0.0", bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn it_knows_its_age_and_reads_back() {
        let book = PriceBook::on_prem_default();
        assert_eq!(book.dated.to_string(), "2026-11-21T00:00:00Z");
        assert_eq!(book.age_days(book.dated.plus_secs(10 * DAY + 5)), 10);
        assert_eq!(PriceBook::parse_toml(&toml::to_string(&book).unwrap()).unwrap(), book);
    }
}
