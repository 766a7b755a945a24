//! Settings that change while a plugin runs: its processes are told, and may refuse them.

use std::{sync::Arc, time::Duration};

use astros_peer::Failure;
use astros_protocol::{
    Error, ErrorCode, Extra,
    settings::{SettingsChanged, SettingsChangedParams},
};
use futures_util::future::join_all;
use tokio::time::timeout;

use super::{Known, Plugin, Router};
use crate::supervisor::{Session, Spec};

/// A process that has not said by then what it makes of new settings is replaced by one that begins with them.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a process makes of new settings.
enum Taken {
    Yes,
    /// It keeps the old ones, and says why.
    Refused(Box<Error>),
    /// It does not know how, or did not say.
    Unable,
}

impl Router {
    /// Gives a plugin other settings, and nothing else. Processes that run are told; where one cannot take them while
    /// it runs, the plugin is brought anew with them, as by [`Router::reload`]. One that does not run is not started.
    ///
    /// # Errors
    /// It refuses them: the old ones stay. Or it had to be brought anew, and does not get ready.
    pub async fn set_settings(&self, name: &str, known: Known, spec: Spec) -> Result<(), Error> {
        let plugin = self.plugin(name)?;
        self.whole(name, async move { plugin.take_settings(known, spec).await }).await
    }
}

impl Plugin {
    async fn take_settings(&self, known: Known, spec: Spec) -> Result<(), Error> {
        let one = self.versions.reload.lock().await;
        let current = self.supervisor();
        let sessions = current.sessions();
        let (old, new) = (&current.spec().settings, &spec.settings);
        let told = join_all(sessions.iter().map(|session| tell(session, old, new))).await;
        let refusal = told.iter().find_map(|taken| match taken {
            Taken::Refused(error) => Some((**error).clone()),
            _ => None,
        });
        if let Some(mut error) = refusal {
            // All processes of a plugin have the same settings.
            let others = sessions.iter().zip(&told).filter(|(_, taken)| matches!(taken, Taken::Yes));
            join_all(others.map(|(session, _)| tell(session, new, old))).await;
            current.spec().secrets.hide_in_error(&mut error);
            error.message = format!("`{}` keeps the settings that it has: {}", self.name, error.message);
            return Err(error.with_plugin(&*self.name));
        }
        let all_know = told.iter().all(|taken| matches!(taken, Taken::Yes));
        // Another process began with the old ones, and is not there to be told.
        let starts = current.status().is_starting() || current.brings_more();
        if all_know && !starts {
            current.set_settings(spec.settings);
            if sessions.is_empty() {
                // What failed may have failed for them.
                current.reset();
            }
            return Ok(());
        }
        drop(one);
        self.reload(known, spec).await
    }
}

async fn tell(session: &Arc<Session>, old: &Extra, new: &Extra) -> Taken {
    let params = SettingsChangedParams { old: old.clone(), new: new.clone() };
    match timeout(PATIENCE, session.peer.request::<SettingsChanged>(&params)).await {
        Ok(Ok(())) => Taken::Yes,
        Ok(Err(Failure::Error(error))) if error.code == ErrorCode::INVALID_SETTINGS => {
            Taken::Refused(Box::new(error))
        }
        _ => Taken::Unable,
    }
}
