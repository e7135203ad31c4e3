//! The one catalogue of metrics: name, unit, kind, whose value it is, how it aggregates.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// CPU cores.
    Cores,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Things per second.
    PerSecond,
    /// Milliseconds.
    Milliseconds,
    /// A share, usually 0 to 1.
    Ratio,
    /// Whole things.
    Count,
}

/// Whether a sample is a reading or the number of events in its interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A reading that holds for its interval.
    Gauge,
    /// Events in the interval: adds up over time.
    Counter,
}

/// Whose value a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The mean over the service's replicas.
    PerReplica,
    /// The whole service.
    Total,
}

/// How samples of several intervals become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// The mean.
    Mean,
    /// The largest.
    Max,
    /// The sum.
    Sum,
    /// The newest.
    Last,
}

macro_rules! catalogue {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $unit:ident, $kind:ident, $scope:ident, $agg:ident;)*) => {
        /// A metric of a service.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Metric { $($(#[$doc])* $variant,)* }

        impl Metric {
            /// Every metric, in catalogue order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// The name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $name),* } }
            /// What a value counts.
            #[must_use]
            pub const fn unit(self) -> Unit { match self { $(Self::$variant => Unit::$unit),* } }
            /// Reading or events.
            #[must_use]
            pub const fn kind(self) -> Kind { match self { $(Self::$variant => Kind::$kind),* } }
            /// Per replica or of the whole service.
            #[must_use]
            pub const fn scope(self) -> Scope { match self { $(Self::$variant => Scope::$scope),* } }
            /// How intervals are merged.
            #[must_use]
            pub const fn aggregation(self) -> Aggregation { match self { $(Self::$variant => Aggregation::$agg),* } }
        }
    };
}

catalogue! {
    /// CPU in use, cores.
    CpuUsage = "cpu_usage_cores", Cores, Gauge, PerReplica, Mean;
    /// CPU in use as a share of an unknown size.
    CpuUtilization = "cpu_utilization_ratio", Ratio, Gauge, PerReplica, Mean;
    /// Share of scheduling periods in which the CPU limit stopped the container.
    CpuThrottled = "cpu_throttled_ratio", Ratio, Gauge, PerReplica, Mean;
    /// CPU requested, cores.
    CpuRequest = "cpu_request_cores", Cores, Gauge, PerReplica, Last;
    /// CPU limit, cores.
    CpuLimit = "cpu_limit_cores", Cores, Gauge, PerReplica, Last;
    /// Memory that cannot be evicted, bytes.
    MemoryWorkingSet = "memory_working_set_bytes", Bytes, Gauge, PerReplica, Max;
    /// Memory in use as a share of an unknown size.
    MemoryUtilization = "memory_utilization_ratio", Ratio, Gauge, PerReplica, Max;
    /// Memory requested, bytes.
    MemoryRequest = "memory_request_bytes", Bytes, Gauge, PerReplica, Last;
    /// Memory limit, bytes.
    MemoryLimit = "memory_limit_bytes", Bytes, Gauge, PerReplica, Last;
    /// Containers killed for want of memory.
    OomKills = "oom_kills", Count, Counter, Total, Sum;
    /// Container restarts, those after an OOM kill included.
    Restarts = "restarts", Count, Counter, Total, Sum;
    /// Bytes read from disk per second.
    DiskRead = "disk_read_bytes_per_second", BytesPerSecond, Gauge, PerReplica, Mean;
    /// Bytes written to disk per second.
    DiskWrite = "disk_write_bytes_per_second", BytesPerSecond, Gauge, PerReplica, Mean;
    /// Bytes received per second.
    NetworkReceive = "network_receive_bytes_per_second", BytesPerSecond, Gauge, PerReplica, Mean;
    /// Bytes sent per second.
    NetworkTransmit = "network_transmit_bytes_per_second", BytesPerSecond, Gauge, PerReplica, Mean;
    /// Bytes used on the persistent volume.
    VolumeUsed = "volume_used_bytes", Bytes, Gauge, Total, Last;
    /// Size of the persistent volume.
    VolumeCapacity = "volume_capacity_bytes", Bytes, Gauge, Total, Last;
    /// Requests per second.
    RequestRate = "request_rate", PerSecond, Gauge, Total, Mean;
    /// Requests per second and replica.
    RequestRatePerReplica = "request_rate_per_replica", PerSecond, Gauge, PerReplica, Mean;
    /// Median latency.
    LatencyP50 = "latency_p50_ms", Milliseconds, Gauge, Total, Mean;
    /// 95th percentile of latency.
    LatencyP95 = "latency_p95_ms", Milliseconds, Gauge, Total, Mean;
    /// 99th percentile of latency.
    LatencyP99 = "latency_p99_ms", Milliseconds, Gauge, Total, Mean;
    /// Share of requests that failed.
    ErrorRatio = "error_ratio", Ratio, Gauge, Total, Mean;
    /// Replicas that serve.
    Replicas = "replicas", Count, Gauge, Total, Mean;
    /// Busiest replica's load over the mean load, 1 = even.
    LoadImbalance = "load_imbalance_ratio", Ratio, Gauge, Total, Mean;
    /// Share of look-ups answered by the cache.
    CacheHitRatio = "cache_hit_ratio", Ratio, Gauge, Total, Mean;
    /// Mean wait for a pooled connection.
    PoolWait = "pool_wait_ms", Milliseconds, Gauge, Total, Mean;
    /// Mean time of a request spent in the database.
    DatabaseTime = "database_time_ms", Milliseconds, Gauge, Total, Mean;
    /// Share of the GPUs in use.
    GpuUtilization = "gpu_utilization", Ratio, Gauge, PerReplica, Mean;
    /// Whole GPUs requested.
    Gpus = "gpus", Count, Gauge, PerReplica, Last;
    /// GPU memory in use.
    GpuMemoryUsed = "gpu_memory_used_bytes", Bytes, Gauge, PerReplica, Max;
    /// Tokens read per second.
    InputTokens = "input_tokens_per_second", PerSecond, Gauge, Total, Mean;
    /// Tokens written per second.
    OutputTokens = "output_tokens_per_second", PerSecond, Gauge, Total, Mean;
}

impl Metric {
    /// The metrics kept for fleets of more than 200 services.
    pub const CORE: &'static [Self] =
        &[Self::CpuUsage, Self::CpuThrottled, Self::MemoryWorkingSet, Self::OomKills, Self::RequestRate, Self::LatencyP99, Self::Replicas];
}

/// A name that is not in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown metric {0:?}: known are cpu_usage_cores, memory_working_set_bytes, request_rate and the others listed by `headroom metrics`"
)]
pub struct UnknownMetric(pub String);

impl FromStr for Metric {
    type Err = UnknownMetric;
    fn from_str(name: &str) -> Result<Self, UnknownMetric> {
        Self::ALL.iter().copied().find(|m| m.name() == name).ok_or_else(|| UnknownMetric(name.to_owned()))
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Metric {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for metric in Metric::ALL {
            assert_eq!(metric.name().parse::<Metric>().unwrap(), *metric);
        }
        assert!("cpu".parse::<Metric>().is_err());
    }
}
