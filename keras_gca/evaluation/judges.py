"""The adversarial evaluation of Section 5: how often a discriminator prefers each generator's answer (Table 1).

A generator is trained to deceive its own discriminator, so the scores of this discriminator prove little. Therefore
independent discriminators also judge the answers (`CrossFitted`). Each has the same architecture with new weights, and
is trained on human answers and the answers of all generators, in held-out conversations that it does not judge.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from keras_gca.agent import Agent
from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import Pairs
from keras_gca.data.topics import TopicModel
from keras_gca.engine.learner import add_up
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError
from keras_gca.models import scoring
from keras_gca.models.networks import WHITE, build
from keras_gca.training.discriminator import DiscriminatorTraining, labelled_batches

BATCH = 32
EPOCHS = 10  # the number of epochs in which each independent discriminator is trained
RATE = 1e-3  # the lowest learning rate of a judge, because a run's own rate for D may be too low for EPOCHS epochs
FOLDS = 2  # the number of parts of the held-out conversations; the judge of a part is trained on the other parts
EQUATIONS = {"Eq. 9": scoring.log_human_probability, "Eq. 10": scoring.log_score}


class Judging(Protocol):
    """The interface that `judge` needs, implemented by `Agent` and `CrossFitted`."""

    def judge(self, contexts: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Compute log l_i of each token; see `Agent.judge`."""


def judge(agent: Judging, pairs: Pairs, answers: dict[str, np.ndarray]) -> dict[str, Any]:
    """Let an agent's discriminator judge answers to the contexts of human pairs.

    Among the generators' answers to a context, the one with the highest score wins. Eq. 9 and Eq. 10 give two kinds of
    scores. The results for each kind are:

    - wins: for each generator, the number of contexts for which its answer wins, not counting ties (Table 1);
    - shares: for each generator, its share of all wins;
    - ties: the number of contexts for which the two highest scores differ by less than 5 % of the lower score;
    - shorter: the share of contexts in which the shortest answer wins, among contexts with a winner and answers of
      different lengths;
    - human_first: how often the human answer scores higher when compared with a generator's answer, as a share of all
      such comparisons.

    The first four results do not take the human answers into account. A share is 0 if there is nothing to count.

    Args:
        agent: The agent, or the cross-fitted discriminators.
        pairs: n human pairs.
        answers: The answers of each generator, framed as in `data/pairs.py`: an int32 array of shape (n, s_s + 1).

    Returns:
        A dict with two parts: "scores" has the mean score (Eq. 10) of "human" and of each generator, and "equations"
        has the results for "Eq. 9" and "Eq. 10".
    """
    rows = {"human": pairs.answers, **answers}
    log_l = {name: agent.judge(pairs.contexts, texts) for name, texts in rows.items()}
    lengths = np.array([np.count_nonzero(answers[name], axis=1) for name in answers])
    scores = {name: {system: equation(log_l[system]) for system in rows} for name, equation in EQUATIONS.items()}
    return {
        "scores": {name: float(np.exp(values).mean()) for name, values in scores["Eq. 10"].items()},
        "equations": {name: _choice(values, list(answers), lengths) for name, values in scores.items()},
    }


def _choice(logs: dict[str, np.ndarray], names: list[str], lengths: np.ndarray) -> dict[str, Any]:
    """Compute the results of choosing answers by one kind of score.

    Args:
        logs: The logarithms of each system's scores, arrays of shape (n,).
        names: The names of the generators.
        lengths: The lengths of the answers, an array of shape (generators, n).
    """
    scores = np.array([logs[name] for name in names])  # (generators, n)
    wins, ties, shorter, decided = dict.fromkeys(names, 0), 0, 0, 0
    for i, column in enumerate(scores.T):
        ranked = np.argsort(-column, kind="stable")
        if len(ranked) > 1 and scoring.is_tie_of_logs(*column[ranked[:2]]):
            ties += 1
            continue
        wins[names[ranked[0]]] += 1
        if lengths[:, i].min() < lengths[:, i].max():
            decided += 1
            shorter += int(lengths[ranked[0], i] == lengths[:, i].min())
    return {
        "wins": wins,
        "shares": {name: count / max(1, sum(wins.values())) for name, count in wins.items()},
        "ties": ties,
        "shorter": shorter / max(1, decided),
        "human_first": float(np.mean([logs["human"] > logs[name] for name in names])),
    }


