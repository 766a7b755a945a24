"""Where a connection's lines go: an abstract end, so that memory stands in for pipes."""

from __future__ import annotations

from abc import ABC, abstractmethod

MAX_FRAME = 16 * 1024 * 1024


class Transport(ABC):
    """The sending half of a connection; `limit` is the largest frame that the other side takes, in bytes."""

    limit = MAX_FRAME

    @abstractmethod
    def send(self, frame: bytes, *, droppable: bool = False) -> None:
        """Queue one line; never blocks, callable from any thread. A droppable one may be lost under pressure."""
