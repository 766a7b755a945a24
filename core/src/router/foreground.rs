//! One request to a plugin in a person's foreground: a process of its own for it, with the person's terminal, as a root of
//! the call tree. It has no deadline, takes no slot, and nothing of the plugin's other processes is touched.

use std::{path::PathBuf, pin::pin, sync::Arc};

use astros_peer::Failure;
use astros_protocol::{Error, ErrorCode, Extra, Id, Meta, Request, manifest::Exit};
use rustix::process::Signal;
use tokio::sync::mpsc;

use super::{
    LONGEST, Named, Plugin, Router, errors,
    reach::{self, Out},
    tree::{Link, Node, Root},
    wire::Traceparent,
};
use crate::supervisor::{
    Absent, Ending, FileAccess, Foreground, InForeground, OutOfReach, Secrets, Signalled, Spec, Streams,
};

/// What is run, by whom and where.
pub struct Run<'a> {
    pub plugin: &'a str,
    /// What is run, in the chain of calls and in counts.
    pub name: &'a str,
    /// The person's folder, absolute and without links.
    pub cwd: PathBuf,
    /// What they name: the process may read and write what is there of it.
    pub named: Vec<Named>,
    /// What they name and is not there: the process may make it.
    pub absent: Vec<Absent>,
    /// Their environment, of which it gets how their terminal and language are, and what is the plugin's.
    pub environment: Vec<(String, String)>,
    /// The plugin's settings and what of them is secret, where that environment has other ones than the daemon's.
    pub settings: Option<(Extra, Secrets)>,
    pub streams: Streams,
    pub root: Arc<Root>,
    pub signals: mpsc::Receiver<Signalled>,
}

/// What came of it; and what it made that did not get to its place.
#[derive(Debug)]
pub enum Outcome<R> {
    Answered(R, Vec<String>),
    /// Its process ended without an answer.
    Ended(Ending, Vec<String>),
}

impl Router {
    /// Runs it. Dropped, its process is killed with all that it started.
    ///
    /// # Errors
    /// The plugin does not start, does not see what the person names, or answers with an error.
    pub async fn run<R: Request>(
        &self,
        run: Run<'_>,
        params: impl FnOnce(Meta) -> R::Params,
    ) -> Result<Outcome<R::Result>, Error> {
        let plugin = self.plugin(run.plugin)?;
        let timer = plugin.metrics.begin(run.name);
        let outcome = self.in_foreground::<R>(&plugin, run, params).await;
        timer.end(outcome.as_ref().err());
        outcome
    }

    async fn in_foreground<R: Request>(
        &self,
        plugin: &Plugin,
        run: Run<'_>,
        params: impl FnOnce(Meta) -> R::Params,
    ) -> Result<Outcome<R::Result>, Error> {
        let Run { name, cwd, named, absent, environment, settings, streams, root, mut signals, .. } = run;
        root.questions.iter().for_each(|questions| questions.lend(&plugin.name));
        let supervisor = plugin.supervisor();
        let paths = named.iter().map(|one| one.path.clone()).collect();
        let foreground = Foreground { cwd, paths, absent, environment, settings };
        self.sees(plugin, &foreground, named, &root).await?;
        let _running = plugin.in_foreground();
        let mut forbidden = pin!(plugin.forbidden(&supervisor));
        let mut process = tokio::select! {
            started = InForeground::start(&supervisor, &plugin.host, foreground, streams) => started?,
            signal = fatal(&mut signals) => return Ok(Outcome::Ended(by(signal), Vec::new())),
            why = &mut forbidden => return Err(why),
        };
        let secrets = process.secrets().clone();
        let link = Link::extend(None, &plugin.name, name)?;
        let node = Node::new(root.clone(), link, root.clock.now() + LONGEST, None);
        let id = process.peer().next_id();
        let connection = (plugin.number, process.generation);
        let open = self.open(connection, Id::Number(id), &node);
        let params = params(meta(&node));
        let (mut answer, _) = process.peer().call_holding(id, R::METHOD, &params, node.clone(), false);
        let answer = tokio::select! {
            biased;
            answer = &mut answer => answer,
            () = process.attend(&mut signals) => {
                process.hear_out().await;
                answer.await
            }
            why = &mut forbidden => {
                if why.code != ErrorCode::SHUTTING_DOWN {
                    // It is not to go on with what it may no longer while it is asked to end.
                    let (_, lost) = process.end().await;
                    return Err(with_lost(why, &lost));
                }
                Err(Failure::Here(why))
            }
        };
        drop(open);
        let answer = match answer {
            Err(Failure::Closed | Failure::Unsent) => {
                let (ending, lost) = process.end().await;
                return Ok(Outcome::Ended(ending, lost));
            }
            answer => answer,
        };
        tokio::select! {
            () = process.stop("what it was started for is done") => {}
            _ = fatal(&mut signals) => {}
        }
        let (_, lost) = process.end().await;
        match answer {
            Ok(result) => {
                let result = serde_json::from_str(result.get()).map_err(|error| {
                    let message =
                        format!("the answer of `{}` to `{}` does not fit: {error}", plugin.name, R::METHOD);
                    with_lost(Error::new(ErrorCode::BAD_RESPONSE, message).with_plugin(&*plugin.name), &lost)
                });
                result.map(|result| Outcome::Answered(result, lost))
            }
            Err(Failure::Error(mut error)) => {
                secrets.hide_in_error(&mut error);
                Err(with_lost(errors::from_plugin(error, &plugin.name, name), &lost))
            }
            Err(Failure::Here(error)) => Err(with_lost(errors::failed_here(error, plugin, name), &lost)),
            Err(failure) => Err(Error::new(ErrorCode::PLUGIN_CRASHED, failure.to_string())),
        }
    }

