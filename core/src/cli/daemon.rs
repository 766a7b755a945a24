//! `astros daemon`: runs the daemon that stays, and stops it.

use std::{net::SocketAddr, process::ExitCode, thread, time::Duration};

use astros_protocol::{Error, ErrorCode};
use serde_json::json;
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::{
    output::{self, Output},
    own_log,
};
use crate::{
    control::{self, Client, Signal, Signals, api::ControlClient, client::answered},
    daemon::{Options, service},
    supervisor,
};

/// Told to stop a second time it has so long to do it; whatever it hangs on, it is ended then.
const GRACE: Duration = Duration::from_secs(2);

/// Runs it until it is told to stop.
pub(super) async fn run(
    options: Options,
    listen: Option<SocketAddr>,
    detached: bool,
) -> Result<ExitCode, Error> {
    supervisor::raise_open_files();
    if detached {
        // It fails for who leads a session already, and that is what is wanted.
        let _ = nix::unistd::setsid();
        tokio::spawn(own_log::keep_short(own_log::path(&options.paths()?)));
    }
    control::run(options, listen, signals()?).await?;
    Ok(ExitCode::SUCCESS)
}

/// Stops the one that runs, and waits until it is gone.
pub(super) async fn stop(daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    let pid = daemon.hello().pid;
    answered(daemon.stop().await)?;
    daemon.gone().await;
    match output.json {
        true => output.print_json(&json!({ "pid": pid, "stopped": true })),
        false => output.print(&format!("the daemon (pid {pid}) is stopped")),
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the unit of systemd's that runs it, or shows it.
pub(super) fn install(print: bool, force: bool, output: &Output) -> Result<ExitCode, Error> {
    let text = service::install(force, print)?;
    match output.json {
        true => output.print_json(&json!({ if print { "unit" } else { "message" }: text })),
        false => output.print(text.trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}

/// What the process is told by signals. They are heard in a thread of their own, so that a daemon that hangs can be
/// ended by them.
fn signals() -> Result<Signals, Error> {
    let unseen = |error| Error::new(ErrorCode::INTERNAL_ERROR, format!("signals cannot be seen: {error}"));
    let listen = |kind| signal(kind).map_err(unseen);
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    let (sender, signals) = mpsc::channel(16);
    let tell = async move {
        let mut stops = 0;
        while stops < 2 {
            let told = tokio::select! {
                _ = interrupt.recv() => Signal::Stop,
                _ = terminate.recv() => Signal::Stop,
                _ = hangup.recv() => Signal::Reload,
            };
            stops += usize::from(told == Signal::Stop);
            // One that hangs takes none.
            let _ = sender.try_send(told);
        }
        tokio::time::sleep(GRACE).await;
        std::process::exit(output::exit_code(ErrorCode::CANCELLED).into());
    };
    let hear = move || match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(tell),
        Err(error) => tracing::error!("{}", unseen(error)),
    };
    thread::Builder::new().name("signals".to_owned()).spawn(hear).map_err(unseen)?;
    Ok(signals)
}
