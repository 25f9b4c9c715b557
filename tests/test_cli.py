"""The command line: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from decodekit import Command, LogitsProcessor, Stage, builtin, hookimpl
from decodekit.cli import application, generate, options, show_plugins
from decodekit.errors import DecodekitError, GenerationInterrupted, RequestError, UnknownTechniqueError
from decodekit.plugins import Origin, Plugins, plugins

STORY = "Once upon a time"


def run(*words: str) -> int:
    """Run the command line in this process and give its exit code."""
    with pytest.raises(SystemExit) as ended:
        application.run(words)
    return int(ended.value.code or 0)


class Wave(LogitsProcessor, name="wave", stage=Stage.BIAS):
    text: str = "x"
    depth: float = 1.0

    def __call__(self, law, at):
        return law


def registry(**commands: Command) -> Plugins:
    module = ModuleType("waves")

    @hookimpl
    def decodekit_logits_processors():
        return [Wave]

    @hookimpl
    def decodekit_commands():
        return list(commands.values())

    module.decodekit_logits_processors = decodekit_logits_processors
    module.decodekit_commands = decodekit_commands
    found = Plugins()
    found.register(builtin, Origin("builtin", "decodekit", "1"))
    found.register(module, Origin("waves", "decodekit-waves", "2"))
    return found


# Reading options


def test_a_value_is_json_where_it_is_json():
    flat = options.read_flat(["Hello", "--wave.depth", "0.5", "--top_logprobs=2"], registry())
    assert flat.words == ["Hello"]
    assert flat.options == {"wave": {"depth": 0.5}, "top_logprobs": 2}


def test_a_text_parameter_is_never_json():
    assert options.read_flat(["--wave", "[0]"], registry()).options == {"wave": "[0]"}
    assert options.read_flat(["--wave.text=12"], registry()).options == {"wave": {"text": "12"}}


def test_a_technique_without_parameters_takes_no_word():
    flat = options.read_flat(["--argmax", "Hello"], registry())
    assert flat.options == {"argmax": True}
    assert flat.words == ["Hello"]


def test_a_negative_number_is_a_value():
    assert options.read_flat(["--wave.depth", "-1"], registry()).options == {"wave": {"depth": -1}}


def test_a_whole_object_is_a_value():
    assert options.read_flat(["--wave", '{"depth": 2}'], registry()).options == {"wave": {"depth": 2}}


def test_an_unknown_option_names_the_nearest_one():
    with pytest.raises(UnknownTechniqueError, match="'wavy'") as refused:
        options.read_flat(["--wavy", "1"], registry())
    assert refused.value.hint == "did you mean 'wave'?"


def test_a_prompt_that_an_option_took_is_explained():
    flat = options.read_flat(["--wave", "Hello"], registry())
    with pytest.raises(RequestError, match="prompt is missing") as refused:
        options.read_prompt(flat, None)
    assert "--wave took the word after it" in str(refused.value.hint)


def test_two_prompts_are_refused():
    with pytest.raises(RequestError, match="one prompt is expected"):
        options.read_prompt(options.Flat(words=["a", "b"]), None)


# plugins


def test_plugins_are_described_with_roles_and_names():
    rows = show_plugins.describe(registry())
    assert [row["plugin"] for row in rows] == ["builtin", "waves"]
    assert rows[1]["offers"] == {"logits processor": ["wave"]}
    assert rows[1]["version"] == "2"


def test_broken_and_disabled_plugins_are_shown_with_the_reason():
    found = registry()
    found.broken["bad"] = "decodekit-bad 1: ImportError: no module named 'x'"
    found.disabled.add("gone")
    rows = {row["plugin"]: row for row in show_plugins.describe(found)}
    assert rows["bad"]["status"] == "broken"
    assert "ImportError" in rows["bad"]["reason"]
    assert rows["gone"]["reason"] == "DECODEKIT_DISABLE, not installed"


def test_plugins_prints_a_table_and_json(capsys):
    assert run("plugins") == 0
    assert "token selector: argmax" in capsys.readouterr().out
    assert run("plugins", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["plugin"] == "builtin"


# generate


def test_generate_streams_the_text_that_the_decoder_gives(capsys):
    assert run("generate", STORY, "--max-new-tokens", "12") == 0
    text = capsys.readouterr().out
    expected = generate.load_decoder(None, {}).generate(STORY, max_new_tokens=12).text
    assert text == expected + "\n"


def test_generate_takes_techniques_as_options(capsys):
    words = ["--temperature", "0.8", "--top-p=0.9", "--dry.multiplier", "0.5", "--seed", "3", "--max-new-tokens", "12"]
    assert run("generate", *words, STORY) == 0
    first = capsys.readouterr().out
    assert run("generate", STORY, *words) == 0
    assert capsys.readouterr().out == first


def test_generate_prints_the_whole_result_as_json(capsys):
    assert run("generate", STORY, "--max-new-tokens", "3", "--top_logprobs", "2", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["answer"]["tokens"]) == 3
    assert result["answer"]["finish_reason"] == "length"


def test_generate_shows_every_sample(capsys):
    assert run("generate", STORY, "--n", "3", "--temperature", "1", "--seed", "1", "--max-new-tokens", "4") == 0
    assert [line[:3] for line in capsys.readouterr().out.splitlines()] == ["[0]", "[1]", "[2]"]


def test_generate_reads_the_prompt_from_standard_input(capsys, monkeypatch):
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO(STORY))
    assert run("generate", "-", "--max-new-tokens", "3") == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("as_file", [True, False])
def test_generate_keeps_to_a_schema(as_file, capsys, tmp_path: Path):
    schema = (
        '{"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": false}'
    )
    path = tmp_path / "schema.json"
    path.write_text(schema)
    assert run("generate", STORY, "--schema", str(path) if as_file else schema, "--max-new-tokens", "12") == 0
    assert isinstance(json.loads(capsys.readouterr().out)["a"], bool)


def test_generate_takes_a_saved_request_and_options_win(capsys, tmp_path: Path):
    decoder = generate.load_decoder(None, {})
    request = decoder.request(STORY, temperature=0.8, top_p=0.9, seed=4, max_new_tokens=9)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(request.to_dict()))
    assert run("generate", "--recipe", str(recipe)) == 0
    assert capsys.readouterr().out == decoder.generate(request).text + "\n"
    assert run("generate", "--recipe", str(recipe), "--max-new-tokens", "2", "--temperature", "0.1") == 0
    expected = decoder.generate(STORY, top_p=0.9, temperature=0.1, seed=4, max_new_tokens=2).text
    assert capsys.readouterr().out == expected + "\n"


def test_generate_gives_engine_options_to_the_decoder(capsys):
    assert run("generate", STORY, "--slots", "--max-new-tokens", "2") == 0
    assert capsys.readouterr().out.strip()


def test_a_chat_is_sent_as_messages():
    assert generate.as_messages("Hi", "Be kind") == [
        {"role": "system", "content": "Be kind"},
        {"role": "user", "content": "Hi"},
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Hello", "--top-q", "1"], "did you mean 'top_p'?"),
        (["Hello", "--top-p", "7"], "top_p"),
        (["Hello", "--model", "/nowhere/at/all"], "there is no folder"),
        (["Hello", "--schema", "{"], "not JSON"),
        (["Hello", "--schema", "/nowhere.json"], "neither JSON nor a file"),
        (["Hello", "--recipe", "/nowhere.json"], "--recipe"),
        ([], "the prompt is missing"),
        ([""], "the prompt is empty"),
    ],
)
def test_a_user_error_is_one_message_and_exit_code_2(words, message, capsys):
    assert run("generate", *words) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert shown.startswith("error: ")


def test_ctrl_c_prints_what_was_generated(capsys, monkeypatch):
    def interrupted(decoder, prompt, *techniques, **options):
        yield from list(original(decoder, prompt, *techniques, **options))[:3]
        raise GenerationInterrupted([])

    from decodekit import Decoder

    original = Decoder.stream
    monkeypatch.setattr(Decoder, "stream", interrupted)
    assert run("generate", STORY) == 130
    shown = capsys.readouterr()
    assert shown.out.strip()
    assert "Traceback" not in shown.err


# Commands of plugins


def test_a_command_of_a_plugin_is_listed_and_run(capsys, monkeypatch):
    from decodekit import plugins as manager

    found = registry(greet=Command("greet", f"{__name__}:greet", "Say hello."))
    monkeypatch.setattr(manager, "plugins", lambda: found)
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or ModuleType(__name__))
    monkeypatch.setattr(sys.modules[__name__], "greet", greet, raising=False)
    assert run("--help") == 0
    assert "Say hello." in capsys.readouterr().out
    assert run("greet", "--name", "Ana") == 0
    assert capsys.readouterr().out == "Hello, Ana\n"
    assert run("greet", "--name", "nobody") == 2
    assert capsys.readouterr().err == "error: nobody is there\nhint: come back later\n"


def greet(name: str = "you") -> None:
    if name == "nobody":
        raise DecodekitError("nobody is there", hint="come back later")
    print(f"Hello, {name}")


def test_an_unknown_command_is_refused(capsys):
    assert run("generat") == 2
    assert "generate" in capsys.readouterr().err


@pytest.mark.skipif("demo" not in plugins().commands, reason="decodekit-demo offers no command")
def test_demo_shows_a_story_and_cards(capsys):
    assert run("demo", "--cards", "2") == 0
    shown = capsys.readouterr().out
    assert STORY in shown
    assert "with json_schema=Bear: 2 of 2 valid" in shown


# Being quick


def test_the_version_is_told_without_torch():
    code = (
        "import sys; from decodekit.cli.application import run\n"
        "try: run(['--version'])\n"
        "finally: print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert shown.stdout.splitlines()[0].startswith("decodekit ")
    assert shown.stdout.splitlines()[1] == "False False"
