"""Measures the quality of responses by a pretrained language model that none of the compared systems was trained from.

The model reads the conversation as plain text and has not been fine-tuned. A model from which a system was trained
would prefer the responses of this system.
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

LAYOUT = "plain"  # a line for each utterance; in a chat layout, a model talks about a message instead of answering it


class OutsideModel:
    """A language model that measures responses to trajectories.

    Args:
        policy: The model.
        tokenizer: Its tokenizer.
        limits: The maximum numbers of tokens of conditions and of responses.
    """

    def __init__(self, policy: LanguagePolicy, tokenizer: Tokenizer, limits: tuple[int, int]):
        self._measure, self._tokenizer, self._limits = Perplexity(policy), tokenizer, limits

    @classmethod
    def read(cls, folder: Path) -> "OutsideModel":
        """Read the language model of a folder.

        Raises:
            UserError: A file is missing or damaged, or the model cannot read conversations of the usual length.
        """
        config = GAILConfig.preset("default", trainable="full", sentiment="off", layout=LAYOUT)
        tokenizer = Tokenizer.read(folder, (), LAYOUT)
        policy = make_policy(config, tokenizer, read_pretrained(config, folder, tokenizer), None)
        return cls(policy, tokenizer, (config.data.condition_tokens, config.data.response_tokens))

    def costs(self, asked: Sequence[Trajectory], responses: Sequence[str], size: int = 32) -> np.ndarray:
        """Compute the negative log-likelihood of responses, given their conversations, and their numbers of words.

        The perplexity per word is exp of the sum of the first column divided by the sum of the second one. The
        tokenizer spells unknown words with pieces of words. Therefore the probability of a word that does not exist is
        the probability of its pieces.

        Args:
            asked: The n trajectories that are answered.
            responses: The n responses.
            size: The number of responses that are read at a time.

        Returns:
            (n, 2) float64. The first column has the negative log-likelihoods in nats, and the second column the numbers
            of words, plus one for the end of each response.
        """
        answered = [replace(one, response=text) for one, text in zip(asked, responses, strict=True)]
        batch = Samples.encode(self._tokenizer, answered, *self._limits, False).batch
        _, words, _ = measured_units(self._tokenizer, batch)
        return np.stack([self._measure.losses(batch, size), words], axis=1).astype(np.float64)


def refuse_own_model(runs: Sequence[GAILRun], model: str) -> None:
    """Raise UserError if one of the runs was trained from the model that is to measure it.

    Args:
        runs: The runs.
        model: The model, in any form that `locate` accepts.
    """
    sha256 = identity(locate(model))[1]
    for run in runs:
        _, base = run.model()
        trained_from = run.source().get("model")
        if model == trained_from or (base is not None and base.sha256 == sha256):
            raise UserError(
                f"--quality-model {model}: {run.path} was trained from this model; use the 5-gram model for this run"
            )
