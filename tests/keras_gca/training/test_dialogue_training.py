"""Learning from the rewards of simulated conversations (Li et al. 2016): gradient, curriculum, and whole trainings."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_gca.agent import Agent
from keras_gca.config import Config
from keras_gca.data.dull_responses import DULL_RESPONSES
from keras_gca.data.pairs import Pairs, frame_answers, pad_contexts
from keras_gca.data.source import Source
from keras_gca.data.vocabulary import PAD
from keras_gca.engine.learner import add_up
from keras_gca.errors import UserError
from keras_gca.evaluation import simulated_conversations
from keras_gca.models.networks import WHITE, YELLOW, build
from keras_gca.storage import json_files
from keras_gca.training import pipeline, simulation
from keras_gca.training.adversarial import AdversarialTraining
from keras_gca.training.dialogue_rewards import TERMS, DialogueRewards
from keras_gca.training.dialogue_training import DialogueEpoch, DialogueTraining
from keras_gca.training.run_folder import GCARun
from keras_gca.training.schedule import GENERATOR, Stage, schedule, simulated_turns
from keras_gca.training.simulation import Openings, Simulated, openings
from tests.factories.gca import LENGTH, SMALL, VOCABULARY, make_agent, random_pairs, toy_networks
from tests.oracles.dialogue_rewards import policy_gradient
from tests.oracles.equations import Equations


def config_of(**changes):
    return Config.preset("tiny", **SMALL | {"algorithm": "dialogue_rewards", "machine_pairs": 7} | changes)


def test_conversations_get_longer_by_the_epochs_of_line_9():
    config = config_of(adversarial_epochs=4, generator_epochs=2, curriculum_epochs=2, simulated_turns=4)
    of_line_9 = [stage for stage in schedule(config) if stage.phase == GENERATOR]
    assert [simulated_turns(config, stage) for stage in of_line_9] == [2, 2, 3, 3, 4, 4, 4, 4]
    assert simulated_turns(Config(), Stage(GENERATOR, 9, 1, 1)) == 5


def test_earlier_utterances_of_each_turn():
    said = np.arange(1, 9, dtype=np.int32).reshape(2, 4, 1)  # N_u = 2 and two turns
    simulated = Simulated(random_pairs(4), said, 2)
    assert simulated.turns[:, 0].tolist() == [3, 7, 4, 8]
    assert simulated.earlier(2)[:, 0].tolist() == [1, 5, 2, 6]
    assert simulated.earlier(3)[:, 0].tolist() == [PAD, PAD, 1, 5]
    assert simulated.earlier(5)[:, 0].tolist() == [PAD] * 4


def test_conversations_begin_with_human_contexts(monkeypatch):
    def pairs_of(*utterances):
        contexts = [utterances[max(0, i - 2) : i] for i in range(1, len(utterances))]
        read = [[word for utterance in of for word in utterance] for of in contexts]
        answers = frame_answers(utterances[1:], LENGTH)
        return Pairs(pad_contexts(read, LENGTH), answers, np.zeros(len(answers), np.int32))

    begun = openings(pairs_of([5, 6], [7], [8, 9]), 2, 0, Config(), VOCABULARY)
    found = {
        (*context[context != 0].tolist(),): [row[row != 0].tolist() for row in utterances]
        for context, utterances in zip(*begun, strict=True)
    }
    assert found == {(5, 6): [[], [5, 6]], (5, 6, 7): [[5, 6], [7]]}
    context = pad_contexts([[5, 6, 7]], LENGTH)
    nothing = context, np.zeros((1, 2, LENGTH), np.int32)  # as if the utterances of no context were known
    monkeypatch.setattr(simulation, "seeds_with_utterances", lambda *arguments: nothing)
    unknown = openings(pairs_of([5, 6], [7]), 1, 0, Config(), VOCABULARY)
    np.testing.assert_array_equal(unknown.utterances[0], [context[0] * 0, context[0]])


def test_the_gradient_is_that_of_numpy():
    gca, pairs = toy_networks(), random_pairs(5, seed=5)
    learner = DialogueTraining(gca, 1e-3)
    random = np.random.default_rng(0)
    kernel = random.normal(0, 0.1, learner.baseline.kernel.shape).astype(np.float32)
    learner.baseline.kernel.assign(kernel)
    learner.baseline.bias.assign([0.3])
    returns = random.normal(-1, 1, len(pairs)).astype(np.float32)
    terms = random.normal(size=(len(pairs), 4)).astype(np.float32)
    found = []
    learner.apply_gradients = found.extend  # take the gradients instead of making a step of Adam
    result = learner.descend(*map(tf.constant, (pairs.contexts, pairs.answers, returns, terms)))
    turns = [
        (context, [token for token in answer[1:] if token != PAD], Q)
        for context, answer, Q in zip(pairs.contexts, pairs.answers, returns, strict=True)
    ]
    loss, expected = policy_gradient(Equations(gca), turns, (kernel[:, 0], 0.3))
    assert float(result.loss) == pytest.approx(loss, rel=1e-4)
    names = [variable.path for variable in gca.variables(*YELLOW)]
    layers = [f"{layer}/{weight}" for layer in ("bot", "decision_bot") for weight in ("kernel", "bias")]
    for layer, theirs in zip(layers, expected, strict=True):
        (number,) = [i for i, name in enumerate(names) if name == layer or name.endswith(f"/{layer}")]
        np.testing.assert_allclose(found[number], theirs, atol=1e-5)
        assert np.abs(theirs).max() > 1e-4


class Judge:
    """Gives each turn its first word as r_1, its length as r_2, and 1 as r_3."""

    def terms(self, simulated):
        self.seen = simulated
        words = simulated.turns
        first = [int(row[row != 0][0]) for row in words]
        return np.column_stack([first, np.count_nonzero(words, axis=1), np.ones(len(words))]).astype(float)


def test_each_turn_has_the_mean_reward_of_its_conversation():
    asked = []

    def sample(contexts, seed):
        asked.append((len(contexts), seed))
        last = [int(row[row != 0][-1]) for row in contexts]
        return SimpleNamespace(answers=frame_answers([[word + 1] * (word % 3 + 1) for word in last], LENGTH))

    begun = Openings(pad_contexts([[5], [6], [8]], LENGTH), pad_contexts([[5], [6], [8]], LENGTH)[:, None])
    config = config_of(adversarial_batch_size=5, ease_of_answering_weight=2.0, information_flow_weight=1.0)
    judge = Judge()
    epoch = DialogueEpoch(SimpleNamespace(sample=sample), judge, config, begun, 2, seed=100)
    assert [batch.tolist() for batch in epoch.batches] == [[0, 1], [2]]  # two conversations have four turns
    contexts, answers, returns, terms = epoch.take(1)
    assert asked == [(1, 102), (1, 103)]
    assert answers[:2].sum(axis=1).tolist() == [1 + 3 * 9 + 2, 1 + 1 * 10 + 2]
    rewards = [2 * 9 + 3 + 0.5, 2 * 10 + 1 + 0.5]
    np.testing.assert_allclose(returns, [np.mean(rewards)] * 2 + [0, 0])
    np.testing.assert_allclose(terms, [[rewards[0], 9, 3, 1], [rewards[1], 10, 1, 1], [0] * 4, [0] * 4])
    assert len(contexts) == 4


@pytest.mark.thorough
def test_metrics_and_the_first_baseline():
    learner = DialogueTraining(toy_networks(), 1e-3)
    pairs = random_pairs(6, seed=2)
    padded = [np.concatenate([array, np.zeros_like(array[:2])]) for array in (pairs.contexts, pairs.answers)]
    returns = np.float32([-1, -2, -3, -4, -5, -6, 0, 0])
    terms = np.arange(32, dtype=np.float32).reshape(8, 4)
    learner.baseline.bias.assign([-3.5])
    found = learner.metrics(add_up([learner.test_step(*padded, returns, terms)]))
    assert [found[name] for name in ("reward", *TERMS)] == pytest.approx([10, 11, 12, 13])
    counts = np.count_nonzero(pairs.answers, axis=1) - 1
    assert found["baseline_error"] == pytest.approx(np.sum(counts * (returns[:6] + 3.5) ** 2) / counts.sum())
    learner.baseline.bias.assign([0.0])
    learner.step(*padded, returns, terms, seed=(0, 0))
    assert learner.baseline.bias.numpy() == pytest.approx([-3.5], abs=2e-3)  # the mean, and one small step
    assert learner.steps == 1


def training(config):
    """Make a training whose p_backward is another toy network; it begins after line 3."""
    walk = AdversarialTraining(config, build(config, VOCABULARY), random_pairs(12), random_pairs(5, 1))
    words = [f"w{i}" for i in range(VOCABULARY - 4)]
    backward = make_agent(words, predict="context", adversarial_epochs=0, context_utterances=1)
    walk.rewards = DialogueRewards(config, VOCABULARY, 0, backward, frame_answers([[5, 6], [7]], LENGTH))
    return walk


@pytest.mark.thorough
def test_a_restored_training_ends_with_the_same_bits():
    config = config_of(
        teacher_forcing_epochs=1, discriminator_epochs=0, generator_epochs=2, interleaved_epochs=0, simulated_turns=3
    )
    whole, other = training(config), training(config)
    start = [variable.numpy() for variable in whole.gca.variables(*WHITE, *whole.gca.yellow)]
    whole.start_from(start)
    stored = None
    for event in whole:
        if event.stage.phase == GENERATOR and event.stage.epoch == 2 and stored is None:
            facts, arrays = whole.state()
            stored = eval(repr(facts)), {name: array.copy() for name, array in arrays.items()}
    other.restore(*stored)
    assert other.phase == GENERATOR
    for _ in other:
        pass
    assert other.history == whole.history
    for ours, theirs in zip(other.gca.variables(*YELLOW), whole.gca.variables(*YELLOW), strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    rows = [row for row in whole.history if row["phase"] == GENERATOR]
    assert [row["turns"] for row in rows] == [2, 3]
    for row in rows:
        terms = np.array([row[f"val_{name}"] for name in TERMS])
        assert row["val_reward"] == pytest.approx(terms @ config.reward_weights, rel=1e-4)
        assert row["baseline_error"] >= 0
        assert terms[2] < 0 < terms[0]
    moved = [not np.array_equal(a, b.numpy()) for a, b in zip(start[1:], whole.gca.variables(*YELLOW), strict=True)]
    assert all(moved)
    np.testing.assert_array_equal(start[0], whole.gca.layers.shared.embeddings.numpy())


@pytest.mark.thorough
def test_a_run_from_a_corpus_to_its_evaluation(tmp_path):
    """The run keeps its backward model, so that it can be trained further without the run that it came from."""
    lines = [line for i in range(12) for line in (f"Do you know {i}?", *DULL_RESPONSES[i % 4 : i % 4 + 3], "")]
    (tmp_path / "corpus.txt").write_text("\n".join(lines))
    source = Source(tmp_path / "corpus.txt")
    config = config_of(
        teacher_forcing_epochs=1, adversarial_epochs=1, discriminator_epochs=0, interleaved_epochs=0, simulated_turns=2
    )
    with pytest.raises(UserError, match="give --backward RUN"):
        pipeline.train_agent(config, source, tmp_path / "none")
    words = pipeline.prepare(source.read()[0], config).vocabulary
    settings = {"predict": "context", "adversarial_epochs": 0, **SMALL}
    backward = Config.preset("tiny", **settings)
    gca = build(backward, len(words))
    of = [[variable.numpy() for variable in gca.variables(*WHITE, *names)] for names in (gca.yellow, gca.green)]
    Agent(backward, words, {"teacher_forcing": of[0]}, of[1]).save(tmp_path / "backward.h5")
    session = pipeline.train_agent(config, source, tmp_path / "run", backward=tmp_path / "backward.h5")
    assert session.training.finished
    run = GCARun.open(tmp_path / "run")
    assert run.source()["backward"] == str(tmp_path / "backward.h5")
    (tmp_path / "backward.h5").unlink()
    further = pipeline.resume(run.path, adversarial_epochs=2)
    assert [row["phase"] for row in further.training.history].count(GENERATOR) == 2
    figures = simulated_conversations.evaluate_conversations(run.path)
    assert set(figures["systems"]) == {"teacher_forcing", "adversarial", "human"}
    for name in ("teacher_forcing", "adversarial"):
        metrics = figures["systems"][name]
        assert 0 <= metrics["turns"] <= simulated_conversations.MOST_TURNS
        assert sum(metrics[end] for end in simulated_conversations.ENDS) == pytest.approx(1)
        assert math.isfinite(metrics["perplexity"])
    json_files.plain(figures)
