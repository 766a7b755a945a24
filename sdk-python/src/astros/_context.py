"""Which connection code is running under: that of the request it serves, else the process's own."""

from __future__ import annotations

from ._peer import Peer, current
from ._progress import Step, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .types import Progress

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


def report(step: Progress) -> Step:
    """Report progress of the request that is being served; dropped where nobody listens."""
    request = current.get()
    if request is None or request.meta.get("progress") is not True:
        return Step(None)
    if request.stream is None:
        request.stream = Stream(request)
    return request.stream.push(step.to_dict())
