"""Jinja templates of prompts, sandboxed: a template may come from a file that somebody else wrote.

What is filled in (the prompt, the examples) is data: braces in it are never evaluated.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)


def checked_template(source: str, known: Collection[str], needed: Collection[str]) -> str:
    """Give the template back if it can be used.

    Args:
        source: The template.
        known: Variables that it may use.
        needed: Variables that it must use, or a user's text would be lost.

    Raises:
        ValueError: For wrong syntax, an unknown variable, or a missing one.
    """
    try:
        used = meta.find_undeclared_variables(_ENVIRONMENT.parse(source))
    except TemplateSyntaxError as error:
        raise ValueError(f"not a jinja template: line {error.lineno}: {error.message}") from error
    names = " and ".join(f"{{{{ {name} }}}}" for name in sorted(known))
    if used - set(known):
        raise ValueError(f"unknown variable {min(used - set(known))!r}; a template here has {names}")
    if set(needed) - used:
        raise ValueError(f"the template leaves out {{{{ {min(set(needed) - used)} }}}}")
    return source


def render(source: str, **values: Any) -> str:
    """Fill in a template."""
    return _template(source).render(values)


@lru_cache(maxsize=64)
def _template(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


__all__ = ["checked_template", "render"]
