"""Li et al. 2016, "Deep Reinforcement Learning for Dialogue Generation": the rewards of simulated conversations.

Two agents talk to each other. An action a is a turn: an answer to the context x, which consists of the last N_u
utterances. The reward of a turn is lambda_1 r_1 + lambda_2 r_2 + lambda_3 r_3:

    r_1  ease of answering    -1/N_S sum over s in S of 1/N_s log p(s|a)      S: the dull responses, to be avoided
    r_2  information flow     -log cos(h, h')                                 h, h': encodings of a and of this agent's
                                                                              previous turn
    r_3  semantic coherence   1/N_a log p(a|x) + 1/N_q log p_backward(q|a)    q: what the backward model predicts from a

N_S is the number of dull responses. N_s, N_a and N_q are numbers of tokens, including EOS. The probability p and the
encoding h come from the generator as it was after line 3. That generator is frozen, because a generator that computed
its own rewards could increase them by changing how they are computed. The probability p_backward comes from a run with
`--predict context`.

Shapes: n is the number of turns, s and s_s are the maximum numbers of tokens in a context and in an answer, and u is
the number of units of the encoder.
"""

from pathlib import Path

import numpy as np

from keras_gca.agent import Agent
from keras_gca.config import Config
from keras_gca.data import pairs as transformations
from keras_gca.data.dataset import Dataset
from keras_gca.data.dull_responses import framed
from keras_gca.data.pairs import Pairs, pad_contexts
from keras_gca.data.topics import TopicModel
from keras_gca.data.vocabulary import EOS, PAD
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError
from keras_gca.models.forward import PrefixGenerator
from keras_gca.models.likelihood import Evaluator
from keras_gca.models.networks import WHITE, build
from keras_gca.training.simulation import Simulated

TERMS = ("ease_of_answering", "information_flow", "semantic_coherence")
# A smaller cosine counts as this one. Cosines of LSTM states may be 0 or negative, where -log is not defined.
LOWEST_COSINE = 0.1
BATCH = 256  # the number of utterances that are encoded at a time


def ease_of_answering(log_p: np.ndarray) -> np.ndarray:
    """Compute r_1 of each turn.

    Args:
        log_p: The log-probability of each token of each dull response to each turn, shape (n, N_S, s_s). NaN after the
            end of a response.

    Returns:
        A float64 array of shape (n,).
    """
    return -_per_token(log_p).mean(axis=1)


