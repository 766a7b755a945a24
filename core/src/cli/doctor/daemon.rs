//! The daemon of this home, where one runs, and what it has to say of its plugins.

use super::{Check, State};
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

/// Says nothing that stands among `others`.
pub(super) async fn checks(paths: &Paths, others: &[Check]) -> Vec<Check> {
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
        Ok(status) => {
            let news = status.problems.iter().filter(|problem| !is_said(problem, others));
            checks.extend(news.map(told));
            checks.extend(status.needs_setup.iter().map(to_set_up));
        }
        Err(error) => checks.push(Check::problem(NAME, error.message, "astros daemon stop")),
    }
    if let Ok(plugins) = answered(client.list().await) {
        let weak = plugins.iter().filter_map(|plugin| {
            let sandbox = plugin.sandbox.as_ref().filter(|sandbox| *sandbox != "full")?;
            let (name, fix) =
                (format!("plugin {}", plugin.name), format!("astros plugins show {}", plugin.name));
            let is_said = others.iter().any(|one| one.check == name);
            (!is_said).then(|| Check::warning(name, format!("runs with the sandbox `{sandbox}`"), fix))
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
    let fix = problem.hint.as_deref().map(typed);
    // What stopped for lack of something is a problem, news about the daemon are not.
    let state = if problem.plugin.is_some() { State::Problem } else { State::Warning };
    Check { state, fix, ..Check::ok(name, what) }
}

/// It has not been used yet, and nothing is wrong.
fn to_set_up(waits: &Problem) -> Check {
    let name = format!("plugin {}", waits.plugin.as_deref().unwrap_or_default());
    let fix = waits.hint.as_deref().map(typed);
    Check { fix, ..Check::ok(name, format!("needs setup before its first use: {}", waits.what)) }
}

/// Whether another check says the same of a file that the daemon reads.
fn is_said(problem: &Problem, others: &[Check]) -> bool {
    let wrong = others.iter().filter(|one| one.state != State::Ok);
    let same = |one: &Check| {
        let first = one.what.lines().next().unwrap_or_default();
        problem.what.starts_with(first) || one.check == "secrets.yaml" && problem.what.contains(&one.check)
    };
    problem.plugin.is_none() && wrong.into_iter().any(same)
}

/// A hint that begins with a command as it is typed: what it does is a comment then.
fn typed(hint: &str) -> String {
    let command = hint.strip_prefix('`').and_then(|rest| rest.split_once('`'));
    match command.filter(|(command, _)| command.contains(' ') && !command.starts_with(['/', '~'])) {
        Some((command, "")) => command.to_owned(),
        Some((command, does)) => format!("{command}   # {}", does.trim_start_matches([',', ';', ' '])),
        None => hint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_commands_to_type_and_says_nothing_twice() {
        assert_eq!(typed("`astros plugins enable x` shows it"), "astros plugins enable x   # shows it");
        assert_eq!(typed("`/c/astros.yaml` says all"), "`/c/astros.yaml` says all");
        let problem = |what: &str| Problem { plugin: None, state: None, what: what.to_owned(), hint: None };
        let others = [Check::problem("astros.yaml", "`/c/astros.yaml` cannot be read: x\nmore", "vi")];
        assert!(is_said(&problem("`/c/astros.yaml` cannot be read: x; what was read before holds"), &others));
        assert!(!is_said(&problem("another thing"), &others));
    }
}
