//! What daemon and launcher say to each other over their socket.
//!
//! The daemon begins with one [`Policy`], its length before it and the plugin's input beside it, with a person's streams
//! where it is to have them; from then on every byte that it sends is the number of a signal for the plugin's whole tree.
//! The launcher sends [`Report`]s. Either side's end is the end of the other.

use std::{
    ffi::OsString,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    net::TcpListener,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use astros_protocol::lifecycle::Sandbox;
use rustix::{
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, UCred, recvmsg, sendmsg,
    },
    process::{Pid, getgid, getuid},
};
use serde::{Deserialize, Serialize};

use super::{Confinement, Containment, descriptors};

/// A person's standard input, output and error.
pub type Streams = [OwnedFd; 3];

/// More than the kernel takes as arguments and environment, twice as JSON.
const POLICY_AT_MOST: usize = 16 << 20;

/// All that a launcher needs to know. What restricts the plugin is told here too,
/// and applied by `confine`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    /// A path, not a name to be looked for; empty: a launcher only tries how far it can be held. No `PathBuf` here: those must be text in JSON.
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    /// The whole environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// The working directory.
    pub(crate) folder: OsString,
    /// The strongest that is tried.
    pub(crate) containment: Containment,
    /// How many files it may have open where nothing else says so; none: as many as the daemon.
    pub(crate) open_files: Option<u64>,
    /// What it is held to; none: to nothing, as an operator decided.
    pub(crate) confinement: Option<Confinement>,
}

impl Policy {
    /// How far the plugin is confined.
    pub(crate) fn sandbox(&self) -> Sandbox {
        self.confinement.as_ref().map_or(Sandbox::None, Confinement::sandbox)
    }

    /// The frame to send: the length, which takes the plugin's input and a person's streams along, then the rest.
    pub(super) fn frame(&self) -> io::Result<([u8; 4], Vec<u8>)> {
        let body = serde_json::to_vec(self)?;
        let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= POLICY_AT_MOST);
        let too_long = || io::Error::new(io::ErrorKind::ArgumentListTooLong, "its arguments are too long");
        Ok((length.ok_or_else(too_long)?.to_ne_bytes(), body))
    }

    /// Reads that frame: the policy, the plugin's input, and a person's streams where they came.
    pub(super) fn receive(socket: &UnixStream) -> io::Result<(Policy, OwnedFd, Option<Streams>)> {
        let mut length = [0; 4];
        let (read, descriptors) = descriptors::receive(socket, &mut length)?;
        let mut descriptors = descriptors.into_iter();
        let (4, Some(input)) = (read, descriptors.next()) else { return Err(invalid("no policy came")) };
        let streams = descriptors.collect::<Vec<_>>().try_into().ok();
        let length = u32::from_ne_bytes(length) as usize;
        if length > POLICY_AT_MOST {
            return Err(invalid("the policy is too long"));
        }
        let mut body = vec![0; length];
        (&mut &*socket).read_exact(&mut body)?;
        Ok((serde_json::from_slice(&body)?, input, streams))
    }
}

/// More words than any failure has.
const REFUSAL_AT_MOST: usize = 4096;

/// What a launcher tells, in this order: one of the first five, then the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The plugin runs in a namespace: its id there. The message has its id here as that of its sender.
    Inside(i32),
    /// The plugin runs below a subreaper: its id.
    Below(i32),
    /// The plugin could not be started: the system's error.
    Failed(i32),
    /// It could not be held to what it is to be held to, and was not started. So many bytes of words follow.
    Refused(i32),
    /// The way into a namespace ended half-way, and there is none back: another launcher has to do without.
    NoNamespace,
    /// The plugin has ended: its wait status.
    Ended(i32),
}

impl Report {
    pub(crate) const BYTES: usize = 5;

    fn to_bytes(self) -> [u8; Report::BYTES] {
        let (tag, value) = match self {
            Report::Inside(pid) => (b'i', pid),
            Report::Below(pid) => (b'b', pid),
            Report::Failed(errno) => (b'f', errno),
            Report::Refused(bytes) => (b'r', bytes),
            Report::NoNamespace => (b'n', 0),
            Report::Ended(status) => (b'e', status),
        };
        let [a, b, c, d] = value.to_ne_bytes();
        [tag, a, b, c, d]
    }

    pub(crate) fn from_bytes([tag, value @ ..]: [u8; Report::BYTES]) -> Option<Report> {
        let value = i32::from_ne_bytes(value);
        match tag {
            b'i' => Some(Report::Inside(value)),
            b'b' => Some(Report::Below(value)),
            b'f' => Some(Report::Failed(value)),
            b'r' => Some(Report::Refused(value)),
            b'n' => Some(Report::NoNamespace),
            b'e' => Some(Report::Ended(value)),
            _ => None,
        }
    }

    /// Tells the daemon. Where it is gone, that shows in the socket's end.
    pub(super) fn send(self, socket: &UnixStream) {
        self.send_with(socket, None);
    }

    /// Tells the daemon, and hands a listener over.
    pub(super) fn send_with(self, socket: &UnixStream, listener: Option<&TcpListener>) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1), ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if let Report::Inside(pid) = self
            && let Some(pid) = Pid::from_raw(pid)
        {
            // An init may name any process of its namespace as the sender; the kernel says its id on the other side.
            beside.push(SendAncillaryMessage::ScmCredentials(UCred { pid, uid: getuid(), gid: getgid() }));
        }
        let descriptor = listener.map(|listener| [listener.as_fd()]);
        if let Some(descriptor) = &descriptor {
            beside.push(SendAncillaryMessage::ScmRights(descriptor));
        }
        let _ = sendmsg(socket, &[IoSlice::new(&self.to_bytes())], &mut beside, SendFlags::NOSIGNAL);
    }

    /// Tells why there is no plugin: an error of the system's is about its program, any other is words.
    pub(super) fn send_failure(socket: &UnixStream, error: &io::Error) {
        if let Some(errno) = error.raw_os_error() {
            return Report::Failed(errno).send(socket);
        }
        let words = error.to_string();
        let words = &words.as_bytes()[..words.len().min(REFUSAL_AT_MOST)];
        Report::Refused(words.len() as i32).send(socket);
        let _ = (&mut &*socket).write_all(words);
    }

    /// The next report, and what came beside it; `None` at the end.
    pub(super) fn receive(socket: impl AsFd) -> io::Result<Option<Heard>> {
        let mut bytes = [0; Report::BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1), ScmRights(1))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let read = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
        let (mut sender, mut listener) = (None, None);
        for message in beside.drain() {
            match message {
                RecvAncillaryMessage::ScmCredentials(credentials) => sender = Some(credentials.pid),
                RecvAncillaryMessage::ScmRights(mut descriptors) => listener = descriptors.next(),
                _ => {}
            }
        }
        match read.bytes {
            0 => Ok(None),
            // Five bytes are written at once, and come at once.
            _ => Report::from_bytes(bytes)
                .map(|report| Some(Heard { report, sender, listener: listener.map(TcpListener::from) }))
                .ok_or_else(|| invalid("no report")),
        }
    }
}

/// A report, and what came beside it.
pub(super) struct Heard {
    pub(super) report: Report,
    /// Who sent it, by its id here.
    pub(super) sender: Option<Pid>,
    pub(super) listener: Option<TcpListener>,
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
