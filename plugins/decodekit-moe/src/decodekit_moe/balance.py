"""How evenly experts are loaded: the terms of the Switch Transformer's balance loss (arXiv:2101.03961, eq. 4-6).

With f_i the share of the tokens that went to expert i and P_i the mean of its probability, the loss is
alpha N sum f_i P_i; 1 (times top_k and alpha) for an even load. As in transformers' `load_balancing_loss_func` the
shares add up to top_k, all layers count together, and P is the softmax of the router logits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def load(experts: NDArray[np.int64], count: int) -> Floats:
    """Give f: each expert's share of the tokens.

    Args:
        experts: Chosen experts, `[token, layer, top_k]`.
        count: How many experts there are.

    Returns:
        `[layer, expert]`; the shares of a layer add up to top_k.
    """
    tokens, layers, _ = experts.shape
    shares = np.zeros((layers, count))
    np.add.at(shares, (np.arange(layers)[None, :, None], experts), 1.0)
    return shares / max(tokens, 1)


def mean_probability(logits: Floats) -> Floats:
    """Give P: the mean over tokens of the softmax of `[token, layer, expert]`, as `[layer, expert]`."""
    wide = logits.astype(np.float64)
    odds = np.exp(wide - wide.max(axis=-1, keepdims=True))
    return (odds / odds.sum(axis=-1, keepdims=True)).mean(axis=0)


def balance(experts: NDArray[np.int64], logits: Floats, alpha: float = 1.0) -> float:
    """Give alpha N sum f_i P_i over the tokens of all layers together."""
    count = logits.shape[-1]
    return float(alpha * count * (load(experts, count).mean(axis=0) * mean_probability(logits).mean(axis=0)).sum())


__all__ = ["balance", "load", "mean_probability"]
