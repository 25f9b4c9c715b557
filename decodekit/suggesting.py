"""Suggesting: what a name that nobody offers was perhaps meant as. Data, and a search among names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from decodekit.catalogue import FIRST_PARTY
from decodekit.techniques import Technique

OF_THE_DECODER = ("max_rows",)
"""What people look for beside a prompt, and what is said once per decoder."""

_PROMPT = "the prompt, which comes first"
_LOADING = "Decoder.from_pretrained(…, {}=…)"
ELSEWHERE: Mapping[str, str] = {
    "assistant_model": "draft_model",
    "attention_mask": "not needed: prompts of a batch have their own lengths",
    "bad_words_ids": "bad_words",
    "batch_size": "Decoder(…, max_rows=…)",
    "device": _LOADING.format("device_map"),
    "device_map": _LOADING.format("device_map"),
    "diversity_penalty": "diverse_beam",
    "do_sample": "multinomial=True, or any of temperature, top_k, top_p, …",
    "dtype": _LOADING.format("dtype"),
    "eos_token_id": "stop_tokens",
    "epsilon_cutoff": "epsilon",
    "eta_cutoff": "eta",
    "functions": "tool_calls",
    "greedy": "what happens without a sampling technique",
    "guidance_scale": "guidance",
    "guided_choice": "choice",
    "guided_grammar": "grammar",
    "guided_json": "json_schema",
    "guided_regex": "regex",
    "input_ids": _PROMPT,
    "max_completion_tokens": "max_new_tokens",
    "max_length": "max_new_tokens, which does not count the prompt",
    "max_time": "time_limit_s",
    "max_tokens": "max_new_tokens",
    "messages": _PROMPT,
    "min_length": "min_new_tokens, which does not count the prompt",
    "min_tokens": "min_new_tokens",
    "n_predict": "max_new_tokens",
    "n_samples": "n",
    "no_repeat_ngram_size": "no_repeat_ngram",
    "num_beam_groups": "diverse_beam",
    "num_beams": "beam_search",
    "num_return_sequences": "n",
    "num_samples": "n",
    "output_scores": "logprobs and top_logprobs",
    "pad_token_id": "not needed: prompts of a batch have their own lengths",
    "past_key_values": "prefix",
    "penalty_alpha": "contrastive_search",
    "prompt_lookup_num_tokens": "prompt_lookup",
    "repeat_penalty": "repetition_penalty",
    "response_format": "json_schema",
    "sequence_bias": "logit_bias",
    "stop_strings": "stop",
    "stop_token_ids": "stop_tokens",
    "stopping_criteria": "stop",
    "stream": "Decoder.stream",
    "streamer": "Decoder.stream",
    "streaming": "Decoder.stream",
    "structured_outputs": "json_schema, regex, grammar or choice",
    "suppress_tokens": "suppress",
    "timeout": "time_limit_s",
    "tools": "tool_calls",
    "typical_p": "typical",
}
"""What transformers, vLLM, llama.cpp or the OpenAI API call what has another name here."""

_SIMILAR = 0.7
"""What difflib calls two words of which about two letters in six differ."""
_SHORTEST = 3
"""Letters from which on names that contain them are told."""


def suggest(name: str, techniques: Mapping[str, type[Technique]], options: Iterable[str]) -> str:
    """Give a hint for a name that is no technique and no option.

    Args:
        name: What was asked for.
        techniques: What the installed plugins offer.
        options: Of a request.
    """
    if name in ELSEWHERE:
        return f"here, what other libraries call {name} is {ELSEWHERE[name]}{_install(ELSEWHERE[name], techniques)}"
    known = [*options, *techniques, *FIRST_PARTY, *OF_THE_DECODER]
    meant = _containing(name, known) or _taking(name, techniques)
    if not meant and (whose := [kind for kind in techniques.values() if name in _fields(kind)]):
        several = f"; several fields are a dict: {whose[0].name}={{…, {name!r}: …}}"
        return f"{name!r} is a field of {_listed([kind.name for kind in whose])}{several}"
    meant = meant or difflib.get_close_matches(name.lower(), known, n=1, cutoff=_SIMILAR)
    if not meant:
        return "`decodekit plugins` lists what is installed"
    if meant[0] in OF_THE_DECODER:
        return f"did you mean {meant[0]!r}, which belongs to the decoder: Decoder(…, {meant[0]}=…)?"
    return f"did you mean {_listed(meant)}?{_install(meant[0], techniques)}"


def _containing(name: str, known: Iterable[str]) -> list[str]:
    """Give the name that differs in its style alone, or up to three that contain what was typed, at an end first."""
    typed = _letters(name)
    if len(typed) < _SHORTEST:
        return []
    found = {each: _letters(each) for each in known if typed in _letters(each)}
    same = [each for each, letters in found.items() if letters == typed]
    return same or sorted(found, key=lambda each: (not _at_an_end(typed, found[each]), len(each)))[:3]


def _taking(name: str, techniques: Mapping[str, type[Technique]]) -> list[str]:
    """Give the techniques whose one value is what was asked for: `choices` of `choice`."""
    firsts = {kind.name: next(iter(kind.model_fields.items()), None) for kind in techniques.values()}
    taking = [
        whose for whose, first in firsts.items() if first and first[1].is_required() and first[0].strip("_") == name
    ]
    return sorted(taking, key=len)[:3]


def _at_an_end(part: str, whole: str) -> bool:
    return whole.startswith(part) or whole.endswith(part)


def _fields(kind: type[Technique]) -> list[str]:
    return [info.alias or field for field, info in kind.model_fields.items()]


def _letters(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _listed(names: list[str]) -> str:
    *before, last = map(repr, names)
    return f"{', '.join(before)} or {last}" if before else last


def _install(name: str, techniques: Mapping[str, type[Technique]]) -> str:
    return f" (pip install {FIRST_PARTY[name]})" if name in FIRST_PARTY and name not in techniques else ""


__all__ = ["ELSEWHERE", "OF_THE_DECODER", "suggest"]
