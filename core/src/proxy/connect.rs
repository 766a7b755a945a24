//! From a target to a connection: looks up, checks every address, connects to one that was checked.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout, timeout_at},
};

use super::{
    hosts::{Host, Hosts, Target},
    refusal::Refusal,
};

/// For looking up and connecting, all addresses together.
const CONNECT: Duration = Duration::from_secs(20);
/// For one address.
const ATTEMPT: Duration = Duration::from_secs(6);
/// So many names of a plugin are looked up at once: each holds a thread.
const LOOK_UPS: usize = 8;
/// So many addresses of a name are looked at.
const ADDRESSES: usize = 32;

/// Asks the system for the addresses of a name. It blocks.
pub(super) type LookUp = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

pub(super) fn look_up(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    (name, port).to_socket_addrs().map(Iterator::collect)
}

/// What a plugin was granted, and how it gets there.
#[derive(Debug)]
pub(super) struct Way {
    hosts: Hosts,
    /// An argument, for tests to be the name server.
    look_up: LookUp,
    look_ups: Arc<Semaphore>,
}

impl Way {
    pub(super) fn new(hosts: Hosts, look_up: LookUp) -> Way {
        Way { hosts, look_up, look_ups: Arc::new(Semaphore::new(LOOK_UPS)) }
    }

    /// Connects to what was asked for, or says why not.
    pub(super) async fn connect(&self, target: &Target) -> Result<TcpStream, Refusal> {
        if !self.hosts.allow(target) {
            return Err(Refusal::denied(target));
        }
        let deadline = Instant::now() + CONNECT;
        let late = |_| Refusal::unreachable(target, "it took too long");
        let addresses = timeout_at(deadline, self.addresses(target)).await.map_err(late)??;
        let mut last = Refusal::unreachable(target, "the name has no address");
        for address in addresses {
            let attempt = timeout_at(deadline, timeout(ATTEMPT, TcpStream::connect(address)));
            match attempt.await {
                Ok(Ok(Ok(stream))) => {
                    // What was written shall not wait for more.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Ok(Err(error))) => last = Refusal::unreachable(target, error),
                Ok(Err(_)) | Err(_) => last = Refusal::unreachable(target, "it took too long"),
            }
        }
        Err(last)
    }

    /// Its addresses, each of which may be connected to.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, Refusal> {
        let port = target.port;
        let found = match &target.host {
            Host::Address(address) => vec![SocketAddr::new(*address, port)],
            Host::Name(name) => {
                let found = self.find(name.clone(), port).await;
                found.map_err(|error| Refusal::unreachable(target, error))?
            }
        };
        // One that may not be reached is no oversight of a name server's to be passed over.
        let found: Vec<SocketAddr> = found.into_iter().take(ADDRESSES).collect();
        match found.iter().find(|one| !self.hosts.reach(one.ip(), port)) {
            Some(near) => Err(Refusal::near(target, canonical(near.ip()))),
            // The port is the one that was asked for, whatever came with the address.
            None => Ok(found.into_iter().map(|one| SocketAddr::new(one.ip(), port)).collect()),
        }
    }

    async fn find(&self, name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        let (look_up, place) = (self.look_up, self.look_ups.clone().acquire_owned().await);
        let found = spawn_blocking(move || {
            // Held by the thread: who gave up waiting has not ended it.
            let _place = place;
            look_up(&name, port)
        });
        found.await.map_err(io::Error::other)?
    }
}

fn canonical(address: IpAddr) -> Host {
    Host::Address(address.to_canonical())
}
