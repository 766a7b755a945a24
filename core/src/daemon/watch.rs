//! What is saved is brought into service: `astros.yaml` and the plugins' own files of settings by every daemon that
//! stays, in development mode what stands in a plugin's folder as well.
//!
//! Places are watched first and read then, so that nothing that is saved in between is missed.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::{Daemon, setup::Base};

/// Editors and installers write more than once: what was saved is read when it was quiet for so long.
const QUIET: Duration = Duration::from_millis(200);
/// A file of settings alone is one write, or one and a rename.
const QUIET_FILE: Duration = Duration::from_millis(50);
/// Who never stops to write is read all the same, after this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Folders that hold no code of a plugin's own, beside the hidden ones.
const PASSED_OVER: [&str; 4] = ["__pycache__", "node_modules", "target", "venv"];

impl Daemon {
    /// Reloads what changes on disk. Never ends.
    pub(super) async fn watch(&self) {
        let changed = Arc::new(Notify::new());
        let (mut watchers, mut fresh) = (Vec::new(), true);
        loop {
            let places = self.places();
            watchers.extend(places.watch(&changed));
            // The one before goes when this one watches.
            watchers.drain(..watchers.len().saturating_sub(1));
            let (reloaded, calm) = match self.base.options.development.reloads {
                true => (self.reload_all().await, QUIET),
                // As a rule nothing was saved between the start and here.
                false if fresh && self.setup().config.stamp == self.base.stamp() => (Ok(()), QUIET_FILE),
                false => (self.reconfigure().await, QUIET_FILE),
            };
            fresh = false;
            if let Err(error) = reloaded {
                tracing::error!("not everything could be reloaded: {error}");
            }
            // With what came or went there are other places, which were not watched when they were read.
            if self.places() == places {
                changed.notified().await;
                quiet(&changed, calm).await;
            }
        }
    }

    fn places(&self) -> Places {
        let base = &self.base;
        let (config, secrets) = (base.paths.config_file(), base.paths.secrets_file());
        // A link to a file elsewhere: both are what is saved.
        let linked = config.canonicalize().ok();
        let own = base.paths.own_configs();
        let mut places = if base.options.development.reloads { self.code() } else { Places::default() };
        places.files.extend([config, secrets].into_iter().chain(linked));
        places.plugins.insert(own.canonicalize().unwrap_or(own));
        places
    }

    /// Where plugins are, and what runs them.
    fn code(&self) -> Places {
        let (base, setup) = (&self.base, self.setup());
        let mut roots = base.options.plugin_dirs.clone();
        roots.extend(base.options.development.folders.iter().cloned());
        roots.extend(base.configured(&setup.config));
        roots.push(base.paths.plugins());
        roots.extend(Base::bundled());
        let plugins = || setup.plugins.values();
        Places {
            files: plugins().filter_map(|one| one.spec.program_file()).collect(),
            roots: roots.into_iter().map(|root| root.canonicalize().unwrap_or(root)).collect(),
            plugins: plugins().map(|one| one.entry.folder.clone()).collect(),
        }
    }
}

/// Waits until nothing changes for a moment.
async fn quiet(changed: &Notify, calm: Duration) {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end && timeout(calm, changed.notified()).await.is_ok() {}
}

/// What is watched.
#[derive(Clone, Default, PartialEq)]
struct Places {
    /// `astros.yaml`, `secrets.yaml`, and what runs plugins, also where it lies elsewhere.
    files: BTreeSet<PathBuf>,
    /// Folders in which plugins are looked for.
    roots: BTreeSet<PathBuf>,
    /// Folders of plugins, and that of their own files of settings: all that is in them counts.
    plugins: BTreeSet<PathBuf>,
}

impl Places {
    /// Watches until it is dropped; none where the system does not let it.
    fn watch(&self, changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
        let (places, changed) = (self.clone(), changed.clone());
        let heard = move |event: notify::Result<notify::Event>| {
            // What cannot be told apart, such as events that were lost, may be anything.
            let matters = event.map_or(true, |event| places.matter(&event));
            if matters {
                changed.notify_one();
            }
        };
        let mut watcher = notify::recommended_watcher(heard)
            .inspect_err(|error| tracing::warn!(%error, "files cannot be watched"))
            .ok()?;
        for (path, mode) in self.watched() {
            if let Err(error) = watcher.watch(&path, mode) {
                tracing::warn!(path = %path.display(), %error, "a folder cannot be watched");
            }
        }
        Some(watcher)
    }

    /// The folders to watch, each once.
    fn watched(&self) -> BTreeMap<PathBuf, RecursiveMode> {
        let mut watched = BTreeMap::new();
        let mut shallow = |path: &Path| {
            // Of what is not there yet, the nearest folder that is.
            if let Some(there) = path.ancestors().find(|path| path.is_dir()) {
                watched.insert(there.to_owned(), RecursiveMode::NonRecursive);
            }
        };
        self.files.iter().filter_map(|file| file.parent()).for_each(&mut shallow);
        for root in &self.roots {
            shallow(root);
            // A folder may become a plugin's when its files come.
            let inside = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
            let folders = inside.filter(|path| path.is_dir() && path.file_name().is_some_and(counts));
            folders.for_each(|folder| shallow(&folder));
        }
        let there = self.plugins.iter().filter(|folder| folder.is_dir());
        watched.extend(there.map(|folder| (folder.clone(), RecursiveMode::Recursive)));
        watched
    }

    fn matter(&self, event: &notify::Event) -> bool {
        let read = matches!(event.kind, EventKind::Access(_));
        !read && (event.need_rescan() || event.paths.iter().any(|path| self.concern(path)))
    }

    fn concern(&self, path: &Path) -> bool {
        let above = |place: &PathBuf| place.starts_with(path);
        let inside = |place: &PathBuf| {
            path.strip_prefix(place).is_ok_and(|rest| rest.components().all(|name| counts(name.as_os_str())))
        };
        let mut places = self.roots.iter().chain(&self.plugins);
        self.files.iter().any(above) || places.any(|place| above(place) || inside(place))
    }
}

/// Whether what has this name may be a plugin's own: no cache, nothing that a tool or an editor keeps for itself.
fn counts(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let temporary = [".pyc", "~", ".swp", ".tmp"].iter().any(|end| name.ends_with(end));
    // Vim tries with this name whether it may write.
    !(temporary || name.starts_with('.') || name == "4913" || PASSED_OVER.contains(&&*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_over_what_tools_and_editors_keep_for_themselves() {
        let places = Places {
            files: ["/c/astros.yaml".into(), "/build/target/debug/weather".into()].into(),
            roots: ["/home/.data/plugins".into()].into(),
            plugins: ["/home/.data/plugins/weather".into()].into(),
        };
        let plugin = "/home/.data/plugins/weather";
        for changed in ["main.py", "src/deep/main.py", "plugin.yaml", ""] {
            assert!(places.concern(&Path::new(plugin).join(changed)), "{changed}");
        }
        for ignored in
            [".git/index", "src/__pycache__/a.pyc", "target/debug/x", ".main.py.swp", "main.py~", "4913"]
        {
            assert!(!places.concern(&Path::new(plugin).join(ignored)), "{ignored}");
        }
        for (path, expected) in [
            ("/c/astros.yaml", true),
            ("/c/astros.yaml.swp", false),
            ("/c", true),
            ("/build/target/debug/weather", true),
            ("/build/target/debug/other", false),
            ("/home/.data/plugins/new", true),
            ("/home/.data/astros.db", false),
        ] {
            assert_eq!(places.concern(Path::new(path)), expected, "{path}");
        }
    }
}
