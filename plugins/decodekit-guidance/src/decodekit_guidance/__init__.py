"""Steering by contrast: another prompt, a weaker model, earlier layers, the text so far. Plugin `guidance`."""

from __future__ import annotations

from decodekit import ModelHook, hookimpl
from decodekit_guidance.contrastive import Contrastive
from decodekit_guidance.contrastive_search import ContrastiveSearch
from decodekit_guidance.dola import Dola
from decodekit_guidance.guidance import Guidance

__all__ = ["Contrastive", "ContrastiveSearch", "Dola", "Guidance"]


@hookimpl
def decodekit_model_hooks() -> list[type[ModelHook]]:
    return [Guidance, Contrastive, Dola, ContrastiveSearch]
