"""Which connection code is running under: that of the request it serves, else the process's own."""

from __future__ import annotations

from ._peer import Peer, current

_process: list[Peer] = []


def adopt(peer: Peer) -> None:
    """Make a connection the process's own."""
    _process[:] = [peer]


def peer_or_none() -> Peer | None:
    """The connection to use, or None where the code runs without a host."""
    request = current.get()
    if request is not None:
        return request.peer
    return _process[0] if _process else None
