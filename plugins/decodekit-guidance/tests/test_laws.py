"""Every technique obeys the laws of decodekit.testing, on every kind of memory."""

from __future__ import annotations

import torch
from transformers import Mamba2Config, Mamba2ForCausalLM

from decodekit.testing import ModelHookLaws, tiny_llama
from decodekit_guidance import Contrastive, ContrastiveSearch, Dola, Guidance

VOCAB = 12
AMATEUR = tiny_llama(VOCAB, seed=9)


class TestGuidance(ModelHookLaws):
    make = staticmethod(lambda: Guidance(1.8))


class TestGuidanceWithANegativePrompt(ModelHookLaws):
    make = staticmethod(lambda: Guidance(-0.7, (3, 1, 4, 1, 5)))
    paths = ("slots", "uncached")


class TestContrastive(ModelHookLaws):
    make = staticmethod(lambda: Contrastive(AMATEUR))


class TestContrastiveWithoutThePrompt(ModelHookLaws):
    make = staticmethod(lambda: Contrastive(AMATEUR, alpha=0.02, beta=0.6, temperature=0.5, ignore_prompt=True))
    paths = ("slots", "uncached")


class TestDola(ModelHookLaws):
    make = staticmethod(lambda: Dola((0, 1), relative_top=0.01))


class Recurrent(ModelHookLaws):
    paths = ("hybrid", "uncached")
    tolerance = 1e-5  # the scan of Mamba 2 computes in float32, whatever the weights are

    def make_model(self):
        config = Mamba2Config(
            vocab_size=VOCAB,
            hidden_size=16,
            num_hidden_layers=2,
            num_heads=4,
            head_dim=8,
            state_size=8,
            expand=2,
            n_groups=1,
            chunk_size=8,
            initializer_range=0.4,
            tie_word_embeddings=False,
            bos_token_id=None,
            pad_token_id=None,
            eos_token_id=VOCAB - 1,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            return Mamba2ForCausalLM(config).double().eval()


class TestGuidanceOfARecurrentModel(Recurrent):
    make = staticmethod(lambda: Guidance(1.8))


class TestDolaOfARecurrentModel(Recurrent):
    make = staticmethod(lambda: Dola("high"))


class TestContrastiveSearchOfARecurrentModel(Recurrent):
    make = staticmethod(lambda: ContrastiveSearch(k=3, alpha=0.6))


class TestContrastiveSearch(ModelHookLaws):
    make = staticmethod(lambda: ContrastiveSearch(k=3, alpha=0.6))


class TestContrastiveSearchOfManyCandidates(ModelHookLaws):
    make = staticmethod(lambda: ContrastiveSearch(k=40, alpha=1.0))
    paths = ("slots", "uncached")
