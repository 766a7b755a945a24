//! The process: one thread that serves the host until it is gone or asks to end.

use std::{
    env,
    io::{self, IsTerminal},
    process::ExitCode,
    time::Duration,
};

use astros_peer::{Options, connect};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    signal::unix::{SignalKind, signal},
    time::{Instant, timeout_at},
};

use crate::{
    Plugin,
    dispatch::{Dispatcher, Server},
    stdio::Descriptors,
};

/// How long a plugin may clean up once its host is gone.
const LAST_WORK: Duration = Duration::from_secs(5);
/// The status of a plugin that was started by hand, or could not serve.
const NOT_SERVED: u8 = 2;

pub(crate) fn run(plugin: Plugin) -> ExitCode {
    let rpc_fds = env::var("ASTROS_RPC_FDS").ok();
    let by_hand = rpc_fds.is_none() && io::stdin().is_terminal();
    if by_hand || env::var_os("ASTROS_PROTOCOL").is_none() {
        explain(&plugin);
        return ExitCode::from(NOT_SERVED);
    }
    let name = plugin.description.name.clone();
    // Beside a person's streams: what their terminal sends means what it means to any program.
    let in_foreground = rpc_fds.is_some();
    let served = rpc_fds.map_or_else(Descriptors::take, |list| Descriptors::named(&list));
    match served.and_then(|descriptors| serve_process(plugin, descriptors, in_foreground)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: `{name}` cannot serve: {error}");
            ExitCode::from(NOT_SERVED)
        }
    }
}

fn explain(plugin: &Plugin) {
    let description = &plugin.description;
    eprintln!("`{}` {} is a plugin of AstrOS", description.name, description.version);
    if !description.description.is_empty() {
        eprintln!("  {}", description.description);
    }
    eprintln!("  it speaks the plugin protocol on stdin and stdout; `astros` starts it:");
    match (description.handlers.first(), description.commands.first()) {
        (None, Some(command)) => eprintln!("  astros --plugin-dir DIR {} --help", command.name),
        (handler, _) => {
            let handler = handler.map_or("HANDLER", |handler| &handler.name);
            eprintln!(
                "  astros --plugin-dir DIR plugins call {} {handler} --params '{{}}'",
                description.name
            );
        }
    }
    eprintln!("  (DIR is the folder that it is in)");
}

fn serve_process(plugin: Plugin, descriptors: Descriptors, in_foreground: bool) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let until = runtime.block_on(async {
        let (input, output) = descriptors.open()?;
        if in_foreground {
            return Ok(serve(plugin, input, output, std::future::pending()).await);
        }
        let mut terminate = signal(SignalKind::terminate())?;
        // Ctrl-C in the terminal of the host reaches its whole group; the host decides what it means.
        let _interrupt = signal(SignalKind::interrupt())?;
        let asked_to_end = async move {
            terminate.recv().await;
        };
        io::Result::Ok(serve(plugin, input, output, asked_to_end).await)
    })?;
    // Blocking handlers have seen that their requests are taken back; who does not end in time is cut off.
    runtime.shutdown_timeout(until.saturating_duration_since(Instant::now()));
    Ok(())
}

/// Serves until the input ends or `stop` resolves, then runs the plugin's own clean-up, within bounds.
/// Gives the moment by which everything has to have ended.
pub(crate) async fn serve<R, W>(
    plugin: Plugin,
    input: R,
    output: W,
    stop: impl Future<Output = ()>,
) -> Instant
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let dispatcher = Dispatcher::new(plugin);
    let options = Options {
        answer_malformed: true,
        stalled_after: None,
        max_answer_bytes: usize::MAX,
        ..Options::default()
    };
    let (peer, connection) = connect(input, output, Server(dispatcher.clone()), options);
    let connection = connection.run();
    tokio::pin!(connection);
    tokio::select! {
        () = &mut connection => {
            let until = Instant::now() + LAST_WORK;
            let _ = timeout_at(until, dispatcher.stop(peer)).await;
            until
        }
        () = stop => {
            let until = Instant::now() + LAST_WORK;
            // The host is still there, and serves the clean-up too.
            tokio::select! {
                _ = timeout_at(until, dispatcher.stop(peer.clone())) => {}
                () = connection => drop(timeout_at(until, dispatcher.stop(peer)).await),
            }
            until
        }
    }
}
