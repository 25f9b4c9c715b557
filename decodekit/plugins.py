"""The plugin manager: finds distributions by the entry-point group `decodekit`, keeps what they offer by name.

One broken plugin warns and stops nobody else. `DECODEKIT_DISABLE=a,b` blocks plugins by entry-point name,
`DECODEKIT_DISABLE=builtin.argmax` a single technique.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from types import ModuleType
from typing import Any

import pluggy

from decodekit import hookspecs
from decodekit.catalogue import FIRST_PARTY
from decodekit.errors import PluginError, PluginWarning, UnknownTechniqueError
from decodekit.suggesting import suggest
from decodekit.techniques import ROLES, Command, Technique

GROUP = "decodekit"
HOOK_ROLES: dict[str, type[Technique]] = {
    f"decodekit_{word}": role
    for word, role in zip(
        [
            "logits_processors",
            "constraints",
            "token_selectors",
            "searches",
            "drafters",
            "verifiers",
            "kv_caches",
            "model_runners",
            "model_hooks",
            "model_adapters",
            "prompts",
            "stopping",
            "observers",
            "aggregators",
            "schedulers",
        ],
        ROLES,
        strict=True,
    )
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a plugin comes from.

    Attributes:
        plugin: Entry-point name, as used in `DECODEKIT_DISABLE`.
        distribution: Name of the distribution, or of the module where it was registered by hand.
        version: Version of the distribution.
    """

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".rstrip()


@dataclass(frozen=True, slots=True)
class Offer:
    """One technique or command that a plugin offers."""

    name: str
    item: Any
    origin: Origin


class Plugins:
    """All plugins of a process, or of a test.

    Args:
        disabled: Entry-point names of plugins that must not be loaded, and `plugin.technique` for single techniques
            to leave out, for instance so that another plugin can offer its own under the same name.
    """

    def __init__(self, disabled: Iterable[str] = ()) -> None:
        self.disabled = {name.strip() for name in disabled} - {""}
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.origins: dict[str, Origin] = {}
        self.broken: dict[str, str] = {}
        self.techniques: dict[str, Offer] = {}
        self.commands: dict[str, Offer] = {}

    def register(self, plugin: ModuleType | object, origin: Origin) -> None:
        """Take in one plugin; a fault in it raises `PluginError` and leaves nothing of it behind."""
        if origin.plugin in self.disabled:
            return
        if origin.plugin in self.origins:
            raise PluginError(
                f"plugin name {origin.plugin!r} is taken by {self.origins[origin.plugin]}, wanted by {origin}"
            )
        try:
            self.manager.register(plugin, name=origin.plugin)
            self.manager.check_pending()
            offers = [
                offer for offer in self._offers(plugin, origin) if f"{origin.plugin}.{offer.name}" not in self.disabled
            ]
            self._check_names(offers)
        except BaseException:
            if self.manager.has_plugin(origin.plugin):
                self.manager.unregister(name=origin.plugin)
            raise
        self.origins[origin.plugin] = origin
        for offer in offers:
            (self.commands if isinstance(offer.item, Command) else self.techniques)[offer.name] = offer

    def load_entry_points(self) -> None:
        """Load every installed plugin; a broken one becomes a `PluginWarning`."""
        for entry in sorted(metadata.entry_points(group=GROUP), key=lambda e: e.name):
            if entry.name in self.disabled:
                continue
            dist = entry.dist
            origin = Origin(entry.name, dist.name if dist else entry.value, dist.version if dist else "")
            try:
                self.register(entry.load(), origin)
            except (Exception, SystemExit) as error:
                reason = f"{type(error).__name__}: {error}"
                self.broken[entry.name] = f"{origin}: {reason}"
                warnings.warn(
                    f"plugin {entry.name!r} of {origin} does not load and is left out ({reason}); "
                    f"set DECODEKIT_DISABLE={entry.name} to silence this",
                    PluginWarning,
                    stacklevel=2,
                )

    def technique(self, name: str) -> type[Technique]:
        """Look a technique up by its flat name.

        Raises:
            UnknownTechniqueError: With the nearest name, and the distribution to install where it is a known one.
        """
        if name in self.techniques:
            return self.techniques[name].item
        if name in FIRST_PARTY:
            distribution = FIRST_PARTY[name]
            raise UnknownTechniqueError(
                f"unknown technique {name!r}: no installed plugin offers it",
                hint=f"pip install {distribution}"
                + (f" (or lift DECODEKIT_DISABLE={','.join(sorted(self.disabled))})" if self.disabled else ""),
            )
        from decodekit.request import OPTION_NAMES

        kinds = {known: offer.item for known, offer in self.techniques.items()}
        raise UnknownTechniqueError(f"unknown technique or option {name!r}", hint=suggest(name, kinds, OPTION_NAMES))

    def of_role(self, role: type[Technique]) -> list[Offer]:
        """List the offers of one role, by name."""
        return sorted((o for o in self.techniques.values() if issubclass(o.item, role)), key=lambda o: o.name)

    def _offers(self, plugin: ModuleType | object, origin: Origin) -> Iterator[Offer]:
        for hook, role in HOOK_ROLES.items():
            for cls in self._call(plugin, hook):
                if not (isinstance(cls, type) and issubclass(cls, role)):
                    raise PluginError(f"{hook} of {origin} returned {cls!r}, not a class of the role {role.role!r}")
                if not cls.name:
                    raise PluginError(f"{hook} of {origin} returned {cls.__name__}, which declares no name")
                yield Offer(cls.name, cls, origin)
        for command in self._call(plugin, "decodekit_commands"):
            if not isinstance(command, Command):
                raise PluginError(f"decodekit_commands of {origin} returned {command!r}, not a Command")
            yield Offer(command.name, command, origin)

    def _call(self, plugin: ModuleType | object, hook: str) -> Iterable[Any]:
        caller = getattr(self.manager.hook, hook)
        return next((impl.function() for impl in caller.get_hookimpls() if impl.plugin is plugin), ())

    def _check_names(self, offers: Iterable[Offer]) -> None:
        seen: dict[tuple[bool, str], Offer] = {}
        from decodekit.request import OPTION_NAMES

        for offer in offers:
            command = isinstance(offer.item, Command)
            if offer.name in (("generate", "plugins") if command else (*OPTION_NAMES, "prompt")):
                what = "command" if command else "request option"
                raise PluginError(f"{offer.origin} offers {offer.name!r}, which is a {what} of decodekit itself")
            other = (self.commands if command else self.techniques).get(offer.name) or seen.get((command, offer.name))
            if other is not None:
                raise PluginError(
                    f"the name {offer.name!r} is offered by {other.origin} and by {offer.origin}",
                    hint=f"uninstall one, or set DECODEKIT_DISABLE={other.origin.plugin} or {offer.origin.plugin}",
                )
            seen[command, offer.name] = offer


@cache
def plugins() -> Plugins:
    """Load the process's plugins, once: the built-ins, then every installed distribution."""
    from decodekit import builtin

    found = Plugins(disabled=os.environ.get("DECODEKIT_DISABLE", "").split(","))
    found.register(builtin, Origin("builtin", "decodekit", metadata.version("decodekit")))
    found.load_entry_points()
    return found
