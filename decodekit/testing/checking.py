"""Running a law class by hand: which of its laws does a piece break?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest


def violations(
    laws: type[Any], make: Callable[[], Any] | None = None, only: Sequence[str] = (), **attributes: Any
) -> list[str]:
    """Name the tests of a law class that fail for a piece.

    Args:
        laws: A class such as `ProcessorLaws`.
        make: Gives the piece, as in a subclass; None where the class has it already.
        only: Run only laws with one of these words in their names; by default all.
        attributes: More attributes of the subclass; plain functions must be wrapped in `staticmethod`.
    """
    if make is not None:
        attributes["make"] = staticmethod(make)
    subject = type(f"{laws.__name__}Subject", (laws,), attributes)
    names = [name for name in dir(subject) if name.startswith("test_")]
    names = [name for name in names if not only or any(word in name for word in only)]
    return [name for name in names if _fails(subject, name)]


def _fails(subject: type[Any], name: str) -> bool:
    try:
        getattr(subject(), name)()
    except pytest.skip.Exception:
        return False
    except Exception:
        return True
    return False
