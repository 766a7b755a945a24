"""The base of an AI provider that a plugin brings."""

from __future__ import annotations

from ..errors import AIError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["BaseAIProvider"]


class BaseAIProvider:
    """Override what the provider can do; what it does not override is refused with an AIError."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        self.config: dict[str, Any] = dict(config or {})

    async def complete(self, prompt: str, **kwargs: Any) -> dict[str, Any]:
        """Continue a text; answers {"content": …}."""
        raise self._cannot("complete")

    async def chat(self, messages: list[Any], **kwargs: Any) -> dict[str, Any]:
        """Answer a conversation; answers {"content": …}."""
        raise self._cannot("chat")

    async def analyze_image(self, image: Any, prompt: str, **kwargs: Any) -> dict[str, Any]:
        """Say something about an image; answers {"content": …}."""
        raise self._cannot("analyze_image")

    async def embed(self, input: Any, **kwargs: Any) -> dict[str, Any]:
        """Vectors for texts."""
        raise self._cannot("embed")

    async def health_check(self) -> dict[str, Any]:
        """Whether the provider can be reached."""
        return {"healthy": True}

    def _cannot(self, what: str) -> AIError:
        return AIError(f"the provider `{type(self).__name__}` has no `{what}`")
