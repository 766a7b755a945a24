"""Bytes to lines, in bounded memory: a line beyond the limit is thrown away while it arrives."""

from __future__ import annotations

HEAD = 4096


class Oversized:
    """A line that was thrown away: its first bytes and its size."""

    __slots__ = ("head", "size")

    def __init__(self, head: bytes, size: int) -> None:
        self.head = head
        self.size = size


class Lines:
    """Feed it chunks, it gives back the whole lines (without their end) and what was oversized."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._head: bytes | None = None  # set while a line is thrown away

    def feed(self, chunk: bytes) -> list[bytes | Oversized]:
        """The lines that this chunk completes."""
        first, *rest = chunk.split(b"\n")
        self._add(first)
        if not rest:
            return []
        lines = [self._take()]
        for line in rest[:-1]:
            lines.append(line if len(line) <= self.limit else Oversized(line[:HEAD], len(line)))
        self._add(rest[-1])
        return lines

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self.limit:
            self._parts.append(part)
        elif self._head is None:
            self._head = b"".join([*self._parts, part[:HEAD]])[:HEAD]
            self._parts = []

    def _take(self) -> bytes | Oversized:
        line = b"".join(self._parts) if self._head is None else Oversized(self._head, self._size)
        self._parts, self._size, self._head = [], 0, None
        return line
