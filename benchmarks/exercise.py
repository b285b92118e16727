"""The work of every contestant in the second paper's benchmark: one PPO update on texts of one length."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import tokenizers
from tokenizers import models

from benchmarks.measure import Stopwatch
from gail_tf.config import GAILConfig
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.projection import Adapters

# Phases of an update
SAMPLING = "sampling"
OLD = "old log-probs"  # the responses' log-probabilities, if sampling does not return them
REFERENCE = "reference"  # its log-probabilities, and D's features of the policy's and the experts' responses
LEARNING = "learning"  # the policy's gradient steps
JUDGING = "D"  # the discriminator's judgement, and its own learning
REST = "rest"
PHASES = (SAMPLING, OLD, REFERENCE, LEARNING, JUDGING, REST)


def _sizes(vocabulary: int, positions: int, width: int, layers: int, heads: int) -> GPT2Config:
    return GPT2Config(vocabulary, positions, width, layers, heads, eos_token_id=vocabulary - 1)


_DEFAULT = GAILConfig.preset("default").model
SIZES = {
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
}


@dataclass(frozen=True)
class Exercise:
    """The work of one update.

    sizes: the sizes of the policy's GPT-2. rollouts: the number of responses in the update, which are sampled and read
    `sample_batch` at a time, and learned from `minibatch` at a time. D learns from `discriminator_batch` responses at a
    time, and from as many of experts. prompt, response: the number of tokens of each; no response ends earlier.
    """

    sizes: GPT2Config
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

    def gpt2(self, adapters: Adapters | None = None, precision: str = "float32") -> GPT2:
        """A GPT-2 of random weights, the same at each call, which never gives END.

        END's logit is about -1000, through one number of the hidden state that is always large. Therefore every
        contestant with these weights draws responses of full length, without a change to its sampling.
        """
        made = GPT2(self.sizes, seed=1, adapters=adapters, precision=precision)
        shift, embeddings = made.weights["ln_f.bias"].numpy(), made.weights["wte.weight"].numpy()
        shift[0], embeddings[self.sizes.eos_token_id, 0] = 10, -100
        made.weights["ln_f.bias"].assign(shift)
        made.weights["wte.weight"].assign(embeddings)
        return made

    def prompts(self) -> np.ndarray:
        """Random prompts, (rollouts, prompt) int32."""
        return self._random(self.prompt, seed=2)

    def expert_responses(self) -> np.ndarray:
        """Random responses in place of experts', (rollouts, response) int32."""
        return self._random(self.response, seed=3)

    def tokenizer(self) -> tokenizers.Tokenizer:
        """A tokenizer with one word per token, to read what was sampled."""
        return tokenizers.Tokenizer(
            models.WordLevel({f"word{i}": i for i in range(self.sizes.vocab_size)}, unk_token="word0")
        )

    def _random(self, width: int, seed: int) -> np.ndarray:
        draw = np.random.default_rng(seed)
        return draw.integers(0, self.sizes.eos_token_id, (self.rollouts, width), dtype=np.int32)


class Update(Protocol):
    """A contestant. watch: measures the time of its phases. flops: floating-point operations of an update by phase."""

    watch: Stopwatch

    @property
    def flops(self) -> dict[str, float]: ...

    def __call__(self) -> int:
        """Make one update, and return the number of tokens in its responses."""
