//! What can be seen of a running daemon: counters, latencies, traces.
