"""Estimates how long training will take on this machine, and how much memory it will need, before training starts."""

from collections import Counter
from collections.abc import Sequence

from glove.cost import Estimate
from keras_gca.config import Config
from keras_gca.data.dull_responses import DULL_RESPONSES
from keras_gca.data.pairs import Pairs
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.models.costs import COPIES, Costs, Lengths
from keras_gca.training.schedule import (
    DISCRIMINATOR,
    GENERATOR,
    INTERLEAVED,
    SELF_CONVERSATION,
    TEACHER_FORCING,
    Stage,
    schedule,
    simulated_turns,
)


def estimate(
    config: Config,
    vocabulary: int,
    training: Pairs | TokenPairs,
    validation: Pairs,
    stages: Sequence[Stage] | None = None,
    rate: float | None = None,
) -> Estimate:
    """Estimate the cost of a training run. With `--patience`, line 3 may end earlier than estimated.

    Args:
        config: The settings.
        vocabulary: s_v, the size of the vocabulary.
        training: The pairs to train on.
        validation: The held-out pairs.
        stages: The remaining stages, or None for all stages.
        rate: The speed of matrix multiplication in operations per second, or None to measure it.

    Returns:
        The time for each line of Algorithm 2 in seconds, and the memory.
    """
    costs, human, held_out = (
        Costs(config, vocabulary),
        Lengths.of(training.some()).some(len(training)),
        Lengths.of(validation),
    )
    turns = 1 if config.algorithm == "reinforce" else config.self_conversation_turns
    # The length of machine-generated answers is not known in advance, so the length of the human answers is used.
    seeds, seeds_held_out = config.machine_pairs, min(config.machine_pairs, len(validation))
    machine, machine_held_out = (human.some(n * max(1, turns - 1)) for n in (seeds, seeds_held_out))
    as_many_human = human.some(min(len(training), machine.pairs))
    of_teacher_forcing = costs.learn(human) + costs.read(held_out)
    of_generator = costs.learn(machine) + 3 * costs.judge(machine)  # the gradient flows through D
    of_generator += costs.read(machine_held_out) + costs.judge(machine_held_out) + costs.read(held_out)
    of_terms = costs.judge(machine_held_out) + costs.judge(held_out)  # the terms of Eq. 8, measured on H and M
    of_generator += of_terms
    if config.algorithm == "reinforce":
        of_generator += costs.decode(machine) + costs.decode(machine_held_out)
    else:
        of_generator += costs.read(machine_held_out)  # p, from which the terms of line 9 are computed
    of_stage = {
        TEACHER_FORCING: of_teacher_forcing,
        SELF_CONVERSATION: costs.decode(human.some(turns * (seeds + seeds_held_out))),
        DISCRIMINATOR: 3 * (costs.judge(machine) + costs.judge(as_many_human))
        + costs.judge(machine_held_out)
        + costs.judge(held_out)
        + of_terms,
        GENERATOR: of_generator,
        INTERLEAVED: of_teacher_forcing,
    }
    counted = schedule(config) if stages is None else stages
    left = Counter(stage.phase for stage in counted)
    operations = {phase: left[phase] * number for phase, number in of_stage.items()}
    at_once, copies = max(config.batch_size, config.adversarial_batch_size), COPIES
    if config.simulates_conversations:
        turns = sum(seeds * simulated_turns(config, stage) for stage in counted if stage.phase == GENERATOR)
        measured = left[GENERATOR] * seeds_held_out * config.simulated_turns
        operations[GENERATOR] = costs.learn(human.some(turns)) + left[GENERATOR] * costs.read(held_out)
        operations[GENERATOR] += _of_rewards(costs, human.some(turns + measured)) + costs.read(held_out.some(measured))
        copies += 2  # the generator of line 3, and the one of p(x|y)
    return costs.estimate(operations, training.in_memory + len(validation), at_once, copies, rate)


def _of_rewards(costs: Costs, turns: Lengths) -> float:
    """Return the number of operations for simulated turns and their rewards (`dialogue_rewards.py`).

    Each turn is decoded, and serves as the context of every dull response. The turn and the same agent's previous turn
    are encoded. Finally, the probabilities of the turn and of the preceding turn are computed.
    """
    answer = turns._replace(context=turns.answer)
    dull = answer.some(turns.pairs * len(DULL_RESPONSES))
    return costs.decode(turns) + costs.read(dull) + 2 * costs.encode(answer) + costs.read(turns) + costs.read(answer)
