"""Providers in every manner: streamed, whole, plain functions, with a pool, failing; and one of AstrOS's kind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from app.cli.plugins.framework import ProviderPlugin  # type: ignore[import-not-found]
from app.llm_providers.base_provider import BaseProvider, CompletionResponse  # type: ignore[import-not-found]

from astros.ai import register_provider
from astros.ai.base import BaseAIProvider
from astros.errors import RetryableError


class Refused(Exception):
    status = 429


class Parrot(BaseProvider):  # type: ignore[misc]
    """Says it again."""

    made = 0
    models = ("grey", "green")

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.key = config.get("api_key")
        Parrot.made += 1

    async def initialize(self, config: dict[str, Any]) -> bool:
        await asyncio.sleep(0)
        self.pool = asyncio.get_running_loop()
        return bool(config.get("api_key") != "wrong")

    async def cleanup(self) -> None:
        print(f"closed {self.key}", flush=True)

    async def health_check(self) -> dict[str, Any]:
        basic = await super().health_check()
        basic.update({"open_connections": 3, "models_available": await self.count_available_models()})
        return dict(basic)

    async def complete(self, request: Any) -> CompletionResponse:
        if request.prompt == "fail":
            raise Refused("too often")
        if request.prompt == "lost":
            raise RetryableError("the line is bad")
        said = {**request.to_dict(), "made": Parrot.made, "same_loop": self.pool is asyncio.get_running_loop()}
        usage = {"prompt_tokens": 2, "completion_tokens": 3}
        return CompletionResponse.from_dict(
            {"text": f"{request.prompt}!", "model": "grey", "usage": usage, "asked": said}
        )

    async def stream_complete(self, request: Any) -> AsyncIterator[str]:
        try:
            for word in request.prompt.split():
                yield word + " "
                if request.prompt.startswith("forever"):
                    while True:
                        await asyncio.sleep(0.005)
                        yield "and on "
        finally:
            print("stream closed", flush=True)


class Plain(BaseAIProvider):
    """Functions that block."""

    def complete(self, prompt: str, **options: Any) -> Iterator[str]:  # type: ignore[override]
        for word in prompt.split():
            time.sleep(0.001)
            yield word

    def embed(self, input: list[str], **options: Any) -> dict[str, Any]:  # type: ignore[override]
        return {"embeddings": [[float(len(text))] for text in input]}

    async def analyze_image(self, image: Any, prompt: str, **options: Any) -> dict[str, Any]:
        return {"content": f"{prompt} {image}"}


register_provider("plain", Plain)


class Parrots(ProviderPlugin):  # type: ignore[misc]
    name = "parrot"

    def get_provider_class(self) -> type[Parrot]:
        return Parrot

    def get_provider_config_schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "api_key": {"type": "string", "writeOnly": True},
                "timeout": {"type": "integer", "default": 30},
            },
        }
