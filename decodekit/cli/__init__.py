"""The command line: `decodekit generate`, `decodekit plugins`, and the commands that plugins offer.

Importing it is cheap; each command imports what it needs when it is called.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line; what the script `decodekit` calls."""
    from decodekit.cli.application import run

    run()
