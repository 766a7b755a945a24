//! The paths that a person names have to be within the plugin's reach before it is asked: inside of its sandbox a path
//! that was not granted is one that is not there, and nobody could say why.

use std::{path::PathBuf, sync::Arc};

use astros_protocol::{Error, ErrorCode, lifecycle::Effects, manifest::Permission};

use super::{Agent, Person, recognition};
use crate::{
    router::{Plugin, tree::Root},
    supervisor::{FileAccess, OutOfReach, Session},
};

/// A path that a handler is given.
#[derive(Clone)]
struct Named {
    path: PathBuf,
    /// The handler's schema says that it is one; else it may be any word.
    surely: bool,
}

impl Agent {
    /// Refuses a request that names what its plugin does not reach, or asks the person. A process that does not see yet
    /// what came to be after its start is replaced.
    pub(super) async fn reaches(
        &self,
        (plugin, handler): (&str, &str),
        context: &astros_protocol::Extra,
        person: &Person,
        root: &Arc<Root>,
    ) -> Result<(), Error> {
        // What else is wrong is said when it is called.
        let Ok(plugin) = self.router.plugin(plugin) else { return Ok(()) };
        let Ok(description) = plugin.described().await else { return Ok(()) };
        let handler = description.handlers.iter().find(|offered| offered.name == handler);
        let Some(handler) = handler else { return Ok(()) };
        let parameters = handler.parameters.clone().unwrap_or_default();
        let resolve =
            |(typed, surely)| Named { path: recognition::resolve(typed, &person.cwd, &person.home), surely };
        let named: Vec<Named> = recognition::named(context, &parameters).into_iter().map(resolve).collect();
        let writes = handler.effects >= Effects::Write;
        // One that was granted no files has no use for a path but to hand it on.
        let files = |permission: &Permission| matches!(permission, Permission::FileSystem(_));
        if !plugin.supervisor().spec().granted.iter().any(files) {
            return Ok(());
        }
        // What a person grants may be one of several.
        for _ in 0..=named.len() {
            if named.is_empty() {
                return Ok(());
            }
            match first_out_of_reach(&plugin, named.clone(), writes).await {
                None => return self.see(&plugin, named, writes).await,
                Some((path, OutOfReach::Own)) => return Err(own(&plugin.name, &path)),
                Some((path, OutOfReach::Needs(permission))) => {
                    if !self.router.person_allows(root, &plugin.name, &permission, true).await {
                        return Err(self.denied(&plugin.name, &path, &permission, writes, root));
                    }
                }
            }
        }
        Ok(())
    }

    /// Replaces a process that does not see what its plugin reaches.
    async fn see(&self, plugin: &Arc<Plugin>, named: Vec<Named>, writes: bool) -> Result<(), Error> {
        let sessions = plugin.supervisor().sessions();
        let blind = move |session: &Arc<Session>| {
            let sees = FileAccess::of_process(session);
            sees.is_some_and(|sees| named.iter().any(|one| out_of_reach(&sees, one, writes).is_some()))
        };
        if blocking(move || sessions.iter().any(blind)).await
            && let Err(error) = plugin.renew().await
        {
            // It goes on as it is, and says itself what it does not find.
            tracing::debug!(plugin = &*plugin.name, %error, "not started anew for what came to be");
        }
        Ok(())
    }

    fn denied(
        &self,
        plugin: &str,
        path: &std::path::Path,
        permission: &Permission,
        writes: bool,
        root: &Root,
    ) -> Error {
        let what = format!("{} `{}`", if writes { "change" } else { "read" }, path.display());
        self.router.deny(plugin, permission, what, Some(root)).with("path", path.to_string_lossy())
    }
}

async fn first_out_of_reach(
    plugin: &Plugin,
    named: Vec<Named>,
    writes: bool,
) -> Option<(PathBuf, OutOfReach)> {
    let supervisor = plugin.supervisor();
    blocking(move || {
        let reach = FileAccess::of(supervisor.spec())?;
        named.into_iter().find_map(|one| Some((one.path.clone(), out_of_reach(&reach, &one, writes)?)))
    })
    .await
}

fn out_of_reach(reach: &FileAccess, named: &Named, writes: bool) -> Option<OutOfReach> {
    let is_one = named.surely || named.path.exists();
    reach.check(&named.path, writes).err().filter(|_| is_one)
}

/// Looks at files, which may be far away, beside the runtime's threads.
async fn blocking<T: Send + Default + 'static>(look: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

fn own(plugin: &str, path: &std::path::Path) -> Error {
    let message = format!("`{}` is AstrOS's own: no plugin may be let in", path.display());
    Error::new(ErrorCode::PERMISSION_DENIED, message).with_plugin(plugin).with("path", path.to_string_lossy())
}
