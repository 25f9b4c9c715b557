"""The plugin manager: what a right plugin offers, and that a wrong one is named and stops nobody."""

from __future__ import annotations

import sys
import warnings
from types import SimpleNamespace

import pytest

from decodekit import builtin
from decodekit.builtin import Argmax
from decodekit.catalogue import FIRST_PARTY
from decodekit.errors import PluginError, PluginWarning, UnknownTechniqueError
from decodekit.hookspecs import hookimpl
from decodekit.plugins import HOOK_ROLES, Origin, Plugins, plugins
from decodekit.techniques import Command, LogitsProcessor, TokenSelector

ONE_FILE = """
from decodekit.hookspecs import hookimpl
from decodekit.techniques import LogitsProcessor

class Halve(LogitsProcessor, name="halve_it"):
    def __call__(self, law, at):
        return law.with_logits(law.logits / 2)

@hookimpl
def decodekit_logits_processors():
    return [Halve]
"""


class Shift(LogitsProcessor, name="shift_test"):
    def __call__(self, law, at):
        return law.with_logits(law.logits + 1)


def plugin(hook="decodekit_logits_processors", offers=(Shift,)):
    """Make a plugin object with one hook implementation."""

    def implementation():
        return list(offers)

    implementation.__name__ = hook
    return SimpleNamespace(**{hook: hookimpl(implementation)})


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Give a function that installs a one-file distribution into a folder of its own on sys.path."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, source=ONE_FILE, version="1.2.3"):
        module = name.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[decodekit]\n{module} = {module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)
        return module

    return write


def load(disabled=()):
    found = Plugins(disabled)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found.load_entry_points()
    return found, [str(w.message) for w in caught if w.category is PluginWarning]


def test_a_one_file_plugin_with_one_entry_point_is_found(install):
    install("acme-halve")
    found, messages = load()
    assert found.technique("halve_it").__name__ == "Halve"
    assert str(found.techniques["halve_it"].origin) == "acme-halve 1.2.3"
    assert not [message for message in messages if "acme" in message]


def test_a_broken_plugin_warns_with_distribution_version_and_cure_and_stops_nobody(install):
    install("acme-broken", "import nothing_of_that_name")
    install("acme-halve")
    found, messages = load()
    message = next(m for m in messages if "acme_broken" in m)
    for part in ("acme-broken 1.2.3", "ModuleNotFoundError", "DECODEKIT_DISABLE=acme_broken"):
        assert part in message
    assert "halve_it" in found.techniques
    assert "acme_broken" in found.broken


def test_a_disabled_plugin_is_not_even_imported(install):
    install("acme-broken", "import nothing_of_that_name")
    found, messages = load([" acme_broken "])
    assert not [message for message in messages if "acme_broken" in message]
    assert "acme_broken" not in found.broken


def test_the_environment_variable_disables(install, monkeypatch):
    from decodekit.plugins import plugins

    module = install("acme-halve")
    monkeypatch.setenv("DECODEKIT_DISABLE", f"{module},other")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        found = plugins.__wrapped__()
    assert "halve_it" not in found.techniques
    assert found.technique("argmax") is Argmax


def test_a_name_that_is_taken_names_both_distributions(plugins_with):
    found = plugins_with(plugin())
    with pytest.raises(PluginError, match=r"'shift_test' is offered by .* and by second 2\.0") as caught:
        found.register(plugin(), Origin("second", "second", "2.0"))
    assert "DECODEKIT_DISABLE" in caught.value.hint


def test_two_techniques_of_one_plugin_with_one_name_are_refused(plugins_with):
    with pytest.raises(PluginError, match="'shift_test' is offered by"):
        plugins_with(plugin(offers=(Shift, Shift)))


def test_a_plugin_name_that_is_taken_is_refused(plugins_with):
    with pytest.raises(PluginError, match="plugin name 'builtin' is taken"):
        plugins_with().register(plugin(), Origin("builtin", "evil", "1"))


def test_a_refused_plugin_leaves_nothing_behind(plugins_with):
    found = plugins_with()
    with pytest.raises(PluginError):
        found.register(plugin(offers=(Shift, Argmax)), Origin("half", "half", "1"))
    assert "shift_test" not in found.techniques
    found.register(plugin(), Origin("half", "half", "1"))
    assert found.technique("shift_test") is Shift


def test_a_class_of_another_role_is_refused(plugins_with):
    with pytest.raises(PluginError, match="not a class of the role 'token selector'"):
        plugins_with(plugin("decodekit_token_selectors", (Shift,)))


def test_an_instance_is_refused_where_a_class_is_wanted(plugins_with):
    with pytest.raises(PluginError, match="not a class of the role 'logits processor'"):
        plugins_with(plugin(offers=(Shift(),)))


def test_a_class_without_a_name_is_refused(plugins_with):
    class Nameless(Shift, name=""): ...

    with pytest.raises(PluginError, match="Nameless, which declares no name"):
        plugins_with(plugin(offers=(Nameless,)))


def test_an_unknown_hook_name_is_refused(plugins_with):
    with pytest.raises(Exception, match="decodekit_logit_processors"):
        plugins_with(plugin("decodekit_logit_processors"))


def test_an_unknown_declaration_is_refused():
    with pytest.raises(TypeError, match="unknown declaration 'argmax_invariamt'"):
        type("Typo", (LogitsProcessor,), {"__module__": __name__}, argmax_invariamt=True)


def test_commands_are_offered_by_name_and_nothing_else_is(plugins_with):
    command = Command("hello", "hello:main", "Say hello.")
    assert plugins_with(plugin("decodekit_commands", (command,))).commands["hello"].item is command
    with pytest.raises(PluginError, match="not a Command"):
        plugins_with(plugin("decodekit_commands", (Shift,)))


def test_an_unknown_technique_suggests_the_nearest_one(plugins_with):
    with pytest.raises(UnknownTechniqueError, match="'shift_tset'") as caught:
        plugins_with(plugin()).technique("shift_tset")
    assert "did you mean 'shift_test'?" in caught.value.hint


def test_a_first_party_technique_that_is_missing_says_what_to_install(plugins_with):
    with pytest.raises(UnknownTechniqueError, match="no installed plugin offers it") as caught:
        plugins_with().technique("top_p")
    assert "pip install decodekit-sampling" in caught.value.hint


def test_the_built_ins_can_be_blocked(plugins_with):
    assert "argmax" not in plugins_with(disabled=("builtin",)).techniques


def test_offers_are_listed_by_role(plugins_with):
    names = [offer.name for offer in plugins_with(plugin()).of_role(TokenSelector)]
    assert names == ["argmax"]


def test_every_hook_has_a_role():
    from decodekit import hookspecs

    hooks = {name for name in vars(hookspecs) if name.startswith("decodekit_")}
    assert hooks == {*HOOK_ROLES, "decodekit_commands"}


def test_a_single_technique_can_be_left_out_and_replaced():

    class Replaced(Argmax, name="argmax"):
        pass

    class Own:
        @staticmethod
        @hookimpl
        def decodekit_token_selectors():
            return [Replaced]

    found = Plugins(disabled=["builtin.argmax"])
    found.register(builtin, Origin("builtin", "decodekit", "1"))
    found.register(Own, Origin("own", "own-dist", "1"))
    assert found.technique("argmax") is Replaced
    assert "slots" in found.techniques


def test_the_catalogue_names_exactly_what_first_party_plugins_offer():
    offered = {name: offer.origin.distribution for name, offer in plugins().techniques.items()}
    first_party = {name: dist for name, dist in offered.items() if dist in set(FIRST_PARTY.values())}
    assert first_party == FIRST_PARTY