def independent_judge(agent: Agent, human: Pairs, machine: Pairs, seed: int, epochs: int = 3) -> Agent:
    """Train an independent discriminator (Eq. 7-8), and return a copy of the agent that uses it.

    Args:
        agent: The agent.
        human: Human pairs.
        machine: Answers of the agent's generators, which the discriminator learns to distinguish from the human ones.
        seed: The seed of the initial weights and of the order of pairs. The seed of the agent's run is also used, so
            the judges of different runs are different networks, and none begins like the D of its own run.
        epochs: The number of epochs.
    """
    random = np.random.default_rng([seed, agent.config.seed])
    config = agent.config.changed(algorithm="backpropagation", discriminator_hidden_size=None)
    topics = None if agent.topics is None else TopicModel.of_weights(agent.topics)
    speakers = len(agent.vocabulary.speakers)
    initial = config.changed(seed=int(random.integers(2**31)))
    gca = build(initial, len(agent.vocabulary), speakers=speakers, topics=topics)
    assign(gca.variables(*WHITE), agent.discriminator[: len(gca.variables(*WHITE))])
    learner = DiscriminatorTraining(gca, max(RATE, agent.config.discriminator_learning_rate))
    for epoch_seed in random.integers(2**31, size=epochs):
        batches, take = labelled_batches(human, machine, BATCH, int(epoch_seed))
        add_up(learner.train_step(*take(batch)).sums for batch in batches)
    weights = [variable.numpy() for variable in gca.variables(*WHITE, *gca.green)]
    detector = None if agent.detector is None else agent.detector.weights
    return Agent(config, agent.vocabulary, agent.weights, weights, detector, topics=agent.topics)


class CrossFitted:
    """Independent discriminators, each judging the held-out conversations that it was not trained on.

    After many epochs the generators have memorised the training data. Their answers to training contexts are copies of
    the human answers, from which a discriminator can learn nothing. Therefore the discriminators are trained on
    held-out conversations, which are divided into FOLDS parts. Each part is judged by a discriminator that was trained
    on the human and machine-generated answers in all other parts.

    Args:
        agent: The agent.
        pairs: n human pairs from held-out conversations.
        answers: The answers of each generator to the contexts of these pairs, an int32 array of shape (n, s_s + 1).
        seed: The seed of the division, the initial weights and the order of pairs.
        epochs: The number of epochs for which each discriminator is trained.

    Raises:
        UserError: There are fewer pairs than parts.
    """

    def __init__(self, agent: Agent, pairs: Pairs, answers: Mapping[str, np.ndarray], seed: int, epochs: int = EPOCHS):
        self._pairs, self._folds = pairs, folds(pairs.conversation, seed)
        self._judges = []
        for fold in range(FOLDS):
            human = pairs[self._folds != fold]
            # Each context has the answer of one generator, so that there are as many machine-generated answers as
            # human ones. The order is random, because generators that took turns could each answer the same turns.
            chosen = np.random.default_rng([seed, fold]).permutation(np.arange(len(human)) % len(answers))
            stacked = np.stack([rows[self._folds != fold] for rows in answers.values()])
            machine = Pairs(human.contexts, stacked[chosen, np.arange(len(human))], human.conversation)
            self._judges.append(independent_judge(agent, human, machine, seed + fold, epochs))

    def judge(self, contexts: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Judge one answer to each of the n contexts of `pairs`, in order; see `Agent.judge`.

        Raises:
            ValueError: The contexts are not those of `pairs`.
        """
        if not np.array_equal(contexts, self._pairs.contexts):
            raise ValueError("a cross-fitted discriminator can judge only answers to the contexts of its own pairs")
        log_l = np.full((len(answers), answers.shape[1] - 1), np.nan, np.float32)
        for fold, agent in enumerate(self._judges):
            rows = self._folds == fold
            log_l[rows] = agent.judge(contexts[rows], answers[rows])
        return log_l


def parts(dataset: Dataset, seed: int) -> tuple[Pairs, Pairs]:
    """Return the held-out pairs for choosing systems, and those for measuring the chosen systems.

    These are the validation set and the test set or, without a test set, two halves of the validation set.

    Args:
        dataset: The data of a run.
        seed: The seed of the division into halves.

    Raises:
        UserError: There are fewer pairs than halves.
    """
    if dataset.test is not None:
        return dataset.validation, dataset.test
    halves = folds(dataset.validation.conversation, seed)
    return dataset.validation[halves == 0], dataset.validation[halves == 1]


def folds(conversation: np.ndarray, seed: int) -> np.ndarray:
    """Divide pairs into FOLDS parts of whole conversations, or of single pairs if there are too few conversations.

    A corpus without boundaries between conversations, such as the paper's own, is one conversation.

    Args:
        conversation: The index of each pair's conversation, an array of shape (n,).
        seed: The seed of the division.

    Returns:
        The index of each pair's part, an int64 array of shape (n,). The numbers of conversations in the parts differ by
        at most one.

    Raises:
        UserError: There are fewer pairs than parts.
    """
    numbers, index = np.unique(conversation, return_inverse=True)
    if len(numbers) < FOLDS:
        numbers = index = np.arange(len(conversation))
    if len(numbers) < FOLDS:
        raise UserError(f"{len(numbers)} held-out pair; at least {FOLDS} are needed to form {FOLDS} parts")
    return (np.random.default_rng(seed).permutation(len(numbers)) % FOLDS)[index]
