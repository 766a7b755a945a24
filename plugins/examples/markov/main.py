"""Goes on with a text by what word followed which in it: a provider without a model, for whom nonsense will do.

What it says is made of the words that it is given and of a few of its own: the same prompt gets the same answer.
"""

import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise

from astros.provider import BaseProvider, CompletionRequest, CompletionResponse, ProviderPlugin

OWN = (
    "the wind is the voice of the sea and the sea is the end of the road and the road is long and the night is the wind"
)


def walk(prompt: str, count: int) -> Iterator[str]:
    """So many words, each of which once followed the one before."""
    words = [*OWN.split(), *prompt.split()]
    followers = defaultdict(list)
    for one, other in pairwise(words):
        followers[one].append(other)
    chance = random.Random(prompt)
    word = words[-1]
    for _ in range(count):
        word = chance.choice(followers[word] or words)
        yield word


class Markov(BaseProvider):
    """Answers `complete`, in one piece or word by word; a conversation is completed, too."""

    models = ("chain-of-words",)

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        said = list(walk(request.prompt, self.count(request)))
        usage = {"input_tokens": len(request.prompt.split()), "output_tokens": len(said)}
        return CompletionResponse(" ".join(said), model=self.models[0], usage=usage, finish_reason="length")

    async def stream_complete(self, request: CompletionRequest) -> AsyncIterator[str]:
        for number, word in enumerate(walk(request.prompt, self.count(request))):
            yield f" {word}" if number else word

    def count(self, request: CompletionRequest) -> int:
        """As many words as are wanted, and no more than its settings say."""
        return min(request.max_tokens or self.config["words"], self.config["words"])


class MarkovPlugin(ProviderPlugin):
    """Brings the provider `markov`."""

    name = "markov"
    version = "1.0.0"

    def get_provider_class(self) -> type[Markov]:
        return Markov
