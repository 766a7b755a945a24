//! The network of a plugin that may reach some hosts: a loopback of its own, with one listener that the daemon serves.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use super::{PROXY_PORT, step::Step, step::failed};

/// The first interface of every network.
const LOOPBACK: i32 = 1;
const IFF_UP: u32 = 1;
const RTM_NEWLINK: u16 = 16;
const NLMSG_ERROR: u16 = 2;
/// `NLM_F_REQUEST` and `NLM_F_ACK`.
const ASKS_AND_WAITS: u16 = 1 | 4;
/// A header and an `ifinfomsg`.
const BYTES: usize = 32;

/// Brings the loopback up, and listens there.
pub(super) fn listen() -> io::Result<TcpListener> {
    up().step("bringing up the loopback")?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, PROXY_PORT)).step(format_args!("listening on port {PROXY_PORT}"))
}

fn up() -> io::Result<()> {
    // Without a protocol it is `NETLINK_ROUTE`.
    let kernel = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    send(&kernel, &request(), SendFlags::empty())?;
    let mut answer = [0; 512];
    let (read, _) = recv(&kernel, &mut answer, RecvFlags::empty())?;
    errno(&answer[..read])
}

/// An `nlmsghdr`, then the `ifinfomsg` that asks for one flag of one interface.
fn request() -> [u8; BYTES] {
    let mut message = [0; BYTES];
    message[0..4].copy_from_slice(&(BYTES as u32).to_ne_bytes());
    message[4..6].copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&ASKS_AND_WAITS.to_ne_bytes());
    message[20..24].copy_from_slice(&LOOPBACK.to_ne_bytes());
    message[24..28].copy_from_slice(&IFF_UP.to_ne_bytes());
    message[28..32].copy_from_slice(&IFF_UP.to_ne_bytes());
    message
}

/// What an acknowledgement says: the negative number of an error, or zero.
fn errno(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
    match (kind, answer.get(16..20)) {
        (Some(NLMSG_ERROR), Some(&[a, b, c, d])) => match i32::from_ne_bytes([a, b, c, d]) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(-error)),
        },
        _ => Err(failed("the kernel answered something else")),
    }
}
