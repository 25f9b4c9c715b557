"""The typer application, put together for one call: built-in commands, and plugins' commands where they are needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from typing import Annotated, Any

import typer

from decodekit.cli.faults import INTERRUPTED, reporting

BUILT_IN = {
    "generate": "decodekit.cli.generate:generate",
    "plugins": "decodekit.cli.show_plugins:show_plugins",
}
HELP = "Decoding for any Hugging Face causal LM, where every technique is a plugin."


def run(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit code.

    Args:
        arguments: The words after `decodekit`; None takes the process's own.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        make_application(words)(words, prog_name="decodekit")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def make_application(words: Sequence[str]) -> typer.Typer:
    """Make the application that `words` needs.

    Plugins are loaded, which imports torch, only where the first word is no built-in command or help is asked for.
    """
    application = typer.Typer(
        help=HELP,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    application.callback(invoke_without_command=True, no_args_is_help=True)(_options)
    called = next((word for word in words if not word.startswith("-")), None)
    for name, target in BUILT_IN.items():
        _add(application, name, target, None, called)
    if called not in BUILT_IN and "--version" not in words:
        from decodekit.plugins import plugins

        for offer in plugins().commands.values():
            _add(application, offer.name, offer.item.target, offer.item.help, called)
    return application


def _options(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"decodekit {metadata.version('decodekit')}")
        raise typer.Exit


def _add(application: typer.Typer, name: str, target: str, help_line: str | None, called: str | None) -> None:
    """Add a command; its module is imported only if it is the one that is called or says its own help line."""
    if help_line is None or name == called:
        function = reporting(load(target))
    else:

        def function() -> None:
            """Stand in for a command that is only listed."""

    # A name or a value that starts with a dash may be a technique's: `generate` reads what typer does not know.
    settings = {"ignore_unknown_options": True, "allow_extra_args": True} if name == "generate" else None
    metavar = "PROMPT [OPTIONS] [--TECHNIQUE VALUE]..." if name == "generate" else "[OPTIONS]"
    application.command(name, help=help_line, context_settings=settings, options_metavar=metavar)(function)


def load(target: str) -> Callable[..., Any]:
    """Import "package.module:function", without `Command.load`, whose module imports torch."""
    module, _, function = target.partition(":")
    return getattr(import_module(module), function)
