//! Who asks.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::router::{
    Asked, Questions,
    tree::{Root, new_correlation_id},
};

/// Who asks, and where they are.
#[derive(Clone, Debug)]
pub struct Person {
    pub user_id: String,
    pub session_id: String,
    /// The person's folder: paths that they name are seen from here.
    pub cwd: PathBuf,
    pub home: PathBuf,
    pub locale: Option<String>,
    /// The time that all of it may take.
    pub timeout: Option<Duration>,
    /// Where they can be asked, if they can.
    pub questions: Option<Asked>,
}

impl Person {
    /// The root of a tree of calls of theirs.
    pub fn root(&self) -> Arc<Root> {
        Arc::new(Root {
            correlation_id: new_correlation_id(),
            user_id: Some(self.user_id.clone()),
            session_id: Some(self.session_id.clone()),
            cwd: Some(self.cwd.to_string_lossy().into_owned()),
            locale: self.locale.clone(),
            questions: self.questions.clone().map(Questions::new),
            ..Root::default()
        })
    }
}
