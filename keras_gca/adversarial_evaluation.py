"""The adversarial evaluation of Section 5: which generator's answer does a discriminator take for human? (Table 1)

A generator judged by the discriminator that it was trained to fool proves little, so an independent one judges as well:
of the same form, freshly drawn, and trained on human answers and on those of all generators.
"""

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np

from keras_gca import scoring
from keras_gca.adversarial import DiscriminatorTraining, labelled_batches
from keras_gca.agent import Agent
from keras_gca.learning import add_up
from keras_gca.models import GREEN, WHITE, assign, build
from keras_gca.pairs import Pairs

BATCH = 32
PART = 64  # contexts that one generator answers before it is the next one's turn


class Judgement(NamedTuple):
    """What a discriminator makes of the answers to the same contexts.

    wins:   {generator: contexts at which its answer has the highest score by Eq. 10}, ties left out (Table 1).
    ties:   contexts at which the two highest scores differ by less than 5 % of the smaller one.
    scores: {"human" or generator: mean score by Eq. 10}.
    """

    wins: dict[str, int]
    ties: int
    scores: dict[str, float]


def judge(agent: Agent, pairs: Pairs, answers: dict[str, np.ndarray]) -> Judgement:
    """Let an agent's discriminator judge answers to the contexts of human pairs.

    answers: {generator: (n, s_s + 1) int32}.
    """
    scores = {
        name: np.exp(scoring.log_score(agent.judge(pairs.contexts, rows)))
        for name, rows in {"human": pairs.answers, **answers}.items()
    }
    wins, ties = dict.fromkeys(answers, 0), 0
    for i in range(len(pairs)):
        ranked = sorted(answers, key=lambda name: -scores[name][i])
        if len(ranked) > 1 and scoring.winner(*(scores[name][i] for name in ranked[:2])) is None:
            ties += 1
        else:
            wins[ranked[0]] += 1
    return Judgement(wins, ties, {name: float(values.mean()) for name, values in scores.items()})


def independent_judge(agent: Agent, training: Pairs, seed: int, epochs: int = 3) -> Agent:
    """The same agent with a discriminator of its own: drawn afresh by seed, trained on what is given here.

    training: human pairs; as many contexts as `Config.machine_pairs` are answered by the agent's generators in turn,
        and D learns to tell these answers from the human ones.
    """
    random = np.random.default_rng(seed)
    human = training[random.permutation(len(training))[: agent.config.machine_pairs]]
    names = itertools.cycle(agent.generators)
    parts = [human[start : start + PART] for start in range(0, len(human), PART)]
    machine = Pairs.concatenate(
        [Pairs(part.contexts, agent.decode(next(names), part.contexts).answers, part.conversation) for part in parts]
    )

    gca = build(dataclasses.replace(agent.config, seed=seed), len(agent.vocabulary))
    assign(gca.variables(*WHITE), agent.discriminator[: len(gca.variables(*WHITE))])
    learner = DiscriminatorTraining(gca, agent.config.discriminator_learning_rate)
    for epoch_seed in random.integers(2**31, size=epochs):
        batches, take = labelled_batches(human, machine, BATCH, int(epoch_seed))
        add_up(learner.step(*take(batch)) for batch in batches)
    weights = [variable.numpy() for variable in gca.variables(*WHITE, *GREEN)]
    return Agent(agent.config, agent.vocabulary, agent.weights, weights)