    /// Refuses what the process would not see: inside of its sandbox nobody could say why.
    async fn sees(
        &self,
        plugin: &Plugin,
        foreground: &Foreground,
        mut named: Vec<Named>,
        root: &Root,
    ) -> Result<(), Error> {
        let cwd = foreground.cwd.clone();
        let spec = Spec { foreground: Some(foreground.clone()), ..(*plugin.supervisor().spec()).clone() };
        named.retain(|one| one.surely);
        named.insert(0, Named { path: cwd, surely: true });
        let absent = foreground.absent.clone().into_iter().filter(|one| one.surely);
        let unseen = reach::blocking(move || {
            let reach = FileAccess::of(&spec)?;
            let named = named.into_iter().map(|one| (one.path, false));
            let mut all = named.chain(absent.map(|one| (one.path, true)));
            all.find_map(|(path, writes)| {
                let seen = if writes { reach.check_unseen(&path, true) } else { reach.check(&path, false) };
                let why = seen.err()?;
                let said = reach.permission(&path, writes);
                Some((Out { path, why, said, by_link: false }, writes))
            })
        });
        match unseen.await {
            None => Ok(()),
            Some((out, writes)) => Err(match out.why.clone() {
                OutOfReach::Own => reach::own(&plugin.name, &out.path),
                OutOfReach::Needs(permission) => {
                    let error =
                        self.out_of_reach(&plugin.name, (None, true), &out, &permission, writes, root);
                    match error.hint() {
                        Some(_) => error,
                        None => error.with_hint("no grant allows that; name another path"),
                    }
                }
            }),
        }
    }
}

/// An error that also tells what did not get to its place.
fn with_lost(error: Error, lost: &[String]) -> Error {
    let detail = error.data.as_ref().and_then(|data| data.detail.as_deref());
    let all: Vec<_> = detail.into_iter().chain(lost.iter().map(String::as_str)).collect();
    let all = all.join("\n");
    if lost.is_empty() { error } else { error.with_detail(all) }
}

/// Resolves with a signal that ends what has not begun; others are passed over.
async fn fatal(signals: &mut mpsc::Receiver<Signalled>) -> Signal {
    loop {
        let Some(Signalled { signal, done }) = signals.recv().await else {
            return std::future::pending().await;
        };
        let _ = done.send(());
        if [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::KILL].contains(&signal) {
            return signal;
        }
    }
}

fn by(signal: Signal) -> Ending {
    let name = nix::sys::signal::Signal::try_from(signal.as_raw())
        .map_or("SIGKILL", nix::sys::signal::Signal::as_str);
    Ending {
        exit: Some(Exit::Signal(name.to_owned())),
        story: format!("killed by {name} before it was ready"),
    }
}

fn meta(node: &Node) -> Meta {
    let root = &*node.root;
    Meta {
        correlation_id: Some(root.correlation_id.clone()),
        traceparent: serde_json::to_value(Traceparent(&root.correlation_id, node.link.span()))
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned)),
        user_id: root.user_id.clone(),
        session_id: root.session_id.clone(),
        cwd: root.cwd.clone(),
        locale: root.locale.clone(),
        attempt: Some(1),
        ..Meta::default()
    }
}
