"""Sockets of every kind, with no network granted, with hosts granted, and with all of it."""

import ctypes
import os
import socket
import struct

from trying import Denied, attempt, many, passes

SECONDS = 3
MPTCP, SMC, SCTP, DCCP, UDPLITE = 262, 43, 132, 33, 136
KINDS = {
    "raw-socket": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "raw-socket-6": (socket.AF_INET6, socket.SOCK_RAW, 58),
    "packet-socket": (socket.AF_PACKET, socket.SOCK_RAW, 0x0300),
    "packet-datagram-socket": (socket.AF_PACKET, socket.SOCK_DGRAM, 0x0300),
    "vsock-socket": (40, socket.SOCK_STREAM, 0),
    "algorithm-socket": (38, socket.SOCK_SEQPACKET, 0),
    "uevent-socket": (socket.AF_NETLINK, socket.SOCK_RAW, 15),
    "audit-socket": (socket.AF_NETLINK, socket.SOCK_RAW, 9),
    "diagnosis-socket": (socket.AF_NETLINK, socket.SOCK_RAW, 4),
    "filter-socket": (socket.AF_NETLINK, socket.SOCK_RAW, 12),
    "generic-netlink-socket": (socket.AF_NETLINK, socket.SOCK_RAW, 16),
    "ping-socket": (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
}


def make(kind, at):
    socket.socket(*kind).close()
    return "such a socket was made"


many(KINDS, make)


def heard(connection):
    connection.settimeout(SECONDS)
    said = connection.recv(100)
    if not said:
        raise Denied("nothing was said")
    return f"it says {said!r}"


def connect(family, kind, protocol, address):
    with socket.socket(family, kind, protocol) as connection:
        connection.settimeout(SECONDS)
        connection.connect(address)
        return heard(connection)


@attempt
def tcp_connect(at):
    return connect(socket.AF_INET, socket.SOCK_STREAM, 0, ("127.0.0.1", at.tcp))


@attempt
def tcp_connect_6(at):
    return connect(socket.AF_INET6, socket.SOCK_STREAM, 0, ("::1", at.tcp6))


@attempt
def tcp_connect_mapped(at):
    return connect(socket.AF_INET6, socket.SOCK_STREAM, 0, ("::ffff:127.0.0.1", at.tcp))


@attempt
def tcp_connect_to_every_address(at):
    """The address of no host is the own one's."""
    return connect(socket.AF_INET, socket.SOCK_STREAM, 0, ("0.0.0.0", at.tcp))


@attempt
def tcp_connect_to_own_address(at):
    """By the address that others see."""
    return connect(socket.AF_INET, socket.SOCK_STREAM, 0, (at.address, at.tcp))


@attempt
def multipath_connect(at):
    """What restricts TCP may not know its successor."""
    return connect(socket.AF_INET, socket.SOCK_STREAM, MPTCP, ("127.0.0.1", at.tcp))


@attempt
def shared_memory_connect(at):
    """SMC falls back to TCP."""
    return connect(SMC, socket.SOCK_STREAM, 0, ("127.0.0.1", at.tcp))


@attempt
def other_transports(at):
    for protocol, kind in ((SCTP, socket.SOCK_STREAM), (DCCP, 6), (UDPLITE, socket.SOCK_DGRAM)):
        try:
            socket.socket(socket.AF_INET, kind, protocol).close()
        except OSError as error:
            last = error
        else:
            return f"a socket of the protocol {protocol} was made"
    raise last


@attempt
def tcp_connect_without_blocking(at):
    with socket.socket() as connection:
        connection.setblocking(False)
        error = connection.connect_ex(("127.0.0.1", at.tcp))
        if error != 115:
            raise OSError(error, os.strerror(error))
        return heard(connection)


@attempt
def fast_open(at):
    """Connects and sends at once, by no call of that name."""
    with socket.socket() as connection:
        connection.sendto(b"?", socket.MSG_FASTOPEN, ("127.0.0.1", at.tcp))
        return heard(connection)


@attempt
def fast_open_by_message(at):
    with socket.socket() as connection:
        connection.sendmsg([b"?"], [], socket.MSG_FASTOPEN, ("127.0.0.1", at.tcp))
        return heard(connection)


@attempt
def fast_open_by_option(at):
    with socket.socket() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, 30, 1)
        return connect_with(connection, at)


def connect_with(connection, at):
    connection.settimeout(SECONDS)
    connection.connect(("127.0.0.1", at.tcp))
    connection.send(b"?")
    return heard(connection)


@attempt
def listen(at):
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        return f"others may come to {listener.getsockname()}"


@attempt
def listen_without_binding(at):
    with socket.socket() as listener:
        listener.listen()
        return f"others may come to {listener.getsockname()}"


@attempt
def udp_send(at):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"?", ("127.0.0.1", at.udp))
        return heard(sender)


@attempt
def udp_send_connected(at):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", at.udp))
        sender.send(b"?")
        return heard(sender)


