"""Li et al. 2016, "Deep Reinforcement Learning for Dialogue Generation": line 9 by rewards for conversations.

The generator talks to itself, and learns by REINFORCE from the rewards r of all turns of a conversation:

    gradient of J  =  E[ sum over turns a_i of gradient of log p(a_i|x_i) * (Q - b) ],     Q = sum over turns of r(a_i)

The sum Q is divided by the number of turns. Adam makes nearly the same steps, and the baseline remains valid when the
curriculum makes conversations longer. The baseline b is that of `reinforce.py`: a regression on the hidden layer, which
depends on the context and on the partial answer.

Shapes: B answers of at most T tokens; R rows, one for each token of the answers.
"""

import numpy as np
import tensorflow as tf

from keras_gca.config import Config
from keras_gca.data.batches import take_batch
from keras_gca.engine.batching import filled, plan
from keras_gca.engine.learner import StepResult
from keras_gca.models.decoding import Decoder
from keras_gca.models.rows import last_rows, rows_of
from keras_gca.training.dialogue_rewards import TERMS, DialogueRewards
from keras_gca.training.reinforce import PolicyGradient
from keras_gca.training.simulation import Openings, simulate


class DialogueTraining(PolicyGradient):
    """Trains the generator by the rewards of conversations that it has just simulated.

    Args:
        gca: The networks.
        learning_rate: Adam's learning rate.
        precision: The number format of the generator's two large matrix products, "float32" or "bfloat16".
    """

    def loss(
        self, contexts: tf.Tensor, answers: tf.Tensor, returns: tf.Tensor, terms: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Compute the loss of `policy_loss`, where Q is the mean reward of the conversation.

        Args:
            contexts: (B, s) int32.
            answers: (B, T + 1) int32, turns that the generator has sampled. Empty rows only fill up the batch.
            returns: (B,) float32, for each turn the mean reward of its conversation.
            terms: (B, 4) float32, the reward of each turn and its terms, for the log.

        Returns:
            The loss, and three tensors that `descend` and `measure` need: the terms of the turns, the error Q - b_t of
            each token, (R,), and the hidden layer y_h of Eq. 3, (R, hidden).
        """
        rows = rows_of(answers)
        scalar, errors, y_h = self.policy_loss(contexts, answers, rows, tf.gather(returns, rows.answer))
        return scalar, (tf.gather(terms, last_rows(answers).answer), errors, y_h)

    def step(self, *batch: np.ndarray, seed: tuple[int, int]) -> StepResult:
        """Make one training step.

        Before the first step, the baseline is the mean of the returns. If it were 0, the first answers would all become
        less probable, because most rewards are negative.

        Args:
            *batch: The arguments of `loss`.
            seed: The seed of the step, which is not used.
        """
        if not self.steps:
            _, answers, returns, _ = batch
            self.baseline.bias.assign([returns[answers.any(axis=1)].mean()])
        return super().step(*batch, seed=seed)

    @staticmethod
    def _sums(rewards: tf.Tensor, errors: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Compute seven sums: reward and terms, the turns, the baseline's squared errors, and the tokens."""
        turns, tokens = tf.cast(tf.shape(rewards)[0], tf.float32), tf.cast(tf.size(errors), tf.float32)
        return *tf.unstack(tf.reduce_sum(rewards, axis=0)), turns, tf.reduce_sum(tf.square(errors)), tokens

    @staticmethod
    def metrics(sums: np.ndarray) -> dict[str, float]:
        """Compute the mean reward of a turn, the mean of each of its terms, and the baseline's mean squared error."""
        *of_turns, turns, errors, tokens = sums
        means = {name: float(value / turns) for name, value in zip(("reward", *TERMS), of_turns, strict=True)}
        return means | {"baseline_error": float(errors / tokens)}


class DialogueEpoch:
    """The batches of an epoch of line 9: each is simulated and rewarded when it is taken.

    Args:
        decoder: The decoder of the generator that learns.
        rewards: The rewards.
        config: The settings.
        begun: The human contexts with which conversations begin.
        turns: The number of turns in a conversation.
        seed: The seed by which answers are drawn.
        order: The seed of the order of the contexts, or None for a fixed order, as validation needs it.

    Attributes:
        batches: The numbers of the contexts of each batch. A batch has about `adversarial_batch_size` turns.
    """

    def __init__(
        self,
        decoder: Decoder,
        rewards: DialogueRewards,
        config: Config,
        begun: Openings,
        turns: int,
        seed: int,
        order: int | None = None,
    ):
        self._decoder, self._rewards, self._config = decoder, rewards, config
        self._begun, self._turns, self._seed = begun, turns, seed
        self._size = max(1, config.adversarial_batch_size // turns)
        self.batches = plan(np.count_nonzero(begun.contexts, axis=1), self._size, order)

    def take(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Simulate the conversations of a batch, and return the arguments of `DialogueTraining.loss`."""
        first = self._seed + number * self._turns

        def answered(contexts: np.ndarray, turn: int) -> np.ndarray:
            return self._decoder.sample(contexts, first + turn).answers

        simulated = simulate(answered, self._begun.some(self.batches[number]), self._turns, self._config.hierarchical)
        terms = self._rewards.terms(simulated)
        rewards = terms @ np.array(self._config.reward_weights)
        returns = np.tile(rewards.reshape(self._turns, -1).mean(axis=0), self._turns)
        rows, size = np.arange(len(simulated.pairs)), self._size * self._turns
        logged = np.column_stack([rewards, terms])
        return (
            *take_batch(simulated.pairs, rows, size),
            filled(returns.astype(np.float32), size),
            filled(logged.astype(np.float32), size),
        )
