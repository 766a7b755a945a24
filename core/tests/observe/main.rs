//! What can be seen of real processes: numbers, a scrape as Prometheus makes it, spans as a collector gets them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod host;
mod metrics;
mod traces;
