"""How the command line ends: one line and a hint for what the user can mend, a traceback only for what is a bug.

Exit codes: 0 done, 1 an error in the middle of generation, 2 a request that cannot be served, 130 Ctrl-C.
"""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import typer

FAILED = 1
REFUSED = 2
INTERRUPTED = 130


def reporting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a command so that errors raised on purpose become a message and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> Any:
        from decodekit.errors import DecodekitError, GenerationError

        warnings.showwarning = _show_warning
        try:
            return command(*args, **options)
        except GenerationError as error:
            fail(str(error), error.hint, FAILED)
        except DecodekitError as error:
            fail(str(error), error.hint, REFUSED)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # the reader of a pipe has gone; nobody is left to tell
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None

    return wrapped


def fail(message: str, hint: str | None = None, code: int = REFUSED) -> NoReturn:
    """Say what is wrong on standard error and end the command."""
    typer.echo(f"error: {message}", err=True)
    if hint:
        typer.echo(f"hint: {hint}", err=True)
    raise typer.Exit(code) from None


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    from decodekit.errors import PluginWarning, SchemaWarning

    if issubclass(category, PluginWarning | SchemaWarning):  # those of other libraries are not the user's to mend
        typer.echo(f"warning: {message}", err=True)
