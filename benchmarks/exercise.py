"""The work of each contestant in the second paper's benchmark: one PPO update on texts of fixed lengths.

A contestant is a program being measured: this project or another implementation."""

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
REFERENCE = "reference"  # the frozen reference policy's log-probabilities, and the features that D reads
LEARNING = "learning"  # the policy's gradient steps
JUDGING = "D"  # the discriminator's judgements, and its training
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
    """The workload of one update.

    Attributes:
        sizes: The config of the policy's GPT-2.
        rollouts: The number of responses in the update.
        prompt: The number of tokens in each prompt.
        response: The number of tokens in each response. All responses have this length.
        sample_batch: The number of responses in a batch when they are sampled and when the frozen reference policy
            reads them.
        minibatch: The number of responses in each minibatch for training the policy.
        discriminator_batch: The number of the policy's responses in each training step of the discriminator D. Each
            step also uses the same number of experts' responses.
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
        """Make a GPT-2 that never generates END, with the same random weights in each call.

        One component of the hidden states is always large and gives END a logit of about -1000. With these weights,
        every contestant samples responses of full length, and no contestant's sampling code has to be changed.
        """
        made = GPT2(self.sizes, seed=1, adapters=adapters, precision=precision)
        shift, embeddings = made.weights["ln_f.bias"].numpy(), made.weights["wte.weight"].numpy()
        shift[0], embeddings[self.sizes.eos_token_id, 0] = 10, -100
        made.weights["ln_f.bias"].assign(shift)
        made.weights["wte.weight"].assign(embeddings)
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
