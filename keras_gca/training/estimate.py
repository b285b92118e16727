"""Estimates how long Algorithm 2 takes on this machine, and how much memory it needs, before it starts."""

from collections import Counter
from collections.abc import Sequence

from glove.cost import Estimate
from keras_gca.config import Config
from keras_gca.data.pairs import Pairs
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.models.costs import Costs, Lengths
from keras_gca.training.schedule import (
    DISCRIMINATOR,
    GENERATOR,
    INTERLEAVED,
    SELF_CONVERSATION,
    TEACHER_FORCING,
    Stage,
    schedule,
)


def estimate(
    config: Config,
    vocabulary: int,
    training: Pairs | TokenPairs,
    validation: Pairs,
    stages: Sequence[Stage] | None = None,
    rate: float | None = None,
) -> Estimate:
    """Estimate the cost of a training run; with `--patience`, line 3 may end earlier.

    Args:
        config: The settings.
        vocabulary: s_v.
        training: The pairs to train on.
        validation: The held-out pairs.
        stages: The stages that are left, or None for all stages.
        rate: The speed of matrix multiplication, in operations per second. If None, it is measured.

    Returns:
        The time in seconds for each line of Algorithm 2, and the memory.
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
    left = Counter(stage.phase for stage in (schedule(config) if stages is None else stages))
    operations = {phase: left[phase] * number for phase, number in of_stage.items()}
    at_once = max(config.batch_size, config.adversarial_batch_size)
    return costs.estimate(operations, training.in_memory + len(validation), at_once, rate=rate)
