//! The paths that a person names have to be within the plugin's reach before it is asked: inside of its sandbox a path
//! that was not granted is one that is not there, and nobody could say why.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use astros_protocol::{Error, ErrorCode, Extra, lifecycle::Effects, manifest::Permission};
use serde_json::Value;

use super::{Call, Plugin, Router, errors, tree::Root, wire::Work};
use crate::{
    services::schema,
    supervisor::{FileAccess, OutOfReach, Session},
};

/// A path that a handler is given, absolute.
#[derive(Clone, Debug)]
pub struct Named {
    pub path: PathBuf,
    /// The handler's schema says that it is one; else it may be any word.
    pub surely: bool,
}

/// What a request may not name.
pub(super) struct Out {
    pub(super) path: PathBuf,
    pub(super) why: OutOfReach,
    /// What would have to be granted for the path as it was said, whatever it leads to.
    pub(super) said: Permission,
    /// It is to be changed and leads there by a link, which may itself be meant: nothing is to be let in for that.
    pub(super) by_link: bool,
}

impl Router {
    /// Refuses a request that names what its plugin does not reach, or asks the person. A process that does not see yet
    /// what came to be after its start is replaced.
    pub async fn reaches(
        &self,
        plugin: &Arc<str>,
        named: Vec<Named>,
        effects: Effects,
        root: &Arc<Root>,
    ) -> Result<(), Error> {
        self.reaches_for(None, plugin, named, effects, root).await
    }

    /// The same for a plugin that calls another; it learns nothing of what is there.
    async fn reaches_for(
        &self,
        caller: Option<&str>,
        plugin: &Arc<str>,
        named: Vec<Named>,
        effects: Effects,
        root: &Arc<Root>,
    ) -> Result<(), Error> {
        // What else is wrong is said when it is called.
        let Ok(plugin) = self.plugin(plugin) else { return Ok(()) };
        if named.is_empty() || plugin.hands_on() {
            return Ok(());
        }
        let writes = effects >= Effects::Write;
        // What a person grants may be one of several.
        for _ in 0..=named.len() {
            let Some(out) = first_out_of_reach(&plugin, named.clone(), writes, caller.is_some()).await else {
                see(&plugin, named, writes).await;
                return Ok(());
            };
            let permission = match &out.why {
                OutOfReach::Own => return Err(own(&plugin.name, &out.path)),
                OutOfReach::Needs(permission) => permission,
            };
            // What a plugin came upon by itself is no reason to let another one in for good.
            let named = root.named.get().is_some_and(|named| named.contains(&out.path));
            if !named || out.by_link || !self.person_allows(root, &plugin.name, permission, true).await {
                let asked = (caller, named);
                return Err(self.out_of_reach(&plugin.name, asked, &out, permission, writes, root));
            }
        }
        Ok(())
    }

    /// The same for what a plugin asks of another in a person's name: paths that the other's schema declares, or the
    /// workflow.
    pub(super) async fn hands_on(&self, plugin: &Plugin, call: &Call<'_>) -> Result<(), Error> {
        let (Some(cwd), Some(_)) = (&call.root.cwd, &call.above.caller) else { return Ok(()) };
        if plugin.hands_on() {
            return Ok(());
        }
        let chain = call.above.link.as_ref().map(|link| link.names().join(" > "));
        let caller = chain.as_deref().or(call.above.caller.as_deref());
        let intent = match call.work {
            Work::Handler(intent) => intent,
            Work::Part(step) => {
                let named = step.paths.to_vec();
                return self.reaches_for(caller, &plugin.name, named, Effects::Read, &call.root).await;
            }
            _ => return Ok(()),
        };
        let Ok(description) = plugin.described().await else { return Ok(()) };
        let handler = description.handlers.iter().find(|offered| offered.name == call.handler);
        let parameters = handler.and_then(|handler| Some((handler, handler.parameters.as_ref()?)));
        let Some((handler, parameters)) = parameters else { return Ok(()) };
        let context: Extra = serde_json::from_str(intent.context.get()).unwrap_or_default();
        let declared = context.iter().filter_map(|(name, value)| {
            is_path(&parameters["properties"][name], parameters).then_some(value.as_str()?)
        });
        let named = declared.map(|path| Named { path: Path::new(cwd).join(path), surely: true }).collect();
        self.reaches_for(caller, &plugin.name, named, handler.effects, &call.root).await
    }

    pub(super) fn out_of_reach(
        &self,
        plugin: &str,
        (caller, named): (Option<&str>, bool),
        out: &Out,
        permission: &Permission,
        writes: bool,
        root: &Root,
    ) -> Error {
        let what = format!("{} `{}`", if writes { "change" } else { "read" }, out.path.display());
        let path = out.path.to_string_lossy();
        let mut error = self.deny_for(caller.unwrap_or(plugin), plugin, permission, &what, Some(root));
        if named && out.by_link {
            let data = error.data_mut();
            data.extra.remove("permission");
            data.hint = Some("it is a link: name what it leads to, where that is meant".to_owned());
        }
        // What it leads to is for people to know; a plugin that made the path up is told what it said.
        let _ = root.denied.set(error.clone().with("path", &*path));
        match caller {
            Some(_) if !named => {
                errors::denied(plugin, &out.said, what, self.granted_in(plugin).as_deref()).with("path", path)
            }
            _ => error.with("path", path),
        }
    }
}

/// Whether a schema declares a path, itself or in what it refers to.
fn is_path(schema: &Value, root: &Value) -> bool {
    schema::parts(root, schema).any(|part| part["format"] == "path")
}

/// Replaces a process that does not see what its plugin reaches.
async fn see(plugin: &Arc<Plugin>, named: Vec<Named>, writes: bool) {
    let sessions = plugin.supervisor().sessions();
    let blind = move |session: &Arc<Session>| {
        let sees = FileAccess::of_process(session);
        sees.is_some_and(|sees| named.iter().any(|one| check(&sees, one, writes).is_some()))
    };
    if blocking(move || sessions.iter().any(blind)).await
        && let Err(error) = plugin.renew().await
    {
        // It goes on as it is, and says itself what it does not find.
        tracing::debug!(plugin = &*plugin.name, %error, "not started anew for what came to be");
    }
}

async fn first_out_of_reach(plugin: &Plugin, named: Vec<Named>, writes: bool, unseen: bool) -> Option<Out> {
    let supervisor = plugin.supervisor();
    blocking(move || {
        let reach = FileAccess::of(&supervisor.spec())?;
        named.into_iter().find_map(|Named { path, surely }| {
            let found = match unseen {
                true => reach.check_unseen(&path, writes),
                false => check(&reach, &Named { path: path.clone(), surely }, writes).map_or(Ok(()), Err),
            };
            let why = found.err()?;
            let said = reach.permission(&path, writes);
            let by_link = writes && path.is_symlink();
            Some(Out { path, why, said, by_link })
        })
    })
    .await
}

fn check(reach: &FileAccess, named: &Named, writes: bool) -> Option<OutOfReach> {
    let is_one = named.surely || named.path.exists();
    reach.check(&named.path, writes).err().filter(|_| is_one)
}

/// Looks at files, which may be far away, beside the runtime's threads.
pub(super) async fn blocking<T: Send + Default + 'static>(look: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

pub(super) fn own(plugin: &str, path: &Path) -> Error {
    let message = format!("`{}` is AstrOS's own: no plugin may be let in", path.display());
    Error::new(ErrorCode::PERMISSION_DENIED, message).with_plugin(plugin).with("path", path.to_string_lossy())
}
