//! The daemon of this home, where one runs, and what it has to say of its plugins.

use super::Check;
use crate::{
    control::{
        Client,
        api::{ControlClient, Problem},
        client::answered,
        is_claimed,
    },
    daemon::paths::Paths,
};

const NAME: &str = "daemon";

pub(super) async fn checks(paths: &Paths) -> Vec<Check> {
    let client = match Client::connect(&paths.runtime).await {
        Ok(Some(client)) => client,
        Ok(None) if is_claimed(&paths.runtime) => {
            return vec![Check::ok(NAME, "it is being started or stopped")];
        }
        Ok(None) => return vec![Check::ok(NAME, "does not run: commands do without it")],
        Err(error) => {
            let hint =
                error.data.and_then(|data| data.hint).unwrap_or_else(|| "astros daemon stop".to_owned());
            return vec![Check::problem(NAME, error.message, hint)];
        }
    };
    let mut checks = vec![version(&client)];
    match answered(client.status().await) {
        Ok(status) => checks.extend(status.problems.iter().map(told)),
        Err(error) => checks.push(Check::problem(NAME, error.message, "astros daemon stop")),
    }
    if let Ok(plugins) = answered(client.list().await) {
        let weak = plugins.iter().filter_map(|plugin| {
            let sandbox = plugin.sandbox.as_ref().filter(|sandbox| *sandbox != "full")?;
            let fix = format!("astros plugins show {}", plugin.name);
            Some(Check::warning(
                format!("plugin {}", plugin.name),
                format!("runs with the sandbox `{sandbox}`"),
                fix,
            ))
        });
        checks.extend(weak);
    }
    checks
}

fn version(client: &Client) -> Check {
    let (hello, own) = (client.hello(), env!("CARGO_PKG_VERSION"));
    let what = format!("astros {} runs, pid {}", hello.version, hello.pid);
    if hello.version == own {
        return Check::ok(NAME, what);
    }
    let what = format!("{what}; this command is {own}");
    Check::warning(NAME, what, "astros daemon stop   # the next one is of this version")
}

fn told(problem: &Problem) -> Check {
    let name = problem.plugin.as_ref().map_or_else(|| NAME.to_owned(), |plugin| format!("plugin {plugin}"));
    let what = match &problem.state {
        Some(state) => format!("{state}: {}", problem.what),
        None => problem.what.clone(),
    };
    let fix = problem.hint.clone().unwrap_or_else(|| "astros status".to_owned());
    // What stopped for lack of something is a problem, news about the daemon are not.
    if problem.plugin.is_some() { Check::problem(name, what, fix) } else { Check::warning(name, what, fix) }
}
