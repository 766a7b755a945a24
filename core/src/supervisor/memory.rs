//! A plugin that is no process: what is above the supervisor is tested and fuzzed with it, on a clock that can be paused.

use std::{sync::Arc, time::Duration};

use astros_peer::{Options, Peer, connect};
use astros_protocol::lifecycle::{Initialize, InitializeResult, Sandbox};
use tokio::{
    io::DuplexStream,
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{
    Containment, Crash, Event, Host, Session, Spec, Supervisor,
    session::Work,
    state::State,
    task::next_generation,
    view::{Shared, Standing, View},
};

/// Between the end of a connection and the next one.
const PAUSE: Duration = Duration::from_millis(10);

impl Supervisor {
    /// Supervises a plugin at the other end of a stream; `begin` is asked for the host's end of each. When one ends, the
    /// plugin counts as crashed, and soon there is the next; unless `max_restarts` in a row answered no `initialize`.
    pub fn in_memory<H: Host>(
        spec: Spec,
        host: Arc<H>,
        begin: impl FnMut() -> DuplexStream + Send + 'static,
    ) -> Supervisor {
        let teller = host.clone();
        let tell = Box::new(move |event| teller.event(event));
        let shared = Arc::new(Shared::new(spec, Standing::Serves, tell));
        let view = View {
            state: State::Initializing,
            since: Instant::now().into_std(),
            session: None,
            pid: None,
            restarts: 0,
            last: None,
        };
        let (views, seen) = watch::channel(vec![view]);
        tokio::spawn(live(shared.clone(), host, views, begin));
        Supervisor { shared, instances: Arc::new([]), views: seen }
    }
}

/// One connection after the other, until nobody holds a handle any more.
async fn live<H: Host>(
    shared: Arc<Shared>,
    host: Arc<H>,
    views: watch::Sender<Vec<View>>,
    mut begin: impl FnMut() -> DuplexStream,
) {
    let (mut number, mut failed, plugin) = (0, 0, shared.plugin.clone());
    loop {
        let generation = next_generation();
        let (input, output) = tokio::io::split(begin());
        let (peer, connection) =
            connect(input, output, host.service(&plugin, generation), Options::default());
        let (ended, seen) = watch::channel(None);
        let serving = async {
            let answer = initialize(&shared.spec(), &peer).await?;
            let description = Arc::new(answer.plugin);
            shared.tell(Event::Described { plugin: plugin.clone(), description: description.clone() });
            let session = Arc::new(Session {
                plugin: plugin.clone(),
                peer,
                description,
                version: answer.protocol_version,
                features: answer.features,
                limits: answer.limits,
                pid: 0,
                containment: Containment::Group,
                sandbox: Sandbox::None,
                files: None,
                generation,
                work: Arc::new(Work::new()),
                ended: seen,
            });
            views.send_modify(|views| {
                (views[0].state, views[0].session) = (State::Ready, Some(session.clone()));
            });
            Err::<(), _>(format!("{} and was killed", session.failed().await))
        };
        let exit = tokio::select! {
            () = connection.run() => "closed its output".to_owned(),
            Err(what) = serving => what,
            () = views.closed() => return,
        };
        number += 1;
        failed = if views.borrow()[0].session.is_some() { 0 } else { failed + 1 };
        let given_up = failed > shared.spec().supervision.max_restarts;
        let (until, reason) = ((Instant::now() + PAUSE).into_std(), exit.clone());
        views.send_modify(|views| {
            views[0].session = None;
            views[0].state = match given_up {
                true => State::Quarantined { until: None, reason },
                false => State::Restarting { until, number, reason },
            };
        });
        ended.send_replace(Some(Crash { exit, ..Crash::default() }));
        if given_up {
            return;
        }
        sleep(PAUSE).await;
    }
}

async fn initialize(spec: &Spec, peer: &Peer) -> Result<InitializeResult, String> {
    let (params, limit) = (spec.initialize_params(0, Sandbox::None), spec.supervision.initialize_timeout);
    match timeout(limit, peer.request::<Initialize>(&params)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failure)) => Err(failure.to_string()),
        Err(_) => Err("did not answer `initialize`".to_owned()),
    }
}
