"""Loading: a model and its tokenizer by name or path, as transformers does, with its errors told in our words."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from decodekit.errors import ModelError

_LOADING = threading.Lock()
"""transformers sets the default dtype of the process while it loads; two threads would put back each other's."""

_HINT = "give a folder with config.json and weights, or a name on the hub while it can be reached"


def load_model(name: str | Path, options: Mapping[str, Any], who: str = "") -> Any:
    """Load a causal LM.

    Args:
        name: Path, or name on the hub.
        options: For `AutoModelForCausalLM.from_pretrained`.
        who: Flat name of the technique that wants it, for messages.

    Raises:
        ModelError: It cannot be loaded, or an option is wrong.
    """
    from transformers import AutoModelForCausalLM

    who = f"{who!r}: " if who else ""
    _refuse_what_is_nowhere(name, who)
    try:
        with _LOADING:
            return AutoModelForCausalLM.from_pretrained(str(name), **options)
    except (OSError, ValueError) as error:
        raise ModelError(f"{who}{str(name)!r} cannot be loaded: {_reason(error)}", hint=_HINT) from error
    except Exception as error:  # options go into the model's own code, which raises anything
        given = ", ".join(f"{key}={value!r:.40}" for key, value in options.items())
        raise ModelError(
            f"{who}{str(name)!r} cannot be loaded with {given or 'the defaults'}: {_reason(error)}",
            hint="what is no engine option goes to transformers' from_pretrained" if options else _HINT,
        ) from error


def load_tokenizer(name: str | Path, options: Mapping[str, Any]) -> Any:
    """Load a model's tokenizer.

    Raises:
        ModelError: It has none that can be loaded.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(name), **options)
    except Exception as error:  # tokenizers raises plain Exceptions
        raise ModelError(
            f"the tokenizer of {str(name)!r} cannot be loaded: {_reason(error)}",
            hint="give another: from_pretrained(name, tokenizer=…)",
        ) from error


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _refuse_what_is_nowhere(name: Any, who: str) -> None:
    """Speak of paths where something looks like one; transformers would take it for a name on the hub."""
    if not isinstance(name, str | Path) or not str(name).strip():
        raise ModelError(f"{who}a model is loaded by its name or path, got {name!r:.80}", hint=_HINT)
    path, text = Path(name), str(name)
    looks_like_path = text.startswith((".", "/", "~", "\\")) or text.count("/") > 1 or "\\" in text
    if path.is_dir() or not (path.exists() or looks_like_path):
        return
    reason = "it is a file" if path.exists() else "there is no folder of that name"
    home = path.expanduser()
    raise ModelError(
        f"{who}{text!r} cannot be loaded: {reason}",
        hint=f"the whole path is {str(home)!r}"
        if home != path and home.exists()
        else "a model's folder holds config.json and weights",
    )


__all__ = ["load_model", "load_tokenizer"]
