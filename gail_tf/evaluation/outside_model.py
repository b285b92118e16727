"""Measures the quality of responses with a pretrained language model that none of the compared systems started from.

The model reads conversations as plain text and is not fine-tuned. It would favour a system whose training started from
this model, so the runs of such systems are rejected.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gail_tf.base_models.identity import identity
from gail_tf.base_models.locate import locate
from gail_tf.build import make_policy, read_pretrained
from gail_tf.config import GAILConfig
from gail_tf.data.samples import Samples
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation.responses import measured_units
from gail_tf.imitation.maximum_likelihood import Perplexity
from gail_tf.policies.base import LanguagePolicy
from gail_tf.training.run_folder import GAILRun
from keras_gca.errors import UserError

LAYOUT = "plain"  # one line for each utterance; in a chat layout, models tend to comment on a message, not answer it


class OutsideModel:
    """A pretrained language model that measures the quality of responses.

    Args:
        policy: The model.
        tokenizer: The model's tokenizer.
        limits: The maximum numbers of tokens in a condition and in a response.
    """

    def __init__(self, policy: LanguagePolicy, tokenizer: Tokenizer, limits: tuple[int, int]):
        self._measure, self._tokenizer, self._limits = Perplexity(policy), tokenizer, limits

    @classmethod
    def read(cls, folder: Path) -> "OutsideModel":
        """Read the language model in a folder.

        Raises:
            UserError: A file is missing or damaged, or the model's context is too short for a conversation.
        """
        config = GAILConfig.preset("default", trainable="full", sentiment="off", layout=LAYOUT)
        tokenizer = Tokenizer.read(folder, (), LAYOUT)
        policy = make_policy(config, tokenizer, read_pretrained(config, folder, tokenizer), None)
        return cls(policy, tokenizer, (config.data.condition_tokens, config.data.response_tokens))

    def costs(self, asked: Sequence[Trajectory], responses: Sequence[str], size: int = 32) -> np.ndarray:
        """Compute the negative log-likelihood of each response given its conversation, and count the response's words.

        The perplexity per word is exp(sum of the first column / sum of the second column). The tokenizer splits unknown
        words into subwords, so even a nonexistent word has a probability.

        Args:
            asked: The n answered trajectories.
            responses: A response to each trajectory.
            size: The number of responses in a batch.

        Returns:
            A float64 array of shape (n, 2). The first column contains the negative log-likelihoods in nats, and the
            second column contains the numbers of words, plus one for the end of each response.
        """
        answered = [replace(one, response=text) for one, text in zip(asked, responses, strict=True)]
        batch = Samples.encode(self._tokenizer, answered, *self._limits, False).batch
        _, words, _ = measured_units(self._tokenizer, batch)
        return np.stack([self._measure.losses(batch, size), words], axis=1).astype(np.float64)


def refuse_own_model(runs: Sequence[GAILRun], model: str) -> None:
    """Raise UserError if the training of any run started from the model that measures quality.

    Args:
        runs: The runs.
        model: The name or path of the model, in any form that `locate` accepts.
    """
    sha256 = identity(locate(model))[1]
    for run in runs:
        _, base = run.model()
        trained_from = run.source().get("model")
        if model == trained_from or (base is not None and base.sha256 == sha256):
            raise UserError(
                f"--quality-model {model}: {run.path} started from this model; use the 5-gram model for this run"
            )
