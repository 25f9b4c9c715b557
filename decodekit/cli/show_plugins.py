"""`decodekit plugins`: what is installed, what it offers, what does not load."""

from __future__ import annotations

import json
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from decodekit.plugins import Plugins


def show_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List plugins with their techniques, and those that are broken or disabled."""
    from decodekit.errors import PluginWarning
    from decodekit.plugins import plugins

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # the table says it
        rows = describe(plugins())
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _print_table(rows)


def describe(registry: Plugins) -> list[dict[str, Any]]:
    """Give one plain row per plugin: loaded ones in load order, then broken, then disabled ones."""
    from decodekit.plugins import GROUP

    rows: list[dict[str, Any]] = []
    for plugin, origin in registry.origins.items():
        roles: dict[str, list[str]] = {}
        for offer in registry.techniques.values():
            if offer.origin == origin:
                roles.setdefault(offer.item.role, []).append(offer.name)
        commands = [offer.name for offer in registry.commands.values() if offer.origin == origin]
        if commands:
            roles["command"] = commands
        rows.append(_row(plugin, origin.distribution, origin.version, "loaded", offers=roles))
    installed = {entry.name: entry.dist for entry in metadata.entry_points(group=GROUP)}
    for status, reasons in (("broken", registry.broken), ("disabled", dict.fromkeys(sorted(registry.disabled), ""))):
        for plugin, reason in reasons.items():
            owner = plugin.partition(".")[0]
            dist = installed.get(owner)
            why = reason or ("DECODEKIT_DISABLE" if dist or owner == "builtin" else "DECODEKIT_DISABLE, not installed")
            rows.append(_row(plugin, dist.name if dist else "", dist.version if dist else "", status, reason=why))
    return rows


def _row(
    plugin: str,
    distribution: str,
    version: str,
    status: str,
    *,
    offers: dict[str, list[str]] | None = None,
    reason: str = "",
) -> dict[str, Any]:
    return {
        "plugin": plugin,
        "distribution": distribution,
        "version": version,
        "status": status,
        "offers": offers or {},
        "reason": reason,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("plugin", "distribution", "version"):
        table.add_column(title, no_wrap=True)
    table.add_column("offers", overflow="fold")
    for row in rows:
        offers = "\n".join(f"{role}: {' '.join(names)}" for role, names in row["offers"].items())
        style = {"loaded": "", "broken": "red", "disabled": "dim"}[row["status"]]
        what = offers if row["status"] == "loaded" else f"{row['status']}: {row['reason']}"
        cells = (row["plugin"], row["distribution"], row["version"], what)
        table.add_row(*(Text(cell) for cell in cells), style=style)
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)
