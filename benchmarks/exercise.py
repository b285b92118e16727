"""The work of each contestant in the second paper's benchmark: one PPO update on texts of fixed lengths.

A contestant is a program being measured: this project or another implementation."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import keras
import numpy as np
import tokenizers
from tokenizers import models

from benchmarks.costs import Sizes
from benchmarks.measure import Stopwatch
from gail_tf.config import GAILConfig
from gail_tf.models.architectures import make_network
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.language_model import LanguageModel
from gail_tf.models.llama_config import LlamaConfig
from gail_tf.models.projection import Adapters

# Phases of an update
SAMPLING = "sampling"
OLD = "old log-probs"  # the responses' log-probabilities, if sampling does not return them
REFERENCE = "reference"  # the frozen reference policy's log-probabilities, and the features that D reads
LEARNING = "learning"  # the policy's gradient steps
JUDGING = "D"  # the discriminator's judgements, and its training
REST = "rest"
PHASES = (SAMPLING, OLD, REFERENCE, LEARNING, JUDGING, REST)


def _sizes(vocabulary: int, positions: int, width: int, layers: int, heads: int) -> GPT2Config:
    return GPT2Config(vocabulary, positions, width, layers, heads, eos_token_id=vocabulary - 1)


_DEFAULT = GAILConfig.preset("default").model
SIZES: dict[str, Sizes] = {
    "tiny": _sizes(512, 128, 64, 2, 2),
    "default": _sizes(
        _DEFAULT.vocabulary_size,
        _DEFAULT.n_positions,
        _DEFAULT.n_embd,
        _DEFAULT.n_layer,
        _DEFAULT.n_head,
    ),
    "small": GPT2Config(),
    "medium": _sizes(50257, 1024, 1024, 24, 16),
    "large": _sizes(50257, 1024, 1280, 36, 20),
    "xl": _sizes(50257, 1024, 1600, 48, 25),
    "tiny-llama": LlamaConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=128,
        eos_token_id=511,
    ),
    "smollm2-135m": LlamaConfig(eos_token_id=LlamaConfig.vocab_size - 1),
}


@dataclass(frozen=True)
class Exercise:
    """The workload of one update.

    Attributes:
        sizes: The config of the policy's GPT-2 or Llama.
        rollouts: The number of responses in the update.
        prompt: The number of tokens in each prompt.
        response: The number of tokens in each response. All responses have this length.
        sample_batch: The number of responses in a batch when they are sampled and when the frozen reference policy
            reads them.
        minibatch: The number of responses in each minibatch for training the policy.
        discriminator_batch: The number of the policy's responses in each training step of the discriminator D. Each
            step also uses the same number of experts' responses.
    """

    sizes: Sizes
    rollouts: int = 128
    prompt: int = 64
    response: int = 32
    sample_batch: int = 16
    minibatch: int = 8
    discriminator_batch: int = 32
    top_p: float = 0.9
    temperature: float = 0.9

    @property
    def tokens(self) -> int:
        """The number of tokens in all responses."""
        return self.rollouts * self.response

    @property
    def tiny(self) -> Sizes:
        """The config of a tiny network of the same kind with the same vocabulary."""
        small = SIZES["tiny-llama" if isinstance(self.sizes, LlamaConfig) else "tiny"]
        return dataclasses.replace(small, vocab_size=self.sizes.vocab_size, eos_token_id=self.sizes.eos_token_id)

    def network(self, adapters: Adapters | None = None, precision: str = "float32") -> LanguageModel:
        """Make a network that never generates END, with the same random weights in each call.

        One component of the hidden states is always large and gives END a logit of about -1000. With these weights,
        every contestant samples responses of full length, and no contestant's sampling code has to be changed. With
        adapters, the other weights are frozen and stored in the precision of the computation, as they are when a
        training run reads a pretrained network.
        """
        made = make_network(self.sizes, seed=1, adapters=adapters, precision=precision, frozen=adapters is not None)
        for name, values in _without_end(self.sizes, made.weights).items():
            made.weights[name].assign(values)
        return made

    def prompts(self) -> np.ndarray:
        """Return random prompts, an int32 array of shape (rollouts, prompt)."""
        return self._random(self.prompt, seed=2)

    def expert_responses(self) -> np.ndarray:
        """Return random tokens in place of experts' responses, an int32 array of shape (rollouts, response)."""
        return self._random(self.response, seed=3)

    def tokenizer(self) -> tokenizers.Tokenizer:
        """Make a tokenizer whose tokens are words, so that sampled tokens can be decoded to text."""
        return tokenizers.Tokenizer(
            models.WordLevel({f"word{i}": i for i in range(self.sizes.vocab_size)}, unk_token="word0")
        )

    def _random(self, width: int, seed: int) -> np.ndarray:
        draw = np.random.default_rng(seed)
        return draw.integers(0, self.sizes.eos_token_id, (self.rollouts, width), dtype=np.int32)


def _without_end(sizes: Sizes, weights: Mapping[str, keras.Variable]) -> dict[str, np.ndarray]:
    """Return changed weights with which the logit of END is about -1000, whatever the network has read."""
    if isinstance(sizes, GPT2Config):
        changed = {name: weights[name].numpy() for name in ("ln_f.bias", "wte.weight")}
        changed["ln_f.bias"][0], changed["wte.weight"][sizes.eos_token_id, 0] = 10, -100
        return changed
    # Llama's last norm has no bias. Instead, the first component of all embeddings is the same, and no block adds
    # anything to it. The norm divides it by the mean size of all components, which is below 1.
    kernels = [name for name in weights if name.endswith(("o_proj.weight", "down_proj.weight"))]
    changed = {name: weights[name].numpy() for name in (*kernels, "embed_tokens.weight")}
    for name in kernels:
        changed[name][:, 0] = 0
    embeddings = changed["embed_tokens.weight"]
    embeddings[:, 0], embeddings[sizes.eos_token_id, 0] = 0.05, -1e4
    return changed


class Update(Protocol):
    """A contestant in the benchmark.

    Attributes:
        watch: The stopwatch that times the contestant's phases.
        flops: The number of floating-point operations in an update, by phase.
    """

    watch: Stopwatch

    @property
    def flops(self) -> dict[str, float]: ...

    def __call__(self) -> int:
        """Run one update and return the number of tokens in its responses."""
