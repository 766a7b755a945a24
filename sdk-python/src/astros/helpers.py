"""Good practice as functions: trying again, work side by side in bounds, paths that stay inside, settings by type.

They need neither a plugin nor a host.
"""

from __future__ import annotations

import inspect
import random
from pathlib import Path

from ._peer import current
from ._schema import defaults, from_environment
from .errors import RemoteError, RetryableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from os import PathLike
    from typing import Any, TypeVar

    T = TypeVar("T")
    R = TypeVar("R")

__all__ = ["correlation_id", "each", "environment_settings", "inside", "retry"]


async def retry(
    work: Callable[[], Awaitable[T]],
    *,
    attempts: int = 3,
    wait: float = 1.0,
    longest: float = 30.0,
    on: type[Exception] | tuple[type[Exception], ...] = (RetryableError, ConnectionError),
    before_next: Callable[[Exception, float], object] | None = None,
) -> T:
    """Call `work`, a coroutine function (a plain one will do), until it succeeds, at most `attempts` times.

    It is tried again after `on`, and after errors of other plugins that say they are retryable; the wait doubles from
    `wait` to `longest` seconds, ± 20 %. `before_next` is called with the error and the seconds, to log it. The last
    error is raised as it came.
    """
    import asyncio

    for attempt in range(max(attempts, 1)):
        try:
            done: Any = work()
            result: T = await done if inspect.isawaitable(done) else done
            return result
        except Exception as error:
            again = isinstance(error, on) or (isinstance(error, RemoteError) and error.retryable)
            if not again or attempt + 1 >= attempts:
                raise
            seconds = min(longest, wait * 2**attempt) * random.uniform(0.8, 1.2)
            if before_next is not None:
                before_next(error, seconds)
            await asyncio.sleep(seconds)
    raise AssertionError("the last attempt returns or raises")


async def each(
    items: Iterable[T], work: Callable[[T], Awaitable[R]], *, limit: int = 10, failures: bool = False
) -> list[R | Exception]:
    """`work` for each item, at most `limit` at once; the results in the items' order.

    The first failure cancels the rest and is raised once that has ended; with `failures` it stands among the results
    instead.
    """
    import asyncio

    results: dict[int, R | Exception] = {}
    waiting = enumerate(items)

    async def worker() -> None:
        for index, item in waiting:
            try:
                results[index] = await work(item)
            except Exception as error:
                if not failures:
                    raise
                results[index] = error

    workers = [asyncio.ensure_future(worker()) for _ in range(max(limit, 1))]
    try:
        await asyncio.gather(*workers)
    finally:
        for one in workers:
            one.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return [results[index] for index in sorted(results)]


def inside(path: str | PathLike[str], *folders: str | PathLike[str]) -> Path:
    """The path, absolute and without links, where it lies in one of these folders; else PermissionError.

    A relative one counts from the first folder. What does not exist may be asked about.
    """
    if not folders:
        raise TypeError("`inside` needs a folder that the path has to lie in")
    roots = [Path(folder).resolve() for folder in folders]
    found = Path(roots[0], path).resolve()
    if not any(found.is_relative_to(root) for root in roots):
        allowed = ", ".join(f"`{root}`" for root in roots)
        raise PermissionError(f"`{path}` is not in {allowed}")
    return found


def environment_settings(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Settings of a plugin: the schema's defaults, then `ASTROS_<NAME>_<SETTING>`, each as the schema's type."""
    return {**defaults(schema), **from_environment(name, schema)}


def correlation_id() -> str:
    """What ties together all that comes from one request of a person; empty outside of requests.

    Records of `self.logger`, and of loggers below `astros` and `localagent`, have it among their fields.
    """
    request = current.get()
    known = None if request is None else request.meta.get("correlation_id")
    return known if isinstance(known, str) else ""
