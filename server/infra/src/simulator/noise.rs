//! Randomness without a state: a value is a hash of (seed, service, stream, time), so that any instant can be computed again.

/// A source of noise, fixed by its seed.
#[derive(Debug, Clone, Copy)]
pub struct Noise(u64);

/// What a draw is for; draws for different streams are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Stream {
    Hourly,
    Minutes,
    White,
    BurstChance,
    BurstSize,
    Cpu,
    Memory,
    Latency,
    Tail,
    Replica(u16),
}

impl Stream {
    const fn number(self) -> u64 {
        match self {
            Self::Hourly => 1,
            Self::Minutes => 2,
            Self::White => 3,
            Self::BurstChance => 4,
            Self::BurstSize => 5,
            Self::Cpu => 6,
            Self::Memory => 7,
            Self::Latency => 8,
            Self::Tail => 9,
            Self::Replica(i) => 100 + i as u64,
        }
    }
}

/// Stafford's mix 13, the finaliser of splitmix64.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Noise {
    /// Noise of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x9e37_79b9_7f4a_7c15))
    }
    /// 64 random bits.
    #[must_use]
    pub const fn bits(self, service: usize, stream: Stream, t: i64) -> u64 {
        let a = mix(self.0 ^ (service as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (stream.number() << 48));
        mix(a ^ (t as u64).wrapping_mul(0xd1b5_4a32_d192_ed03))
    }
    /// Uniform in `[0, 1)`.
    #[must_use]
    pub fn unit(self, service: usize, stream: Stream, t: i64) -> f64 {
        (self.bits(service, stream, t) >> 11) as f64 / (1u64 << 53) as f64
    }
    /// About standard normal: the sum of four uniforms (never beyond ±3.5).
    #[must_use]
    pub fn normal(self, service: usize, stream: Stream, t: i64) -> f64 {
        let bits = self.bits(service, stream, t);
        let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
        (sum as f64 / 65_536.0 - 2.0) * 3f64.sqrt()
    }
    /// About standard normal and smooth over `period` seconds.
    #[must_use]
    pub fn smooth(self, service: usize, stream: Stream, t: i64, period: i64) -> f64 {
        let (slot, rest) = (t.div_euclid(period), t.rem_euclid(period));
        let x = rest as f64 / period as f64;
        let w = x * x * (3.0 - 2.0 * x);
        let (a, b) = (self.normal(service, stream, slot), self.normal(service, stream, slot + 1));
        (a * (1.0 - w) + b * w) / (w * w + (1.0 - w) * (1.0 - w)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() {
        let noise = Noise::new(7);
        for draw in [|n: Noise, t| n.normal(3, Stream::White, t), |n: Noise, t: i64| n.smooth(3, Stream::Hourly, t * 37, 3600)] {
            let values: Vec<f64> = (0..200_000).map(|t| draw(noise, t)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
            assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.06, "{mean} {variance}");
        }
    }

    #[test]
    fn seeds_services_streams_and_times_differ() {
        let base = Noise::new(1).bits(2, Stream::Cpu, 3);
        assert_eq!(base, Noise::new(1).bits(2, Stream::Cpu, 3));
        for other in
            [Noise::new(2).bits(2, Stream::Cpu, 3), Noise::new(1).bits(3, Stream::Cpu, 3), Noise::new(1).bits(2, Stream::Memory, 3)]
        {
            assert_ne!(base, other);
        }
    }
}