def information_flow(turns: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """Compute r_2 of each turn.

    Args:
        turns: The encodings of the turns, shape (n, u).
        earlier: The encodings of the same agent's previous turns, shape (n, u).

    Returns:
        A float64 array of shape (n,) with values from 0 to -log LOWEST_COSINE.
    """
    turns, earlier = turns.astype(np.float64), earlier.astype(np.float64)
    norms = np.linalg.norm(turns, axis=1) * np.linalg.norm(earlier, axis=1)
    cosines = np.sum(turns * earlier, axis=1) / np.where(norms > 0, norms, 1)
    return -np.log(np.clip(cosines, LOWEST_COSINE, 1))


def semantic_coherence(log_p: np.ndarray, log_p_backward: np.ndarray) -> np.ndarray:
    """Compute r_3 of each turn.

    Args:
        log_p: The log-probability of each token of each turn under p(a|x), shape (n, s_s). NaN after the end of a turn.
        log_p_backward: The log-probability of each token of q under p_backward(q|a), shape (n, s_s). NaN after the end
            of q.

    Returns:
        A float64 array of shape (n,).
    """
    return _per_token(log_p) + _per_token(log_p_backward)


def _per_token(log_p: np.ndarray) -> np.ndarray:
    """Compute the mean over the last axis in float64, ignoring NaN."""
    return np.asarray(np.nanmean(log_p, axis=-1, dtype=np.float64))


class DialogueRewards:
    """The rewards of simulated conversations.

    Args:
        config: The settings of the run.
        vocabulary_size: s_v, the size of the vocabulary.
        speakers: The number of speakers with an embedding.
        backward: The agent that computes p_backward.
        dull: Token ids of the dull responses with BOS and EOS, shape (N_S, s_s + 1) and dtype int32.
        topics: The topic model of the run, or None.
    """

    def __init__(
        self,
        config: Config,
        vocabulary_size: int,
        speakers: int,
        backward: Agent,
        dull: np.ndarray,
        topics: TopicModel | None = None,
    ):
        self._gca = build(config, vocabulary_size, speakers=speakers, topics=topics)
        self._generator, self._evaluator = PrefixGenerator.of(self._gca), Evaluator(self._gca)
        self._backward, self._dull = backward, dull
        self._hierarchical = config.hierarchical
        self.compiled_encodings = Compiled(self._generator.encodings, distribute=False)

    @classmethod
    def of(cls, config: Config, dataset: Dataset, backward: Agent) -> "DialogueRewards":
        """Make the rewards for a run from its data and from the agent that computes p_backward.

        Raises:
            UserError: The vocabulary does not cover any of the dull responses.
        """
        dull = framed(dataset.vocabulary, config.contractions, config.sentence_length)
        vocabulary = dataset.vocabulary
        return cls(config, len(vocabulary), len(vocabulary.speakers), backward, dull, dataset.topic_model)

    def measure_by(self, generator: list[np.ndarray]) -> None:
        """Set the generator that computes p and the encoding h.

        Args:
            generator: The weights of the layers in WHITE and `yellow`.
        """
        assign(self._gca.variables(*WHITE, *self._gca.yellow), generator)

    def terms(self, simulated: Simulated) -> np.ndarray:
        """Compute r_1, r_2 and r_3 of each turn.

        Returns:
            A float64 array of shape (n, 3) with the turns in the order of `simulated.pairs`.
        """
        backward = self._backward.token_log_probabilities(self._backward_pairs(simulated))
        return np.stack(
            [
                ease_of_answering(self._of_dull_responses(simulated.turns)),
                self._information_flow(simulated),
                semantic_coherence(self._evaluator.token_log_probabilities(simulated.pairs), backward),
            ],
            axis=1,
        )

    def _of_dull_responses(self, turns: np.ndarray) -> np.ndarray:
        """Compute the log-probability of each token of each dull response to each turn.

        Args:
            turns: Token ids of the turns, shape (n, s) and dtype int32.

        Returns:
            An array of shape (n, N_S, s_s).
        """
        count, dull = len(turns), self._dull
        asked = Pairs(np.repeat(turns, len(dull), 0), np.tile(dull, (count, 1)), np.zeros(count * len(dull), np.int32))
        return self._evaluator.token_log_probabilities(asked).reshape(count, len(dull), -1)

    def _information_flow(self, simulated: Simulated) -> np.ndarray:
        """Compute r_2, which is 0 for the first turn of each agent."""
        turns, earlier = simulated.turns, simulated.earlier(2)
        flow = information_flow(self._encoded(turns), self._encoded(earlier))
        return np.where(turns.any(axis=1) & earlier.any(axis=1), flow, 0.0)

    def _encoded(self, utterances: np.ndarray) -> np.ndarray:
        """Encode utterances.

        Args:
            utterances: Token ids of the utterances, shape (n, s) and dtype int32.

        Returns:
            A float32 array of shape (n, u).
        """
        starts = range(0, len(utterances), BATCH)
        return np.concatenate([self.compiled_encodings(utterances[i : i + BATCH]).numpy() for i in starts])

    def _backward_pairs(self, simulated: Simulated) -> Pairs:
        """Return the pairs for p_backward: the context of a pair is a turn, and the answer is what precedes the turn.

        The answer consists of as many utterances as the backward model was trained to predict.
        """
        config, pairs = self._backward.config, simulated.pairs
        before = np.concatenate([simulated.earlier(k) for k in range(config.context_utterances, 0, -1)], axis=1)
        words = before != PAD
        if not config.hierarchical:  # its contexts have no EOS, and s_s tokens in all
            words &= before != EOS
        contexts = pad_contexts([row[kept] for row, kept in zip(before, words, strict=True)], config.context_length)
        return transformations.backward(Pairs(contexts, pairs.answers, pairs.conversation), config.hierarchical)


def backward_agent(config: Config, backward: str | Path | None, dataset: Dataset) -> Agent | None:
    """Load the agent that computes p_backward for a new run, and check that the agent fits the run.

    Args:
        config: The settings of the run.
        backward: The run folder or bot file given by --backward, or None if the option is not given.
        dataset: The data of the run.

    Returns:
        The agent, or None if the algorithm does not need it.

    Raises:
        UserError: The agent is missing, does not fit the run, or is given although the algorithm does not need it.
    """
    config.check_backward(backward)
    if backward is None:
        return None
    agent = Agent.load(backward)
    if agent.config.predict != "context":
        raise UserError(
            f"--backward {backward}: this run was trained with --predict {agent.config.predict}, but --predict context "
            "is needed"
        )
    if agent.vocabulary.tokens != dataset.vocabulary.tokens:
        raise UserError(
            f"--backward {backward}: this run has a different vocabulary from the new run; train both on the same data"
        )
    for name in ("sentence_length", "padding"):
        ours, theirs = getattr(config, name), getattr(agent.config, name)
        if ours != theirs:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"--backward {backward}: this run has {option} {theirs}, but the new run has {ours}")
    if agent.config.context_utterances > config.context_utterances:
        raise UserError(
            f"--backward {backward}: this run predicts {agent.config.context_utterances} utterances, but contexts have "
            f"at most {config.context_utterances}; name a run with a smaller --context-utterances"
        )
    framed(dataset.vocabulary, config.contractions, config.sentence_length)  # raises UserError if there are none
    return agent
