"""Every exception of the SDK, with the protocol's code and kind of each.

AstrOSError
├── EncodeError            a value that JSON cannot hold (also a ValueError)
├── LoadError              a plugin's code cannot be loaded
├── NotConnected           no host is there, or it is gone
├── CallFailed             call_plugin(check=True): the other plugin answered `success: false`
├── PluginError            for authors: what went wrong in a plugin
│   ├── ValidationError    its input is wrong (also a ValueError)
│   └── RetryableError     it may work when it is tried again
└── RemoteError            an error that travels the wire
    ├── ParseError, InvalidRequest, MethodNotFound, InvalidParams, InternalError
    ├── PluginNotFound, PluginUnavailable, PluginCrashed
    ├── DeadlineExceeded, Cancelled, PermissionDenied, CallCycle, Overloaded, FrameTooLarge
    ├── UnsupportedVersion, InvalidSettings
    ├── HandlerFailed, HandlerNotFound, NotInitialized, ShuttingDown
    ├── AIError, StorageError
    └── BadResponse, NotUnderstood
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from .types import Response

__all__ = [
    "AIError",
    "AstrOSError",
    "BadResponse",
    "CallCycle",
    "CallFailed",
    "Cancelled",
    "DeadlineExceeded",
    "EncodeError",
    "FrameTooLarge",
    "HandlerFailed",
    "HandlerNotFound",
    "InternalError",
    "InvalidParams",
    "InvalidRequest",
    "InvalidSettings",
    "LoadError",
    "MethodNotFound",
    "NotConnected",
    "NotInitialized",
    "NotUnderstood",
    "Overloaded",
    "ParseError",
    "PermissionDenied",
    "PluginCrashed",
    "PluginError",
    "PluginNotFound",
    "PluginUnavailable",
    "RemoteError",
    "RetryableError",
    "ShuttingDown",
    "StorageError",
    "UnsupportedVersion",
    "ValidationError",
]


class AstrOSError(Exception):
    """The base of every exception of the SDK."""


class EncodeError(AstrOSError, ValueError):
    """A value that JSON cannot hold; the message names where it is."""


class LoadError(AstrOSError):
    """A plugin's code that cannot be found, imported or told apart."""


class NotConnected(AstrOSError):
    """No host to ask: the plugin runs alone, or its host is gone."""


class CallFailed(AstrOSError):
    """Another plugin answered `success: false`; `response` is its whole answer."""

    def __init__(self, message: str, response: Response) -> None:
        super().__init__(message)
        self.response = response


class PluginError(AstrOSError):
    """What went wrong in a plugin; the SDK never raises it, authors do."""


class ValidationError(PluginError, ValueError):
    """What came in is not as it has to be."""


class RetryableError(PluginError):
    """What may work when it is tried again; `astros.helpers.retry` does, and callers are told so."""


