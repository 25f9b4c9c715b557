"""Which first-party distribution offers which technique, so that an error can say what to install. Data only."""

from __future__ import annotations

_OFFERS = {
    "decodekit": "argmax match slots dynamic_cache eager",
    "decodekit-sampling": (
        "multinomial temperature top_k top_p min_p typical epsilon eta top_n_sigma top_h xtc mirostat mirostat_v1 "
        "repetition_penalty frequency_penalty presence_penalty dry no_repeat_ngram logit_bias bad_words min_new_tokens "
        "suppress"
    ),
    "decodekit-json": "json_schema json regex grammar choice structural_tag tool_calls",
    "decodekit-outlines": "outlines_json_schema outlines_regex outlines_choice",
    "decodekit-llguidance": "llguidance_json_schema llguidance_regex llguidance_grammar",
    "decodekit-adapters": "prefixes",
    "decodekit-beam": "beam_search diverse_beam stochastic_beam beam_sample",
    "decodekit-consensus": "self_consistency best_of",
    "decodekit-guidance": "guidance contrastive dola contrastive_search",
    "decodekit-kv-caches": "quantized_cache",
    "decodekit-lora": "lora",
    "decodekit-moe": "router_trace",
    "decodekit-observers": "record progress",
    "decodekit-prompts": "few_shot chain_of_thought four_part schema_in_words",
    "decodekit-runners": "compiled",
    "decodekit-schedulers": "shortest_first fair",
    "decodekit-speculative": "draft_model prompt_lookup forced_tokens token_rule block_rule",
    "decodekit-stopping": "stop_regex stop_repetition max_sentences max_lines",
}

FIRST_PARTY: dict[str, str] = {name: dist for dist, names in _OFFERS.items() for name in names.split()}
"""Technique name to distribution; `tests/test_plugins.py` holds it against what the plugins really offer."""
