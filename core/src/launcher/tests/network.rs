//! Whom it reaches.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    thread,
};

use super::harness::{MEANS_HERE, networked, python, run_beside};
use crate::launcher::Network;

/// Tries sockets, and prints those that can be made.
const SOCKETS: &str = r#"
import socket
def can(*of, pair=False):
    try: (socket.socketpair if pair else socket.socket)(*of)
    except OSError: return False
    return True
all = {
    'stream': (socket.AF_INET, socket.SOCK_STREAM), 'stream6': (socket.AF_INET6, socket.SOCK_STREAM),
    'datagram': (socket.AF_INET, socket.SOCK_DGRAM), 'raw': (socket.AF_INET, socket.SOCK_RAW, 1),
    'ping': (socket.AF_INET, socket.SOCK_DGRAM, 1), 'sctp': (socket.AF_INET, socket.SOCK_STREAM, 132),
    'mptcp': (socket.AF_INET, socket.SOCK_STREAM, 262), 'sequence': (socket.AF_INET, socket.SOCK_SEQPACKET),
    'unix': (socket.AF_UNIX, socket.SOCK_STREAM), 'unix datagram': (socket.AF_UNIX, socket.SOCK_DGRAM),
    'packet': (socket.AF_PACKET, socket.SOCK_RAW), 'vsock': (socket.AF_VSOCK, socket.SOCK_STREAM),
    'route': (socket.AF_NETLINK, socket.SOCK_RAW, 0), 'audit': (socket.AF_NETLINK, socket.SOCK_RAW, 9),
    'alg': (38, socket.SOCK_SEQPACKET), 'bluetooth': (31, socket.SOCK_RAW, 0), 'can': (29, socket.SOCK_RAW, 1),
}
made = [name for name, of in all.items() if can(*of)]
made += ['pair'] if can(pair=True) else []
made += ['pair of datagrams'] if can(socket.AF_UNIX, socket.SOCK_DGRAM, pair=True) else []
print(', '.join(made))
"#;

#[test]
fn without_a_grant_there_is_no_network() {
    assert_eq!(python(&networked(Network::None), SOCKETS), "pair\n");
}

#[test]
fn with_all_of_the_network_there_is_nothing_below_it() {
    assert_eq!(python(&networked(Network::Host), SOCKETS), "stream, stream6, datagram, route, pair\n");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = thread::spawn(move || {
        let mut said = String::new();
        listener.accept().unwrap().0.read_to_string(&mut said).unwrap();
        said
    });
    let code = format!("import socket; socket.create_connection(('127.0.0.1', {port})).sendall(b'hello')");
    python(&networked(Network::Host), &code);
    assert_eq!(said.join().unwrap(), "hello");
}

#[test]
fn fast_open_goes_past_nobody() {
    let code = r#"
import socket, errno
def fails(act):
    try: act()
    except PermissionError: return
    raise SystemExit(f'{act} went through')
s = socket.socket()
fails(lambda: s.sendto(b'x', 0x20000000, ('127.0.0.1', 9)))
fails(lambda: s.sendmsg([b'x'], [], 0x20000000, ('127.0.0.1', 9)))
fails(lambda: s.setsockopt(socket.IPPROTO_TCP, 30, 1))
"#;
    python(&networked(Network::Host), code);
}

#[test]
fn with_a_proxy_there_is_the_proxy_and_nothing_else() {
    if !MEANS_HERE.namespaces {
        return;
    }
    let outside = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let code = r#"
import socket, sys
proxy = socket.create_connection(('127.0.0.1', 3128))
proxy.sendall(b'hello')
proxy.shutdown(socket.SHUT_WR)
print(proxy.recv(9).decode())
for where in [('127.0.0.1', int(sys.argv[1])), ('1.1.1.1', 80), ('127.0.0.1', 22)]:
    try: socket.create_connection(where, 3)
    except OSError: continue
    print('reaches', where)
print([name for _, name in socket.if_nameindex()])
"#;
    let port = outside.local_addr().unwrap().port().to_string();
    let ran = run_beside(&networked(Network::Proxy), &["/usr/bin/python3", "-c", code, &port], |listener| {
        let listener = listener.expect("the launcher hands it over");
        thread::spawn(move || {
            let (mut plugin, _) = listener.accept().unwrap();
            let mut said = String::new();
            plugin.read_to_string(&mut said).unwrap();
            plugin.write_all(said.to_uppercase().as_bytes()).unwrap();
        });
    });
    let ran = ran.unwrap();
    assert_eq!(ran.output, "HELLO\n['lo']\n", "{}", ran.errors);
    assert_eq!(python(&networked(Network::Proxy), SOCKETS), "stream, stream6, route, pair\n");
}
