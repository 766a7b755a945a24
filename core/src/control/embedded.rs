//! The daemon within a command, reached as one that stays is: the same API, over memory.

use std::sync::Arc;

use astros_protocol::Error;

use super::{client::Client, server::Server};
use crate::daemon::{Daemon, Options};

/// As much of a message is on its way at once, in bytes.
const BUFFER: usize = 64 << 10;

/// A daemon for one command.
pub struct Embedded {
    server: Server,
    client: Client,
}

impl Embedded {
    /// Starts it, and connects to it.
    ///
    /// # Errors
    /// Those of [`Daemon::start`].
    pub async fn start(options: Options) -> Result<Embedded, Error> {
        let server = Server::new(Arc::new(Daemon::start(options).await?), false);
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        tokio::spawn(server.serve(theirs, None));
        let client = Client::over(ours).await?.lending(server.lent.clone());
        Ok(Embedded { client, server })
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What a person should look at in what they set up, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        self.server.daemon.warnings()
    }

    /// Stops every plugin; what is open ends within what its plugin is given.
    pub async fn stop(&self) {
        self.server.daemon.stop().await;
    }
}
