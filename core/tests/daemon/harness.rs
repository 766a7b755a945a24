//! A home with plugins in it, and a daemon there.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use astros_core::{
    daemon::{Daemon, Development, Options},
    supervisor::{Event, StateName},
};
use astros_protocol::Error;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::broadcast, time::timeout};

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A plugin whose handler `version` answers with this text.
pub(crate) fn code(version: &str) -> String {
    format!(
        r#"
from astros.plugin import BasePlugin, plugin_handler

class Test(BasePlugin):
    @plugin_handler("version", examples=["which version is it"])
    async def tell(self, intent):
        return "{version}"
"#
    )
}

/// A home, and the folder of plugins that a daemon there is given.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Home {
        let home = Home { folder: TempDir::new().unwrap() };
        fs::create_dir(home.path("plugins")).unwrap();
        home
    }

    /// With the plugin `name`, whose handler `version` answers with `version`.
    pub(crate) fn with(self, name: &str, version: &str) -> Home {
        self.write(&format!("plugins/{name}/plugin.yaml"), &format!("metadata: {{name: {name}}}\n"));
        self.write(&format!("plugins/{name}/main.py"), &code(version));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// As editors do: aside first, then in its place at once.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let aside = path.with_extension("swp");
        fs::write(&aside, text).unwrap();
        fs::rename(aside, path).unwrap();
    }

    pub(crate) fn options(&self) -> Options {
        Options { plugin_dirs: vec![self.path("plugins")], ..Options::at(self.path("home")) }
    }

    pub(crate) async fn start(&self) -> Daemon {
        Daemon::start(self.options()).await.unwrap()
    }

    /// A daemon that does what one that stays does, in development mode.
    pub(crate) async fn develop(&self) -> Arc<Daemon> {
        self.staying(Options {
            development: Development { is_on: true, reloads: true, ..Development::default() },
            ..self.options()
        })
        .await
    }

    /// A daemon that does what one that stays does.
    pub(crate) async fn stay(&self) -> Arc<Daemon> {
        self.staying(self.options()).await
    }

    async fn staying(&self, options: Options) -> Arc<Daemon> {
        let daemon = Arc::new(Daemon::start(options).await.unwrap());
        let stays = daemon.clone();
        tokio::spawn(async move { stays.stay().await });
        daemon
    }
}

/// What the handler `version` answers.
pub(crate) async fn version(daemon: &Daemon, plugin: &str) -> Result<String, Error> {
    Ok(daemon.call(plugin, "version", json!({})).await?.message)
}

/// A member of what `plugins show` has.
pub(crate) async fn shown(daemon: &Daemon, plugin: &str, member: &str) -> Value {
    daemon.show(plugin).await.unwrap()[member].clone()
}

/// Waits until a plugin was reloaded, and gives the error where that failed.
pub(crate) async fn reloaded(events: &mut broadcast::Receiver<Event>, name: &str) -> Option<String> {
    heard(events, |event| match event {
        Event::Reloaded { plugin, error } if *plugin == *name => Some(error),
        _ => None,
    })
    .await
}

/// Waits until a plugin is in a state.
pub(crate) async fn becomes(events: &mut broadcast::Receiver<Event>, name: &str, wanted: StateName) {
    heard(events, |event| match event {
        Event::StateChanged { plugin, state, .. } => (*plugin == *name && state == wanted).then_some(()),
        _ => None,
    })
    .await;
}

/// Waits for an event.
pub(crate) async fn heard<T>(
    events: &mut broadcast::Receiver<Event>,
    look: impl Fn(Event) -> Option<T>,
) -> T {
    let wait = async {
        loop {
            if let Some(found) = look(events.recv().await.unwrap()) {
                return found;
            }
        }
    };
    timeout(PATIENCE, wait).await.expect("what is waited for comes")
}
