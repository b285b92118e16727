"""The adversarial evaluation of Section 5: how often a discriminator prefers each generator's answer (Table 1).

A generator is trained to deceive its own discriminator, so the scores of this discriminator prove little. Therefore an
independent discriminator judges as well. It has the same architecture and new weights, and is trained on human answers
and on the answers of all generators.
"""

import itertools
from typing import Any

import numpy as np

from keras_gca.agent import Agent
from keras_gca.data.pairs import Pairs
from keras_gca.engine.learner import add_up
from keras_gca.engine.variables import assign
from keras_gca.models import scoring
from keras_gca.models.networks import WHITE, build
from keras_gca.training.discriminator import DiscriminatorTraining, labelled_batches

BATCH = 32
PART = 64  # contexts that one generator answers before the next one takes over
EQUATIONS = {"Eq. 9": scoring.log_human_probability, "Eq. 10": scoring.log_score}


def judge(agent: Agent, pairs: Pairs, answers: dict[str, np.ndarray]) -> dict[str, Any]:
    """Let an agent's discriminator judge answers to the contexts of human pairs.

    Among the generators' answers to a context, the one with the highest score wins. Eq. 9 and Eq. 10 give two kinds of
    scores. For each of them the results are

    - wins: {generator: the number of contexts for which its answer wins}, without ties (Table 1);
    - shares: {generator: its share of all wins};
    - ties: the number of contexts for which the two highest scores differ by less than 5 % of the smaller one;
    - shorter: the share in which the shortest answer wins, of the contexts with a winner and answers of different
      lengths;
    - human_first: the share in which the human answer scores higher than a generator's, of all such comparisons.

    The first four leave out the human answers. A share is 0 if there is nothing to count.

    Args:
        agent: The agent.
        pairs: n human pairs.
        answers: The answers of each generator, (n, s_s + 1) int32, framed as in `data/pairs.py`.

    Returns:
        A dictionary with two parts: "scores" has the mean score (Eq. 10) of "human" and of each generator, and
        "equations" has the results by "Eq. 9" and by "Eq. 10".
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
    """Compute the results of choosing by scores, given their logarithms, (n,), and the lengths, (generators, n)."""
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


def independent_judge(agent: Agent, training: Pairs, seed: int, epochs: int = 3) -> Agent:
    """Train an independent discriminator (Eq. 7-8), and return the agent with this discriminator.

    The agent's generators answer in turn as many contexts as `Config.machine_pairs` says. The discriminator learns to
    distinguish these answers from the human ones.

    Args:
        agent: The agent.
        training: Human pairs.
        seed: The seed of the initial weights and of the order of pairs.
        epochs: The number of epochs.
    """
    random = np.random.default_rng(seed)
    human = training[random.permutation(len(training))[: agent.config.machine_pairs]]
    names = itertools.cycle(agent.generators)
    parts = [human[start : start + PART] for start in range(0, len(human), PART)]
    machine = Pairs.concatenate(
        [Pairs(part.contexts, agent.decode(next(names), part.contexts).answers, part.conversation) for part in parts]
    )

    config = agent.config.changed(algorithm="backpropagation", discriminator_hidden_size=None)
    gca = build(config.changed(seed=seed), len(agent.vocabulary))
    assign(gca.variables(*WHITE), agent.discriminator[: len(gca.variables(*WHITE))])
    learner = DiscriminatorTraining(gca, agent.config.discriminator_learning_rate)
    for epoch_seed in random.integers(2**31, size=epochs):
        batches, take = labelled_batches(human, machine, BATCH, int(epoch_seed))
        add_up(learner.train_step(*take(batch)).sums for batch in batches)
    weights = [variable.numpy() for variable in gca.variables(*WHITE, *gca.green)]
    return Agent(config, agent.vocabulary, agent.weights, weights)
