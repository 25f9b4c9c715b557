"""A process of its own for work that may hang: forked, asked one thing at a time, killed when a time limit passes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any


class Worker:
    """Runs `function(*arguments)` in a child.

    Args:
        function: What to run; what it gives must pickle.
        limit_s: Seconds that one call may take.
        limit_bytes: Address space of the child, 0 for no limit.
    """

    def __init__(self, function: Callable[..., Any], limit_s: float, limit_bytes: int = 0) -> None:
        self.function, self.limit_s, self.limit_bytes = function, limit_s, limit_bytes
        self._process: Any = None
        self._pipe: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """Give what the function gives.

        Raises:
            TimeoutError: When the limit passed; the next call gets a new child.
            RuntimeError: When the child died.
        """
        if self._process is None:
            self._begin()
        self._pipe.send(arguments)
        try:
            if not self._pipe.poll(self.limit_s):
                raise TimeoutError(f"more than {self.limit_s} s")
            failed, answer = self._pipe.recv()
        except (EOFError, ConnectionError) as error:
            self.close()
            raise RuntimeError("the process died") from error
        except TimeoutError:
            self.close()
            raise
        if failed:
            raise RuntimeError(answer)
        return answer

    def close(self) -> None:
        """End the child."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def _begin(self) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.function, self.limit_bytes), daemon=True)
        self._process.start()
        theirs.close()


def _serve(pipe: Any, function: Callable[..., Any], limit_bytes: int) -> None:
    if limit_bytes:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    while True:
        try:
            arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = (False, function(*arguments))
        except Exception as error:
            answer = (True, f"{type(error).__name__}: {error}")
        pipe.send(answer)