@attempt
def dns(at):
    """A question to a server of names may carry anything."""
    question = struct.pack(">6H", 1, 256, 1, 0, 0, 0) + b"\x06secret\x07example\0" + struct.pack(">2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(question, ("127.0.0.1", at.udp))
        return heard(sender)


@attempt
def multicast(at):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sender.sendto(b"?", ("224.0.0.251", 5353))
        return "it was sent to all"


@attempt
def unix_connect(at):
    return connect(socket.AF_UNIX, socket.SOCK_STREAM, 0, at.unix)


@attempt
def unix_connect_by_a_link(at):
    link = os.path.join(at.own_data, f"link-{os.getpid()}")
    os.symlink(at.unix, link)
    return connect(socket.AF_UNIX, socket.SOCK_STREAM, 0, link)


@attempt
def abstract_connect(at):
    return connect(socket.AF_UNIX, socket.SOCK_STREAM, 0, "\0" + at.abstract)


@attempt
def unix_datagram(at):
    """One made by socketpair is allowed; with an address it would reach others."""
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one:
        one.sendto(b"?", at.unix_datagram)
        return "it was sent"


@attempt
def control_socket(at):
    """The daemon's own, which may do all that a person may."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(at.control)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return heard(connection)


@attempt
def session_bus(at):
    """Programs of the desktop, which do what they are told."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(at.bus)
        connection.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
        return heard(connection)


@attempt
def system_bus(at):
    return connect(socket.AF_UNIX, socket.SOCK_STREAM, 0, "/run/dbus/system_bus_socket")


@attempt
def io_uring(at):
    """Does what system calls do, past whoever filters those."""
    return passes("io_uring_setup", 4, ctypes.create_string_buffer(120))


@attempt
def host_network_settings(at):
    """The addresses and routes of the host."""
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    if not names:
        raise Denied("there is the loopback only")
    return f"there are {names}"


def by_proxy(lines, at):
    """Through whatever is said to be the way out; else directly."""
    proxy = os.environ.get("HTTP_PROXY")
    if not proxy:
        return connect(socket.AF_INET, socket.SOCK_STREAM, 0, ("127.0.0.1", at.tcp))
    host, _, port = proxy.rpartition("/")[2].partition(":")
    with socket.create_connection((host, int(port)), SECONDS) as connection:
        connection.sendall("\r\n".join([*lines(at), "", ""]).encode())
        connection.settimeout(SECONDS)
        said = connection.recv(1000)
        if said.split(b" ")[1:2] != [b"200"]:
            raise Denied(f"the proxy says {said[:200]!r}")
        return f"the proxy says {said!r}"


def tunnel(host):
    return lambda at: [f"CONNECT {host}:{at.tcp} HTTP/1.1", f"Host: {host}:{at.tcp}"]


def request(host):
    return lambda at: [f"GET http://{host}:{at.tcp}/ HTTP/1.1", f"Host: {host}:{at.tcp}", "Connection: close"]


HOSTS = {
    "loopback": "127.0.0.1",
    "localhost": "localhost",
    "loopback-6": "[::1]",
    "mapped-loopback": "[::ffff:127.0.0.1]",
    "number": "2130706433",
    "short-address": "127.1",
    "octal-address": "0177.0.0.1",
    "no-address": "0.0.0.0",
    "other-loopback": "127.8.8.8",
}
many({f"proxy-tunnel-to-{name}": tunnel(host) for name, host in HOSTS.items()}, by_proxy)
many({f"proxy-request-to-{name}": request(host) for name, host in HOSTS.items()}, by_proxy)
many({"proxy-tunnel-to-another-host": lambda at: ["CONNECT b.example:443 HTTP/1.1", "Host: b.example:443"]}, by_proxy)
many({"proxy-tunnel-to-another-port": lambda at: ["CONNECT a.example:22 HTTP/1.1", "Host: a.example:22"]}, by_proxy)
many({"proxy-request-of-another-host": lambda at: ["GET http://b.example/ HTTP/1.1", "Host: a.example"]}, by_proxy)
many(
    {"proxy-host-with-a-user": lambda at: [f"GET http://a.example@127.0.0.1:{at.tcp}/ HTTP/1.1", "Host: a.example"]},
    by_proxy,
)


@attempt
def netlink_change(at):
    """A new network device; nothing is made where it is allowed, for its kind is none."""
    name = b"\x08\x00\x03\x00x0\0\0"
    kind = b"\x0c\x00\x12\x00\x08\x00\x01\x00no\0\0"
    body = struct.pack("BxHiII", 0, 0, 0, 0, 0) + name + kind
    header = struct.pack("IHHII", 16 + len(body), 16, 0x605, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
        route.bind((0, 0))
        route.send(header + body)
        error = -struct.unpack("i", route.recv(1000)[16:20])[0]
    if error in (1, 13):
        raise OSError(error, os.strerror(error))
    return f"it was allowed, and then: {os.strerror(error)}"
