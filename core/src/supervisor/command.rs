//! From a [`Spec`] to what starts its process.

use std::{ffi::OsString, fs::DirBuilder, os::unix::fs::DirBuilderExt, path::Path};

use astros_protocol::{Error, lifecycle::Directories, manifest::Permission, version::SUPPORTED};

use tempfile::TempDir;

use super::{
    Launch, Spec, bytecode,
    confine::confine,
    dbus::{self, Buses},
    environment, packages, program, python,
};
use crate::launcher::{self, Confinement, Network, PROXY_PORT, Policy, Streams};

/// What starts a process, and what has to be there as long as it runs.
pub(crate) struct Prepared {
    pub(crate) policy: Policy,
    pub(crate) buses: Buses,
    pub(crate) scratch: Option<TempDir>,
    /// A person's, for a process in the foreground.
    pub(crate) streams: Option<Streams>,
}

/// Finds the program, makes the plugin's folders, and says how it is started: in the plugin's folder, or in a person's
/// foreground, with nothing in its environment but what is allowed.
pub(crate) async fn command(spec: &Spec) -> Result<Prepared, Error> {
    let mut args: Vec<OsString> = Vec::new();
    let program = match &spec.launch {
        Launch::Executable(path) => program::executable(spec, path)?,
        Launch::Python { target, interpreter } => {
            args.extend(["-m", "astros.run", target].map(OsString::from));
            let interpreter = python::interpreter(spec, interpreter.as_deref()).await?;
            packages::check(spec, &interpreter)?;
            bytecode::make(spec, &interpreter).await;
            interpreter
        }
        Launch::Command(words) => {
            let (first, rest) = words.split_first().ok_or_else(|| {
                program::unavailable(spec, "its command is empty").with_hint("correct `run` in its manifest")
            })?;
            args.extend(rest.iter().map(|word| spec.word(word)));
            let path = program::command(spec, Path::new(first))?;
            if first.starts_with("python") {
                let interpreter = python::behind_shim(spec, path).await;
                bytecode::make(spec, &interpreter).await;
                interpreter
            } else {
                path
            }
        }
    };
    args.extend(spec.args.iter().map(|word| spec.word(word)));
    make_directories(spec)?;
    let mut confinement = confine(spec, &program, launcher::machine(spec.launcher.as_deref()).await)?;
    let scratch = confinement.as_mut().and_then(|confinement| scratch(spec, confinement)).transpose()?;
    let mut environment = variables(spec, confinement.as_ref());
    let buses = match &mut confinement {
        Some(confinement) => {
            let (buses, variables) = dbus::start(spec, confinement).await?;
            environment.extend(variables);
            buses
        }
        None => Buses::default(),
    };
    let policy = Policy {
        program: program.into(),
        args,
        environment,
        folder: spec.working_directory().into(),
        containment: spec.containment,
        open_files: launcher::usual_open_files(),
        confinement,
    };
    Ok(Prepared { policy, buses, scratch, streams: None })
}

/// The folder of a plugin's temporary files, where it has no `/tmp` of its own.
fn scratch(spec: &Spec, confinement: &mut Confinement) -> Option<Result<TempDir, Error>> {
    if confinement.means.namespaces {
        return None;
    }
    let made = tempfile::Builder::new().prefix("astros-").tempdir();
    Some(made.inspect(|folder| confinement.scratch = folder.path().to_owned()).map_err(|error| {
        program::unavailable(spec, format!("a folder for its temporary files cannot be made: {error}"))
            .with_hint("see who may write to the folder that TMPDIR names, or to `/tmp`")
    }))
}

/// What `initialize` names is there: for nobody else to see, since plugins keep what is the person's.
fn make_directories(spec: &Spec) -> Result<(), Error> {
    let Directories { data, cache, config } = &spec.directories;
    let make = |folder: &String| DirBuilder::new().recursive(true).mode(0o700).create(folder);
    if !config.is_empty() {
        // People keep their configuration where nothing can write: no reason not to start.
        let _ = make(config);
    }
    for folder in [data, cache].into_iter().filter(|folder| !folder.is_empty()) {
        make(folder).map_err(|error| {
            program::unavailable(spec, format!("its folder `{folder}` cannot be made: {error}"))
                .with_hint("see who may write there; `ASTROS_HOME` may name a folder of your own")
        })?;
    }
    Ok(())
}

fn variables(spec: &Spec, confinement: Option<&Confinement>) -> Vec<(OsString, OsString)> {
    // Who is confined gets to the bus through a proxy.
    let controls = spec.granted.iter().any(|one| matches!(one, Permission::SystemControl(_)));
    let session_bus = controls && confinement.is_none();
    let mut variables = environment::allowed(
        &spec.environment,
        &spec.name,
        &spec.plugins,
        session_bus,
        &spec.secrets.variables,
    );
    if let Some(foreground) = &spec.foreground {
        variables = foreground.variables(spec, variables);
    }
    let newest = SUPPORTED.iter().max().expect("the protocol crate speaks a version");
    variables.push(("ASTROS_PROTOCOL".into(), newest.to_string().into()));
    if let Some(sdk) = &spec.python_sdk {
        variables.push(("PYTHONPATH".into(), sdk.into()));
    }
    if spec.dev_mode {
        // Python takes compiled code for current where the source has its size and its second: what is saved twice
        // in a second would be passed over.
        variables.push(("PYTHONDONTWRITEBYTECODE".into(), "1".into()));
    }
    if confinement.is_some_and(|confinement| confinement.network == Network::Proxy) {
        variables.extend(proxy_variables());
    }
    variables
}

/// How HTTP clients are told of a proxy: in capitals or not, as each of them likes it.
fn proxy_variables() -> impl Iterator<Item = (OsString, OsString)> {
    let proxy = format!("http://127.0.0.1:{PROXY_PORT}");
    let both = |name: &str, value: &str| {
        [name.to_owned(), name.to_ascii_lowercase()].map(|name| (name.into(), value.into()))
    };
    let named =
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].into_iter().flat_map(move |name| both(name, &proxy));
    // Nothing is nearer than the proxy; and Node.js looks at these only where it is told to.
    named.chain(both("NO_PROXY", "")).chain([("NODE_USE_ENV_PROXY".into(), "1".into())])
}
