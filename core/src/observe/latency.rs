//! How long calls took: a histogram whose numbers are true to one per cent. It has memory for what it has seen only:
//! 1 KB where calls take less than a quarter of a millisecond, 8 KB where they take up to a minute.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::snapshot::LatencySnapshot;

/// Two significant digits.
const DIGITS: u8 = 2;
/// In microseconds: what took longer than a day took a day.
const LONGEST: u64 = 24 * 60 * 60 * 1_000_000;

/// The upper bounds of the buckets that are exported, in microseconds.
pub(super) const BOUNDS: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000, 15_000_000, 60_000_000,
];

#[derive(Clone, Debug)]
pub(super) struct Latency {
    micros: Histogram<u32>,
    sum: u64,
}

impl Default for Latency {
    fn default() -> Latency {
        let micros = Histogram::new(DIGITS).expect("two digits are among those that a histogram takes");
        Latency { micros, sum: 0 }
    }
}

impl Latency {
    pub(super) fn record(&mut self, took: Duration) {
        let micros = took.as_secs().saturating_mul(1_000_000).saturating_add(took.subsec_micros().into());
        let micros = micros.min(LONGEST);
        // It grows as it has to, and a day is far from where it could not.
        let _ = self.micros.record(micros);
        self.sum = self.sum.saturating_add(micros);
    }

    pub(super) fn add(&mut self, other: &Latency) {
        let _ = self.micros.add(&other.micros);
        self.sum = self.sum.saturating_add(other.sum);
    }

    pub(super) fn count(&self) -> u64 {
        self.micros.len()
    }

    /// In seconds.
    pub(super) fn sum(&self) -> f64 {
        seconds(self.sum)
    }

    /// How many took at most each of [`BOUNDS`] and more than the one before, then the rest; bounds in seconds.
    pub(super) fn buckets(&self) -> Vec<(f64, u64)> {
        let mut below = 0;
        let mut between = |bound: f64, upto: u64| {
            let count = upto.saturating_sub(below);
            below = below.max(upto);
            (bound, count)
        };
        let mut buckets: Vec<_> = BOUNDS
            .iter()
            .map(|bound| between(seconds(*bound), self.micros.count_between(0, *bound)))
            .collect();
        buckets.push(between(f64::INFINITY, self.count()));
        buckets
    }

    pub(super) fn snapshot(&self) -> LatencySnapshot {
        let quantile = |quantile| millis(self.micros.value_at_quantile(quantile));
        LatencySnapshot {
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
            max_ms: millis(self.micros.max()),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a day in microseconds is exact")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a day in microseconds is exact")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(millis: impl Iterator<Item = u64>) -> Latency {
        let mut latency = Latency::default();
        millis.for_each(|millis| latency.record(Duration::from_millis(millis)));
        latency
    }

    #[test]
    fn tells_percentiles_to_one_per_cent() {
        let shown = latency(1..=1_000).snapshot();
        for (found, expected) in
            [(shown.p50_ms, 500.0), (shown.p90_ms, 900.0), (shown.p99_ms, 990.0), (shown.max_ms, 1_000.0)]
        {
            assert!((found - expected).abs() / expected < 0.01, "{found} for {expected}");
        }
    }

    #[test]
    fn puts_each_call_into_one_bucket() {
        let mut all = latency([1, 1, 2, 30, 90_000].into_iter());
        all.add(&latency([7].into_iter()));
        let buckets = all.buckets();
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 6);
        let counted: Vec<_> = buckets.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(0.001, 2), (0.0025, 1), (0.01, 1), (0.05, 1), (f64::INFINITY, 1)]);
        assert!((all.sum() - 90.041).abs() < 1e-9, "{}", all.sum());
    }

    #[test]
    fn takes_any_duration() {
        let mut latency = Latency::default();
        latency.record(Duration::MAX);
        latency.record(Duration::ZERO);
        assert_eq!(latency.count(), 2);
    }
}
