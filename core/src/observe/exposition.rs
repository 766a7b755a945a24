//! The metrics as text that Prometheus reads (OpenMetrics 1.0). Labels are bounded: plugins that are installed, 64
//! handlers of each, and sets of names that stand in the code.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::Registry,
};

use super::{Metrics, life::Counts, life::Life, plugin::Reading};

/// The content type of what [`text`] gives.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The name of each plugin, and of its state.
pub type States = Vec<(Arc<str>, &'static str)>;

/// Everything that is counted, as it is now.
pub(super) fn text(metrics: &Arc<Metrics>, states: States) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Exposition { metrics: metrics.clone(), states }));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Exposition {
    metrics: Arc<Metrics>,
    states: States,
}

impl Collector for Exposition {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let plugins: Vec<Reading> = self.metrics.all().iter().map(|plugin| plugin.read()).collect();
        let mut page = Page { encoder, plugins };
        page.daemon(&self.metrics)?;
        page.states(&self.states)?;
        page.calls()?;
        page.lives()
    }
}

struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
    plugins: Vec<Reading>,
}

impl Page<'_> {
    fn daemon(&mut self, metrics: &Metrics) -> fmt::Result {
        let mut info =
            self.encoder.encode_descriptor("astros_build", "The daemon that runs", None, MetricType::Info)?;
        info.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        let help = "When the daemon began to count, in seconds since 1970";
        let mut start =
            self.encoder.encode_descriptor("astros_start_time_seconds", help, None, MetricType::Gauge)?;
        start.encode_gauge(&metrics.since().as_second())
    }

    fn calls(&mut self) -> fmt::Result {
        let Page { encoder, plugins } = self;
        let help = "Calls that ended, by outcome: `ok` or the kind of error";
        let mut family = encoder.encode_descriptor("astros_calls", help, None, MetricType::Counter)?;
        for (plugin, handler, calls) in handlers(plugins) {
            let ok = std::iter::once(("ok", calls.ok)).filter(|(_, count)| *count > 0);
            for (outcome, count) in ok.chain(calls.errors.iter().map(|(kind, count)| (*kind, *count))) {
                let labels = [("plugin", plugin), ("handler", handler), ("outcome", outcome)];
                counter(family.encode_family(&labels)?, count)?;
            }
        }
        let help = "From a request to its outcome, waiting included, of calls that the plugin had begun";
        let mut family =
            encoder.encode_descriptor("astros_call_duration_seconds", help, None, MetricType::Histogram)?;
        for (plugin, handler, calls) in handlers(plugins) {
            if let Some(latency) = &calls.latency {
                family
                    .encode_family(&[("plugin", plugin), ("handler", handler)])?
                    .encode_histogram::<NoLabelSet>(
                        latency.sum(),
                        latency.count(),
                        &latency.buckets(),
                        None,
                    )?;
            }
        }
        let help = "Calls that go on, those that wait included";
        let mut family =
            encoder.encode_descriptor("astros_calls_in_flight", help, None, MetricType::Gauge)?;
        for plugin in plugins.iter() {
            family.encode_family(&[("plugin", &*plugin.name)])?.encode_gauge(&plugin.in_flight)?;
        }
        self.by_reason(
            "astros_calls_refused",
            "Calls that were refused before the plugin was asked",
            "reason",
            |life| &life.refusals,
        )
    }

    fn states(&mut self, states: &States) -> fmt::Result {
        let help = "1 for the state that a plugin is in";
        let mut family =
            self.encoder.encode_descriptor("astros_plugin_state", help, None, MetricType::Gauge)?;
        for (plugin, state) in states {
            family.encode_family(&[("plugin", &**plugin), ("state", *state)])?.encode_gauge(&1_u32)?;
        }
        Ok(())
    }

    fn lives(&mut self) -> fmt::Result {
        self.total("astros_plugin_restarts", "Starts after a crash", |life| life.restarts)?;
        let help = "Processes that ended though nobody had asked them to";
        self.by_reason("astros_plugin_crashes", help, "reason", |life| &life.crashes)?;
        self.total("astros_plugin_kills", "Processes that AstrOS killed", |life| life.kills)?;
        let help = "What a plugin wanted to do and was not granted";
        self.by_reason("astros_plugin_denials", help, "permission", |life| &life.denials)?;
        let help = "What should not have come from a plugin, and was dropped";
        self.by_reason("astros_plugin_oddities", help, "kind", |life| &life.oddities)?;
        let help = "Lines of a plugin's log that came faster than they could be written";
        self.total("astros_plugin_log_lines_dropped", help, |life| life.dropped_log_lines)?;
        let help = "Messages of the bus that a plugin published, that it was given, and that were lost on the way to it";
        self.by_reason("astros_bus_messages", help, "event", |life| &life.bus)?;
        let help = "Requests to hosts of the network that the plugin was granted";
        self.total("astros_network_requests", help, |life| life.requests)?;
        let help = "Bytes to and from these hosts";
        self.by_reason("astros_network_bytes", help, "direction", |life| &life.bytes)
    }

    fn total(&mut self, name: &str, help: &str, count: impl Fn(&Life) -> u64) -> fmt::Result {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for plugin in &self.plugins {
            counter(family.encode_family(&[("plugin", &*plugin.name)])?, count(&plugin.life))?;
        }
        Ok(())
    }

    fn by_reason(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: impl Fn(&Life) -> &Counts,
    ) -> fmt::Result {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for plugin in &self.plugins {
            for (reason, count) in counts(&plugin.life) {
                let labels = [("plugin", &*plugin.name), (label, *reason)];
                counter(family.encode_family(&labels)?, *count)?;
            }
        }
        Ok(())
    }
}

fn handlers(plugins: &[Reading]) -> impl Iterator<Item = (&str, &str, &super::plugin::Handler)> {
    plugins.iter().flat_map(|plugin| {
        plugin.handlers.iter().map(|(handler, calls)| (&*plugin.name, handler.as_str(), calls))
    })
}

fn counter(mut encoder: MetricEncoder<'_>, count: u64) -> fmt::Result {
    encoder.encode_counter::<NoLabelSet, _, u64>(&count, None)
}
