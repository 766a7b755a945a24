//! A client of the control API: to the daemon that runs, or to one that is embedded in this process.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use astros_protocol::{Error, ErrorCode};
use jsonrpsee::{
    client_transport::ws::{Url, WsTransportClientBuilder},
    core::client::{Client as Rpc, ClientBuilder, Error as ClientError, Subscription},
};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    api::{Answer, CONTROL_VERSION, ControlClient, Hello, News},
    failure::{self, no_daemon},
    server::{MAX_REQUEST, MAX_RESPONSE},
    socket,
    streams::{Lease, Lent},
};
use crate::{daemon::Finished, supervisor::Streams, workflow::Report};

/// A daemon that does not even say who it is in this time is halted, or wedged.
const HELLO: Duration = Duration::from_secs(5);
/// How often it is looked whether a daemon that went away has let go of its place.
const INTERVAL: Duration = Duration::from_millis(5);
/// A plugin that is stopped or started has limits of its own, which are shorter.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// News that wait to be taken; who lets more come is taken for gone.
const MAX_WAITING: usize = 16 << 10;

/// A connected client; the methods are those of [`ControlClient`], their errors become ours by [`answered`].
pub struct Client {
    rpc: Rpc,
    hello: Hello,
    /// Of a daemon that stays.
    runtime: Option<PathBuf>,
    /// Of one that is embedded.
    lent: Option<Arc<Lent>>,
}

impl Deref for Client {
    type Target = Rpc;

    fn deref(&self) -> &Rpc {
        &self.rpc
    }
}

impl Client {
    /// Connects to the daemon of the runtime folder; none where no daemon runs.
    ///
    /// # Errors
    /// It runs and cannot be reached, does not answer, or is of another control version.
    pub async fn connect(runtime: &Path) -> Result<Option<Client>, Error> {
        let Some(stream) = socket::connect(runtime).await? else { return Ok(None) };
        let client = Client::over(stream).await?;
        Ok(Some(Client { runtime: Some(runtime.to_owned()), ..client }))
    }

    /// Speaks with the daemon at the other end of a stream.
    ///
    /// # Errors
    /// It does not answer, or is of another control version.
    pub async fn over<S>(stream: S) -> Result<Client, Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let url = Url::parse("ws://localhost/").map_err(|error| failure::gone(&error.to_string()))?;
        let transport = WsTransportClientBuilder { max_request_size: MAX_REQUEST, ..Default::default() };
        let transport = transport.max_response_size(MAX_RESPONSE);
        let greeting = async {
            let connected = transport.build_with_stream(url, stream).await;
            let (sender, receiver) = connected.map_err(|error| failure::gone(&error.to_string()))?;
            let builder = ClientBuilder::new().request_timeout(LONGEST);
            let builder = builder.max_buffer_capacity_per_subscription(MAX_WAITING);
            let rpc: Rpc = builder.build_with_tokio(sender, receiver);
            let hello = answered(rpc.hello().await)?;
            Ok((rpc, hello))
        };
        let greeted = tokio::time::timeout(HELLO, greeting).await;
        let (rpc, hello) = greeted.unwrap_or_else(|_| Err(does_not_answer()))?;
        check_version(&hello)?;
        Ok(Client { rpc, hello, runtime: None, lent: None })
    }

    /// It lends its streams to a daemon of this process.
    pub(super) fn lending(self, lent: Arc<Lent>) -> Client {
        Client { lent: Some(lent), ..self }
    }

    /// Lends streams to the daemon, for what it is to run on them.
    ///
    /// # Errors
    /// It went away, or is not reached by a socket.
    pub async fn lend(&self, streams: Streams) -> Result<Lease, Error> {
        match (&self.lent, &self.runtime) {
            (Some(lent), _) => Ok(Lease::here(lent, streams)),
            (None, Some(runtime)) => Lease::over(runtime, &streams).await,
            (None, None) => Err(failure::gone("it is not reached by a socket, and takes no streams")),
        }
    }

    /// Resolves when the daemon went away, and another one may take its place.
    pub async fn gone(&self) {
        self.rpc.on_disconnect().await;
        let deadline = Instant::now() + HELLO;
        while self.runtime.as_deref().is_some_and(socket::is_claimed) && Instant::now() < deadline {
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Who answers.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }
}

/// What a method answered, with an error of ours.
///
/// # Errors
/// The daemon's own, or `no_daemon` where it went away.
pub fn answered<T>(answer: Result<T, ClientError>) -> Result<T, Error> {
    answer.map_err(|error| failure::from_client(&error))
}

/// What a subscription to news began with.
pub type Begun = Result<Subscription<News>, ClientError>;

/// Follows a request of `ask` or `call` to its end; `hear` is told the news before it. Dropped, the request is
/// taken back.
///
/// # Errors
/// The request's own, or `no_daemon` where the daemon went away.
pub async fn follow(begun: Begun, mut hear: impl FnMut(News)) -> Result<Answer, Error> {
    let last = |news| match news {
        News::Answer(answer) => Some(*answer),
        other => {
            hear(other);
            None
        }
    };
    follow_to(begun, last).await
}

/// Follows a run of a workflow to its report, as [`follow`] does a request.
///
/// # Errors
/// As [`follow`].
pub async fn follow_run(begun: Begun, mut hear: impl FnMut(News)) -> Result<Report, Error> {
    let last = |news| match news {
        News::Report(report) => Some(*report),
        other => {
            hear(other);
            None
        }
    };
    follow_to(begun, last).await
}

async fn follow_to<T>(begun: Begun, mut last: impl FnMut(News) -> Option<T>) -> Result<T, Error> {
    let mut news = answered(begun)?;
    while let Some(item) = news.next().await {
        match answered(item.map_err(ClientError::ParseError))? {
            News::Error(error) => return Err(error),
            other => {
                if let Some(outcome) = last(other) {
                    return Ok(outcome);
                }
            }
        }
    }
    Err(failure::gone("its news ended without an outcome"))
}

/// Follows a command to its end, as [`follow`] does a request. Dropped, it is killed.
///
/// # Errors
/// Its plugin's, or `no_daemon` where the daemon went away.
pub async fn follow_command(begun: Begun, mut hear: impl FnMut(News)) -> Result<Finished, Error> {
    let last = |news| match news {
        News::Finished(finished) => Some(finished),
        other => {
            hear(other);
            None
        }
    };
    follow_to(begun, last).await
}

fn does_not_answer() -> Error {
    let message = format!("the daemon runs and does not answer within {} s", HELLO.as_secs());
    no_daemon(message)
        .with_hint("it may be halted; when it was ended (SIGTERM, SIGKILL) the command works without it")
}

fn check_version(hello: &Hello) -> Result<(), Error> {
    let Hello { control_version, version, pid, .. } = hello;
    if *control_version == CONTROL_VERSION {
        return Ok(());
    }
    let message = format!(
        "the running daemon (pid {pid}, astros {version}) speaks version {control_version} of the control API, \
         this command (astros {}) speaks {CONTROL_VERSION}",
        env!("CARGO_PKG_VERSION")
    );
    let older = if *control_version < CONTROL_VERSION { "daemon" } else { "command" };
    let hint = format!(
        "the {older} is the older one: stop the daemon (`kill {pid}`) and start that of this version"
    );
    Err(Error::new(ErrorCode::UNSUPPORTED_VERSION, message).with_hint(hint))
}
