"""Enums whose members equal those of the same name and words in another class.

Plugins bring copies of such enums in their own files; `message.type == MessageType.REQUEST` has to hold there too.
"""

from __future__ import annotations

from enum import Enum


class Words(Enum):
    """The base of such enums."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Enum):
            return NotImplemented
        return type(other).__name__ == type(self).__name__ and other.value == self.value

    def __hash__(self) -> int:
        return hash(self._name_)  # as Enum itself, so that equal members of other classes have the same