class RemoteError(AstrOSError):
    """An error as the protocol carries it.

    `code` and `kind` are the protocol's, `data` is what else the sender said (`retryable`, `hint`,
    `detail`, `plugin`); a code that this SDK does not know is kept.
    """

    default_code: ClassVar[int] = -32603
    default_kind: ClassVar[str] = "internal_error"

    def __init__(
        self,
        message: str = "",
        *,
        code: int | None = None,
        kind: str | None = None,
        retryable: bool = False,
        **data: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.default_code if code is None else code
        self.kind = kind or self.default_kind
        self.retryable = retryable
        self.data: dict[str, Any] = data

    @property
    def hint(self) -> str | None:
        """What to do next, where the sender said it."""
        hint = self.data.get("hint")
        return hint if isinstance(hint, str) else None

    def to_wire(self) -> dict[str, Any]:
        """The JSON-RPC error object: code, message, data {kind, retryable, …}."""
        data = {"kind": self.kind, "retryable": self.retryable, **self.data}
        return {"code": self.code, "message": self.message, "data": data}

    def to_dict(self) -> dict[str, Any]:
        """One flat object, as `Response.error` and the command show it."""
        wire = {"code": self.code, "kind": self.kind, "message": self.message, "retryable": self.retryable}
        return {**wire, **self.data}

    @staticmethod
    def from_wire(error: Any) -> RemoteError:
        """The exception for a JSON-RPC error object; tolerates whatever is there."""
        if not isinstance(error, dict):
            return BadResponse(f"an error that is no object: {error!r:.200}")
        raw = error.get("data")
        data = dict(raw) if isinstance(raw, dict) else {} if raw is None else {"detail": raw}
        code = error.get("code")
        code = code if isinstance(code, int) else -32603
        kind = data.pop("kind", None)
        retryable = data.pop("retryable", False) is True
        cls = _BY_CODE.get(code, RemoteError)
        words = error.get("message")
        remote = cls(words if isinstance(words, str) else cls.default_kind, code=code, retryable=retryable)
        remote.kind = kind if isinstance(kind, str) else cls.default_kind
        remote.data = data
        return remote


class ParseError(RemoteError):
    """A line that is no JSON."""

    default_code, default_kind = -32700, "parse_error"


class InvalidRequest(RemoteError):
    """JSON that is no message of the protocol."""

    default_code, default_kind = -32600, "invalid_request"


class MethodNotFound(RemoteError):
    """A method that the other side does not serve."""

    default_code, default_kind = -32601, "method_not_found"


class InvalidParams(RemoteError):
    """Params of another shape than the method's."""

    default_code, default_kind = -32602, "invalid_params"


class InternalError(RemoteError):
    """A fault of the other side itself."""


class PluginNotFound(RemoteError):
    """No plugin of that name; `hint` names the nearest."""

    default_code, default_kind = -32001, "plugin_not_found"


class PluginUnavailable(RemoteError):
    """The plugin is starting, backing off, disabled, blocked or quarantined."""

    default_code, default_kind = -32002, "plugin_unavailable"


class PluginCrashed(RemoteError):
    """The plugin ended while it served this."""

    default_code, default_kind = -32003, "plugin_crashed"


class DeadlineExceeded(RemoteError):
    """The time for the call is over."""

    default_code, default_kind = -32004, "deadline_exceeded"


class Cancelled(RemoteError):
    """The call was cancelled by whoever asked for it."""

    default_code, default_kind = -32005, "cancelled"


class PermissionDenied(RemoteError):
    """A grant is missing; the message names it."""

    default_code, default_kind = -32006, "permission_denied"


class CallCycle(RemoteError):
    """The call would wait for itself, or the chain of calls is too deep."""

    default_code, default_kind = -32007, "call_cycle"


class Overloaded(RemoteError):
    """The other plugin's queue is full; `data["retry_after_ms"]`."""

    default_code, default_kind = -32008, "overloaded"


class FrameTooLarge(RemoteError):
    """A message of more bytes than the other side takes."""

    default_code, default_kind = -32009, "frame_too_large"


class UnsupportedVersion(RemoteError):
    """No version of the protocol in common."""

    default_code, default_kind = -32010, "unsupported_version"


class InvalidSettings(RemoteError):
    """Settings that the plugin refuses; raise it from `on_settings_changed` or `initialize`."""

    default_code, default_kind = -32011, "invalid_settings"


class HandlerFailed(RemoteError):
    """The handler raised; the message is `Type: message`."""

    default_code, default_kind = -32012, "handler_failed"


class HandlerNotFound(RemoteError):
    """The plugin has no such handler; `hint` names the nearest."""

    default_code, default_kind = -32013, "handler_not_found"


class NotInitialized(RemoteError):
    """Too early: `initialize` has not been answered."""

    default_code, default_kind = -32014, "not_initialized"


class ShuttingDown(RemoteError):
    """Too late: the plugin is stopping, and has not begun this."""

    default_code, default_kind = -32015, "shutting_down"


class AIError(RemoteError):
    """An AI provider failed, or none can be reached."""

    default_code, default_kind = -32016, "ai_failed"


class StorageError(RemoteError):
    """The storage refused; `reason` is `quota`, `conflict`, `too_large`… or None."""

    default_code, default_kind = -32017, "storage_failed"

    @property
    def reason(self) -> str | None:
        """Why, in the host's word: `conflict` is an `if_version` that does not hold."""
        reason = self.data.get("reason")
        return reason if isinstance(reason, str) else None


class BadResponse(RemoteError):
    """The other side's answer is not what the protocol says."""

    default_code, default_kind = -32018, "bad_response"


class NotUnderstood(RemoteError):
    """Nobody can do what the text asks."""

    default_code, default_kind = -32019, "not_understood"


_BY_CODE: dict[int, type[RemoteError]] = {
    cls.default_code: cls for cls in RemoteError.__subclasses__() if cls is not InternalError
} | {-32603: InternalError}
