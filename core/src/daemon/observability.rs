//! What can be seen of the daemon from outside, where a person configured it: metrics are served, traces are sent.

use std::{sync::Arc, time::Duration};

use astros_protocol::Error;
use tokio::{sync::oneshot, time::timeout};

use super::{Daemon, config::Config, misconfigured};
use crate::{
    observe::{Endpoint, Traces},
    router::Router,
};

/// How long the end waits for traces that are still to be sent.
const FLUSH: Duration = Duration::from_secs(1);

impl Daemon {
    /// Serves the metrics until the endpoint is dropped, where an address is configured: for a daemon that stays.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn serve_metrics(&self) -> Result<Option<Endpoint>, Error> {
        let setup = self.setup();
        let Some(address) = setup.config.observability.prometheus else { return Ok(None) };
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "the metrics can be read by every machine that reaches this address");
        }
        let router = self.router.clone();
        let endpoint = Endpoint::bind(address, router.metrics().clone(), move || {
            let plugins = router.plugins().into_iter();
            plugins.map(|plugin| (plugin.name.clone(), plugin.supervisor().status().state.as_str())).collect()
        });
        endpoint.await.map(Some).map_err(|error| {
            let file = setup.config.path.display();
            misconfigured(format!(
                "the metrics cannot be served at `{address}`: {error}; `observability.prometheus` in `{file}` names another address"
            ))
        })
    }
}

/// The way to the collector that is configured. Where there is none in the end, only traces are missing.
pub(super) fn traces(config: &Config) -> Option<Arc<Traces>> {
    let endpoint = config.observability.otlp.as_ref()?;
    let traces = Traces::start(endpoint);
    traces.inspect_err(|error| tracing::error!(endpoint, error, "traces cannot be sent")).ok().map(Arc::new)
}

/// Sends the traces that wait, for a moment at most.
pub(super) async fn flush(router: &Router) {
    let Some(traces) = router.traces().cloned() else { return };
    let (done, sent) = oneshot::channel();
    // A thread of its own, which nobody waits for any longer.
    std::thread::spawn(move || {
        traces.stop(FLUSH);
        let _ = done.send(());
    });
    let _ = timeout(FLUSH, sent).await;
}
