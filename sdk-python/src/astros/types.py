"""What a handler takes and gives: Intent and Response, and Progress on the way."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from typing import Any

__all__ = ["Intent", "Progress", "Response"]


class Intent:
    """What a person asked for.

    text: their words ("" where another plugin calls); intent_type: the handler or category that was recognised;
    confidence: 0 to 1; context: the slots and parameters; timestamp: a datetime with its zone;
    meta: what the host says about the call (correlation_id, deadline_ms, caller, cwd, locale…).
    Members that this version does not know are in `extra`.
    """

    def __init__(
        self,
        text: str,
        intent_type: str = "",
        confidence: float = 1.0,
        user_id: str | None = None,
        session_id: str | None = None,
        context: Mapping[str, Any] | None = None,
        timestamp: datetime | str | None = None,
        meta: Mapping[str, Any] | None = None,
        **extra: Any,
    ) -> None:
        self.text = text
        self.intent_type = intent_type
        self.confidence = confidence
        self.user_id = user_id
        self.session_id = session_id
        self.context: dict[str, Any] = {} if context is None else dict(context)
        self.meta: dict[str, Any] = {} if meta is None else dict(meta)
        self.extra: dict[str, Any] = extra
        # Most handlers never look at the time, so it is read only when they do.
        self._timestamp: datetime | str | float = time.time() if timestamp is None else timestamp

    @property
    def timestamp(self) -> datetime:
        """When it was asked; raises ValueError where the sender's text is no RFC 3339 time."""
        moment = self._timestamp
        if isinstance(moment, (str, float)):
            moment = self._timestamp = _moment(moment)
        return moment

    @timestamp.setter
    def timestamp(self, moment: datetime | str) -> None:
        self._timestamp = moment

    @staticmethod
    def from_dict(members: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> Intent:
        """An intent from its JSON object; a member that is null counts as absent."""
        known = {name: members[name] for name in _INTENT if members.get(name) is not None}
        intent = Intent(known.pop("text", ""), meta=meta, **known)
        if len(members) > len(known):
            intent.extra = {name: value for name, value in members.items() if name not in _INTENT}
        return intent

    def to_dict(self) -> dict[str, Any]:
        """The JSON object; `meta` is the call's, not the intent's."""
        moment = self._timestamp
        wire: dict[str, Any] = {
            "text": self.text,
            "intent_type": self.intent_type,
            "confidence": self.confidence,
            "user_id": self.user_id,
            "session_id": self.session_id,
            "context": self.context,
            "timestamp": moment if isinstance(moment, str) else self.timestamp,
        }
        return {name: value for name, value in wire.items() if value is not None} | self.extra

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, Intent) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Intent({self.text!r}, intent_type={self.intent_type!r}, context={self.context!r})"


class Response:
    """What a handler answers.

    success and declined are results, not errors; data is any JSON; declined asks the host to try the next handler;
    error is the error's object (code, kind, message, hint…) where a call failed. Any further member is kept and
    readable as an attribute.
    """

    def __init__(
        self,
        success: bool = True,
        message: str = "",
        data: Any = None,
        requires_followup: bool = False,
        suggested_actions: Iterable[str] = (),
        declined: bool = False,
        error: Any = None,
        **extra: Any,
    ) -> None:
        self.success = success
        self.message = message
        self.data: Any = {} if data is None else data
        self.requires_followup = requires_followup
        self.suggested_actions = list(suggested_actions)
        self.declined = declined
        self.error = error
        self.extra: dict[str, Any] = extra

    def __getattr__(self, name: str) -> Any:
        # Only called where there is no such attribute. `extra` itself is absent while a copy is being made.
        extra = self.__dict__.get("extra", {})
        if name in extra:
            return extra[name]
        raise AttributeError(f"the response has no member `{name}`")

    @staticmethod
    def from_dict(members: Mapping[str, Any]) -> Response:
        """A response from its JSON object; absent and null members get their defaults."""
        given = {name: value for name, value in members.items() if value is not None or name not in _MEMBERS}
        extra = {name: given.pop(name) for name in list(given) if name not in _MEMBERS}
        response = Response(**given)
        response.extra = extra
        return response

    def to_dict(self) -> dict[str, Any]:
        """The JSON object; what has its default and says nothing is left out."""
        wire: dict[str, Any] = {"success": self.success, "message": self.message, "data": self.data}
        if self.requires_followup:
            wire["requires_followup"] = True
        if self.suggested_actions:
            wire["suggested_actions"] = self.suggested_actions
        if self.declined:
            wire["declined"] = True
        if self.error is not None:
            wire["error"] = self.error
        return {**self.extra, **wire} if self.extra else wire

    def __eq__(self, other: object) -> bool:
        return self.to_dict() == other.to_dict() if isinstance(other, Response) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        members = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items())
        return f"Response({members})"


class Progress:
    """A step that a callee reports, as `on_progress` gets it; what it did not say is None."""

    def __init__(
        self, done: float | None = None, total: float | None = None, message: str | None = None, data: Any = None
    ) -> None:
        self.done = done
        self.total = total
        self.message = message
        self.data = data

    @staticmethod
    def from_dict(members: Mapping[str, Any]) -> Progress:
        """A step from its JSON object."""
        return Progress(*map(members.get, ("done", "total", "message", "data")))

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without what is None."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if isinstance(other, Progress) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Progress({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"


_INTENT = ("text", "intent_type", "confidence", "user_id", "session_id", "context", "timestamp")
_MEMBERS = frozenset(("success", "message", "data", "requires_followup", "suggested_actions", "declined", "error"))


def _moment(value: str | float) -> datetime:
    from datetime import datetime

    if not isinstance(value, str):
        return datetime.fromtimestamp(value).astimezone()
    text = value.strip().replace("z", "Z").replace("Z", "+00:00")
    # Python 3.10 reads fractions of three or six digits only.
    if "." in text:
        head, _, rest = text.partition(".")
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{head}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"`timestamp` is no RFC 3339 time: {value!r:.80}") from None
    return moment if moment.tzinfo is not None else moment.astimezone()
