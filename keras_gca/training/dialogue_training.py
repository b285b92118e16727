"""Li et al. 2016, "Deep Reinforcement Learning for Dialogue Generation": line 9 with rewards for conversations.

The generator talks to itself, and learns by REINFORCE from the rewards r of all turns in a conversation:

    gradient of J  =  E[ sum over turns a_i of gradient of log p(a_i|x_i) * (Q - b) ],     Q = sum over turns of r(a_i)

The program divides Q by the number of turns. Adam's steps hardly change, and the baseline stays valid when the
curriculum makes conversations longer. The baseline b is that of `reinforce.py`: a regression on the hidden layer, which
depends on the context and the partial answer.

Shapes: B is the number of answers, T the maximum number of tokens in an answer, and R the number of rows, one for each
token of the answers.
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
    """A learner that trains the generator on the rewards of conversations that the generator has just simulated.

    Args:
        gca: The networks.
        learning_rate: Adam's learning rate.
        precision: The dtype of the generator's two large matrix products, "float32" or "bfloat16".
    """

    def loss(
        self, contexts: tf.Tensor, answers: tf.Tensor, returns: tf.Tensor, terms: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Compute the policy loss, with the mean reward of each conversation as Q; see `policy_loss`.

        Args:
            contexts: Token ids of the contexts, shape (B, s) and dtype int32.
            answers: Token ids of the sampled turns, shape (B, T + 1) and dtype int32. Empty rows are padding.
            returns: The mean reward of the conversation to which each turn belongs, shape (B,) and dtype float32.
            terms: The reward of each turn and its three terms, for the log, shape (B, 4) and dtype float32.

        Returns:
            The loss, and three tensors for `descend` and `measure`: the terms of the turns, the error Q - b_t of each
            token with shape (R,), and the hidden layer y_h of Eq. 3 with shape (R, hidden).
        """
        rows = rows_of(answers)
        scalar, errors, y_h = self.policy_loss(contexts, answers, rows, tf.gather(returns, rows.answer))
        return scalar, (tf.gather(terms, last_rows(answers).answer), errors, y_h)

    def step(self, *batch: np.ndarray, seed: tuple[int, int]) -> StepResult:
        """Take one training step.

        Before the first step, the baseline is set to the mean of the returns. With a baseline of 0, the first steps
        would make all sampled answers less probable, because most rewards are negative.

        Args:
            *batch: The arguments of `loss`.
            seed: The random seed for the step, which is ignored here.
        """
        if not self.steps:
            _, answers, returns, _ = batch
            self.baseline.bias.assign([returns[answers.any(axis=1)].mean()])
        return super().step(*batch, seed=seed)

    @staticmethod
    def _sums(rewards: tf.Tensor, errors: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Sum the reward, its three terms and the baseline's squared error over a batch, and count turns and tokens."""
        turns, tokens = tf.cast(tf.shape(rewards)[0], tf.float32), tf.cast(tf.size(errors), tf.float32)
        return *tf.unstack(tf.reduce_sum(rewards, axis=0)), turns, tf.reduce_sum(tf.square(errors)), tokens

    @staticmethod
    def metrics(sums: np.ndarray) -> dict[str, float]:
        """Compute the mean reward per turn, the mean of each reward term, and the baseline's mean squared error."""
        *of_turns, turns, errors, tokens = sums
        means = {name: float(value / turns) for name, value in zip(("reward", *TERMS), of_turns, strict=True)}
        return means | {"baseline_error": float(errors / tokens)}


class DialogueEpoch:
    """The batches of one epoch of training on simulated conversations (line 9 of Algorithm 2).

    The conversations of a batch are simulated, and their rewards computed, only when the batch is needed.

    Args:
        decoder: The decoder of the generator in training.
        rewards: The object that computes the rewards.
        config: The settings.
        begun: The human contexts that start the conversations.
        turns: The number of turns in a conversation.
        seed: The random seed for sampling answers.
        order: The random seed for shuffling the contexts, or None for a fixed order, as in validation.

    Attributes:
        batches: The indices of the contexts in each batch. A batch has about `adversarial_batch_size` turns.
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
