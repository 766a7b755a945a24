//! Sockets of every kind, with no network granted, with hosts granted, and with all of it.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram, UnixStream},
        },
    },
    time::Duration,
};

use nix::libc;

use crate::{
    Outcome,
    alone::owned,
    calls::{address, call, denied, passes, room},
    place::Place,
};

pub(crate) const NAMES: &str = "raw-socket raw-socket-6 packet-socket packet-datagram-socket vsock-socket \
    algorithm-socket uevent-socket audit-socket diagnosis-socket filter-socket generic-netlink-socket ping-socket \
    tcp-connect tcp-connect-6 tcp-connect-mapped tcp-connect-to-every-address tcp-connect-to-own-address \
    multipath-connect shared-memory-connect other-transports fast-open fast-open-by-message listen \
    listen-without-binding udp-send dns unix-connect abstract-connect unix-datagram control-socket session-bus \
    system-bus io-uring";

const SECONDS: Duration = Duration::from_secs(3);
const STREAM: i32 = libc::SOCK_STREAM;

pub(crate) fn attempt(name: &str, at: &Place) -> Option<Outcome> {
    let socket = |family: i32, kind: i32, protocol: i32| {
        passes(libc::SYS_socket, &[family, kind, protocol].map(i64::from), &[])
    };
    let tcp = |host: &str| TcpStream::connect((host, at.port("tcp"))).and_then(hear);
    Some(match name {
        "raw-socket" => socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        "raw-socket-6" => socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6),
        "packet-socket" => socket(libc::AF_PACKET, libc::SOCK_RAW, 0x300),
        "packet-datagram-socket" => socket(libc::AF_PACKET, libc::SOCK_DGRAM, 0x300),
        "vsock-socket" => socket(libc::AF_VSOCK, STREAM, 0),
        "algorithm-socket" => socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
        "uevent-socket" => socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_KOBJECT_UEVENT),
        "audit-socket" => socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT),
        "diagnosis-socket" => socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_SOCK_DIAG),
        "filter-socket" => socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER),
        "generic-netlink-socket" => socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC),
        "ping-socket" => socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
        "tcp-connect" => tcp("127.0.0.1"),
        "tcp-connect-6" => TcpStream::connect(("::1", at.port("tcp6"))).and_then(hear),
        "tcp-connect-mapped" => tcp("::ffff:127.0.0.1"),
        "tcp-connect-to-every-address" => tcp("0.0.0.0"),
        "tcp-connect-to-own-address" => tcp(at.text("address")),
        "multipath-connect" => connect_by(libc::AF_INET, libc::IPPROTO_MPTCP, at),
        "shared-memory-connect" => connect_by(43, 0, at),
        "other-transports" => socket(libc::AF_INET, STREAM, libc::IPPROTO_SCTP)
            .or_else(|_| socket(libc::AF_INET, 6, libc::IPPROTO_DCCP))
            .or_else(|_| socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE)),
        "fast-open" => fast_open(at, false),
        "fast-open-by-message" => fast_open(at, true),
        "listen" => TcpListener::bind("0.0.0.0:0").map(|_| "others may come".to_owned()),
        "listen-without-binding" => make(libc::AF_INET, 0)
            .and_then(|socket| passes(libc::SYS_listen, &[i64::from(socket.as_raw_fd()), 1], &[])),
        "udp-send" => datagram(b"?", at),
        "dns" => datagram(b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x06secret\x07example\0\0\x01\0\x01", at),
        "unix-connect" => UnixStream::connect(at.path("unix")).and_then(hear),
        "abstract-connect" => SocketAddr::from_abstract_name(at.text("abstract"))
            .and_then(|name| UnixStream::connect_addr(&name))
            .and_then(hear),
        "unix-datagram" => UnixDatagram::pair()
            .and_then(|(one, _)| one.send_to(b"?", at.path("unix_datagram")))
            .map(|_| "it was sent".to_owned()),
        "control-socket" => {
            greet(at.path("control").as_os_str().as_bytes(), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        }
        "session-bus" => greet(at.path("bus").as_os_str().as_bytes(), b"\0AUTH\r\n"),
        "system-bus" => greet(b"/run/dbus/system_bus_socket", b"\0AUTH\r\n"),
        "io-uring" => passes(libc::SYS_io_uring_setup, &[4, address(&*room(120))], &[]),
        _ => return None,
    })
}

/// What the other end says.
fn hear(mut from: impl Read + AsRawFd) -> Outcome {
    let mut said = [0; 100];
    match from.read(&mut said)? {
        0 => Err(denied("nothing was said")),
        read => Ok(format!("it says {}", String::from_utf8_lossy(&said[..read]))),
    }
}

fn make(family: i32, protocol: i32) -> std::io::Result<File> {
    Ok(owned(call(libc::SYS_socket, &[family, STREAM, protocol].map(i64::from))?))
}

/// The address of the service of the host, as the kernel takes it.
fn service(at: &Place) -> [u8; 16] {
    let mut address = [0; 16];
    address[..2].copy_from_slice(&u16::try_from(libc::AF_INET).unwrap_or_default().to_ne_bytes());
    address[2..4].copy_from_slice(&at.port("tcp").to_be_bytes());
    address[4..8].copy_from_slice(&[127, 0, 0, 1]);
    address
}

fn connect_by(family: i32, protocol: i32, at: &Place) -> Outcome {
    let socket = make(family, protocol)?;
    call(libc::SYS_connect, &[i64::from(socket.as_raw_fd()), address(&service(at)), 16])?;
    hear(socket)
}

/// Connects and sends at once, by no call of that name.
fn fast_open(at: &Place, by_message: bool) -> Outcome {
    let (socket, to, flags) = (make(libc::AF_INET, 0)?, service(at), i64::from(libc::MSG_FASTOPEN));
    let descriptor = i64::from(socket.as_raw_fd());
    if by_message {
        let vector = [address(b"?"), 1];
        let message = [address(&to), 16, address(&vector), 1, 0, 0, 0];
        call(libc::SYS_sendmsg, &[descriptor, address(&message), flags])?;
    } else {
        call(libc::SYS_sendto, &[descriptor, address(b"?"), 1, flags, address(&to), 16])?;
    }
    hear(socket)
}

fn datagram(what: &[u8], at: &Place) -> Outcome {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(SECONDS))?;
    socket.send_to(what, ("127.0.0.1", at.port("udp")))?;
    let mut said = [0; 100];
    let read = socket.recv(&mut said)?;
    Ok(format!("it says {}", String::from_utf8_lossy(&said[..read])))
}

fn greet(path: &[u8], words: &[u8]) -> Outcome {
    let path = std::ffi::OsStr::from_bytes(path);
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(SECONDS))?;
    stream.write_all(words)?;
    hear(stream).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => denied("nothing was said"),
        _ => error,
    })
}
