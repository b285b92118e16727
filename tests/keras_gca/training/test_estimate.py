"""The estimate of Algorithm 2, line by line, with the networks' operations that `test_costs.py` counts by hand."""

import numpy as np
import pytest

from keras_gca.config import Config
from keras_gca.data.pairs import Pairs
from keras_gca.models.costs import Costs, Lengths
from keras_gca.training.estimate import estimate
from keras_gca.training.schedule import schedule

RATE = 1e9


def pairs(count):
    """Pairs with contexts of 20 tokens, and answers of 11 with EOS."""
    contexts, answers = np.zeros((count, 50), np.int32), np.zeros((count, 51), np.int32)
    contexts[:, -20:], answers[:, :12] = 5, 5
    return Pairs(contexts, answers, np.arange(count, dtype=np.int32))


def of(stages=None, **changes):
    return estimate(Config(**changes), 7000, pairs(1000), pairs(100), stages, RATE).seconds


def read(count):
    return Costs(Config(), 7000).read(Lengths(count, 20, 11)) / RATE


def judged(count):
    return Costs(Config(), 7000).judge(Lengths(count, 20, 11)) / RATE


def test_an_epoch_of_teacher_forcing_learns_every_pair_and_reads_the_held_out_ones():
    made = of(teacher_forcing_epochs=4, adversarial_epochs=2, interleaved_epochs=3)
    assert made["teacher_forcing"] == pytest.approx(4 * (3 * read(1000) + read(100)))
    assert made["interleaved_teacher_forcing"] == pytest.approx(2 * 3 * (3 * read(1000) + read(100)))


def test_the_generator_talks_to_itself_about_training_and_held_out_contexts():
    made = of(machine_pairs=300, adversarial_epochs=2, self_conversation_turns=3)
    assert made["self_conversation"] == pytest.approx(2 * 3 * read(300 + 100))


def test_the_discriminator_learns_as_many_human_as_machine_generated_pairs():
    made = of(machine_pairs=300, adversarial_epochs=2, discriminator_epochs=5)
    assert made["discriminator"] == pytest.approx(2 * 5 * (3 * judged(300 + 300) + 2 * judged(100 + 100)))
    made = of(machine_pairs=5000, adversarial_epochs=1, discriminator_epochs=1)
    assert made["discriminator"] == pytest.approx(3 * judged(5000 + 1000) + 2 * judged(100 + 100))


def test_the_generator_learns_from_machine_generated_pairs_through_the_discriminator():
    of_terms = judged(100 + 100)  # on held-out pairs of H and M
    of_line_9 = 3 * read(300) + 3 * judged(300) + read(100) + judged(100) + read(100) + of_terms + read(100)
    assert of(machine_pairs=300, adversarial_epochs=2)["generator"] == pytest.approx(2 * of_line_9)
    made = of(machine_pairs=300, adversarial_epochs=2, algorithm="reinforce")
    assert made["generator"] == pytest.approx(2 * (of_line_9 - read(100) + read(400)))
    assert made["self_conversation"] == pytest.approx(2 * read(400))


def test_simulated_conversations_are_decoded_rewarded_and_learned():
    """Two epochs of line 9 have 2 and 3 answers to each of 300 messages; 100 held-out messages always have 3."""
    made = of(machine_pairs=300, adversarial_epochs=2, algorithm="dialogue_rewards", simulated_turns=3)
    costs = Costs(Config(), 7000)

    def rewards(count):  # of answers of 11 tokens to contexts of 20
        answer = Lengths(count, 11, 11)
        own = costs.decode(Lengths(count, 20, 11)) + costs.read(Lengths(count, 20, 11))
        return (own + costs.read(Lengths(8 * count, 11, 11)) + costs.read(answer) + 2 * costs.encode(answer)) / RATE

    learned, measured = 300 * (2 + 3), 2 * 100 * 3
    expected = 3 * read(learned) + rewards(learned + measured) + read(measured) + 2 * read(100)
    assert made["generator"] == pytest.approx(expected)
    encoded = costs.encode(Lengths(2, 10, 99))
    assert encoded == pytest.approx(2 * 10 * 2 * 4 * 300 * (100 + 300) / 0.2)  # ten states, each by four gates


def test_only_the_stages_that_are_left_are_counted():
    config = Config(teacher_forcing_epochs=4, adversarial_epochs=1)
    left = of(schedule(config)[3:], teacher_forcing_epochs=4, adversarial_epochs=1)
    whole = of(teacher_forcing_epochs=4, adversarial_epochs=1)
    assert left.pop("teacher_forcing") == pytest.approx(whole.pop("teacher_forcing") / 4)
    assert left == pytest.approx(whole)
    assert sum(of(teacher_forcing_epochs=4, adversarial_epochs=0).values()) == pytest.approx(
        4 * (3 * read(1000) + read(100))
    )
