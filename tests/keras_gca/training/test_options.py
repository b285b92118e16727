"""Compares the options of lines 6 and 9 with NumPy; by default they are off."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.original_method import per_token_samples
from keras_gca.config import Config
from keras_gca.engine.random import batch_gumbel, batch_normal
from keras_gca.engine.replicas import place
from keras_gca.errors import UserError
from keras_gca.models.networks import build
from keras_gca.presets import PRESETS
from keras_gca.training.adversarial import AdversarialTraining
from keras_gca.training.after_line_3 import after_line_3
from keras_gca.training.discriminator import HUMAN, MACHINE, DiscriminatorTraining
from keras_gca.training.generator import GeneratorTraining, shown_tokens
from keras_gca.training.learners import Learners
from keras_gca.training.run_folder import GCARun
from keras_gca.training.schedule import DISCRIMINATOR, GENERATOR, INTERLEAVED, schedule
from tests.factories.gca import SMALL, VOCABULARY, random_pairs
from tests.oracles.equations import Equations, sigmoid, softmax

SEED = tf.constant([3, 4])


def arrays(pairs):
    return tf.constant(pairs.contexts), tf.constant(pairs.answers)


# Line 6


def test_smoothed_labels_of_human_tokens(gca, pairs):
    labels = np.float32([HUMAN, MACHINE] * (len(pairs) // 2))
    equations = Equations(gca)
    contexts, partial, targets, owner = per_token_samples(pairs)
    l = np.array(  # noqa: E741
        [equations.human(*sample) for sample in zip(contexts, partial, np.eye(VOCABULARY)[targets], strict=True)]
    )
    target = labels[owner] * 0.9
    loss, _ = DiscriminatorTraining(gca, 1e-3, label_smoothing=0.1).loss(*arrays(pairs), tf.constant(labels))
    assert float(loss) == pytest.approx(-np.mean(target * np.log(l) + (1 - target) * np.log(1 - l)), rel=1e-5)


def test_noise_on_the_encodings(gca, pairs):
    labels = np.float32([HUMAN, MACHINE] * (len(pairs) // 2))
    _, partial, targets, owner = per_token_samples(pairs)
    equations = Equations(gca)

    def noisy(encoding, values, counted):
        own = tf.random.experimental.stateless_fold_in(SEED, encoding)
        drawn = batch_normal(own, place(tf.constant(len(values))), [values.shape[1]]).numpy()
        return values + 0.5 * values[counted].std(0) * drawn

    e_cd = np.array([equations.encode("encoder_context_discriminator", x)[0] for x in pairs.contexts])
    e_ad = np.array([equations.encode("encoder_answer_discriminator", y)[0] for y in partial])
    e_cd = noisy(0, e_cd, pairs.contexts.any(1))[owner]
    W_d, b_d = equations.weights["discriminator_output"]
    everything = np.concatenate([np.eye(VOCABULARY)[targets], e_cd, noisy(1, e_ad, slice(None))], 1)
    l, label = sigmoid(everything @ W_d + b_d)[:, 0], labels[owner]  # noqa: E741
    learner = DiscriminatorTraining(gca, 1e-3, instance_noise=0.5)
    loss, _ = learner.loss(*arrays(pairs), tf.constant(labels), SEED)
    assert float(loss) == pytest.approx(-np.mean(np.where(label == HUMAN, np.log(l), np.log(1 - l))), rel=1e-4)
    quiet, _ = learner.loss(*arrays(pairs), tf.constant(labels))
    plain, _ = DiscriminatorTraining(gca, 1e-3).loss(*arrays(pairs), tf.constant(labels))
    assert float(quiet) == float(plain)  # measurements have no noise
    assert (learner.draws, DiscriminatorTraining(gca, 1e-3).draws) == (True, False)


def test_spectral_norms_after_a_step(gca):
    learner = DiscriminatorTraining(gca, 1e-3, spectral_normalisation=True)
    before = [variable.numpy() for variable in learner.variables]
    learner.train_step = lambda *batch: "result"  # a step that changes nothing
    learner.compiled_normalise = learner.normalise  # without a graph, which would take time to build
    assert learner.step(seed=(1, 2)) == "result"
    for old, variable in zip(before, learner.variables, strict=True):
        new = variable.numpy()
        if old.ndim == 1:
            np.testing.assert_array_equal(new, old)
        else:
            largest = np.linalg.svd(old, compute_uv=False)[0]
            np.testing.assert_allclose(new, old / max(1.0, largest), rtol=0.02, atol=1e-4)


# Line 9


def test_the_log_loss_of_the_generator(gca, pairs):
    contexts, partial, _, _ = per_token_samples(pairs)
    equations = Equations(gca)
    l = np.array([equations.human(x, y, equations.p(x, y)) for x, y in zip(contexts, partial, strict=True)])  # noqa: E741
    loss, (losses, judged, tokens) = GeneratorTraining(gca, 1e-3, kind="log").loss(*arrays(pairs))
    assert float(loss) == pytest.approx(-np.log(l).mean(), rel=1e-5)
    assert (float(losses), float(judged)) == pytest.approx((-np.log(l).sum(), l.sum()), rel=1e-5)
    assert float(tokens) == len(l)


LOGITS = np.float32([[0.2, 1.5, -1.0, 1.4], [2.0, 0.1, 0.3, -0.7]])


@pytest.mark.parametrize(("how", "temperature"), [("straight_through", 1.0), ("gumbel", 0.5)])
def test_a_token_is_shown_with_the_gradient_of_a_softmax(how, temperature):
    weights, logits = np.float32([[1, 2, -3, 0.5], [0, 1, 1, 4]]), tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        shown = shown_tokens(logits, how, temperature, SEED)
        total = tf.reduce_sum(weights * shown)
    moved = LOGITS.astype(np.float64)
    if how == "gumbel":
        moved = (moved + batch_gumbel(SEED, place(tf.constant(2)), [4]).numpy()) / temperature
    np.testing.assert_array_equal(shown, np.eye(4)[moved.argmax(1)])
    p = np.array([softmax(row) for row in moved])
    expected = p * (weights - (p * weights).sum(1, keepdims=True)) / temperature
    np.testing.assert_allclose(tape.gradient(total, logits), expected, rtol=1e-4, atol=1e-6)


def test_what_is_shown_without_a_seed_or_by_default():
    np.testing.assert_allclose(
        shown_tokens(tf.constant(LOGITS), "probabilities"), [softmax(row) for row in LOGITS], 1e-5
    )
    np.testing.assert_array_equal(shown_tokens(tf.constant(LOGITS), "gumbel", 0.5), np.eye(4)[LOGITS.argmax(1)])


def test_gumbel_tokens_are_drawn_from_p():
    drawn = shown_tokens(tf.constant(np.repeat(LOGITS[:1], 4000, 0)), "gumbel", 2.0, SEED).numpy()
    np.testing.assert_allclose(drawn.mean(0), softmax(LOGITS[0]), atol=0.03)


# The schedule and the presets


def test_the_author_ends_with_teacher_forcing():
    config = Config.preset("author", teacher_forcing_epochs=1, adversarial_epochs=2, discriminator_epochs=1)
    assert [(stage.line, stage.iteration, stage.epoch, stage.epochs) for stage in schedule(config)[-7:]] == [
        (6, 2, 1, 1),
        *[(9, 2, epoch, 4) for epoch in (1, 2, 3, 4)],
        (11, 2, 1, 1),
        (11, 2, 2, 2),
    ]
    assert [stage.phase for stage in schedule(config)[-2:]] == [INTERLEAVED] * 2
    assert not any(stage.iteration for stage in schedule(config.changed(adversarial_epochs=0)))


def test_the_presets_of_the_paper_and_of_the_author_differ_in_the_rates_and_contexts():
    paper, author = after_line_3("paper"), after_line_3("author")
    assert {name: (paper[name], author[name]) for name in paper if paper[name] != author[name]} == {
        "machine_contexts": ("utterances", "answer"),
        "generator_epochs": (1, 4),
        "final_epochs": (0, 1),
        "discriminator_learning_rate": (1e-4, 1e-6),
        "generator_learning_rate": (5e-5, 1e-6),
    }
    assert author["discriminator_epochs"] == author["adversarial_epochs"] == 15
    assert set(PRESETS["author"]) <= set(author)
    with pytest.raises(UserError, match="'none' is not a preset"):
        after_line_3("none")


def test_iterations_cannot_follow_the_final_epochs(tmp_path):
    before = Config.preset("tiny", adversarial_epochs=1, final_epochs=2)
    stages, run = schedule(before), GCARun(tmp_path)

    def refuse(position, step):
        facts = {"position": position, "step": step, "history": [{"phase": "teacher_forcing"}] * 2}
        run.refuse_totals(before, facts, {"adversarial_epochs": 3})

    refuse(len(stages) - 2, 0)  # the final epochs have not begun
    for position, step in ((len(stages) - 2, 1), (len(stages) - 1, 0), (len(stages), 0)):
        with pytest.raises(UserError, match=r"^--adversarial-epochs: .* has already begun its final teacher forcing"):
            refuse(position, step)


def training(**changes):
    config = Config.preset("tiny", **SMALL, **changes)
    return AdversarialTraining(config, build(config, VOCABULARY), random_pairs(20), random_pairs(10))


def test_settings_reach_the_learners(gca):
    of_line_6 = {"label_smoothing": 0.1, "instance_noise": 0.2, "spectral_normalisation": "on"}
    of_line_9 = {"generator_loss": "log", "generator_tokens": "gumbel", "gumbel_temperature": 0.5}
    learners = Learners(Config.preset("tiny", **of_line_6, **of_line_9), gca, 10)
    learner = learners[DISCRIMINATOR]
    assert (learner._smoothing, learner._noise, learner._normalises) == (0.1, 0.2, True)
    learner = learners[GENERATOR]
    assert (learner._kind, learner._tokens, learner._temperature) == ("log", "gumbel", 0.5)


def test_seeds_have_their_last_utterances_only_if_contexts_are_generated():
    walk = training(machine_contexts="utterances", context_utterances=2)
    seeds, utterances = walk._contexts(walk.training, 7, seed=3)
    np.testing.assert_array_equal(utterances[:, 0], seeds)  # each pair is the first one of its conversation
    config = walk.config
    for changes in ({"self_conversation_turns": 1}, {"machine_contexts": "answer"}, {"algorithm": "reinforce"}):
        walk.config = config.changed(**changes)
        same, none = walk._contexts(walk.training, 7, seed=3)
        assert none is None
        np.testing.assert_array_equal(same, seeds)


def test_pairs_of_earlier_iterations_are_stored(pairs):
    walk, other = training(replay=0.5), training(replay=0.5)
    other.restore(*walk.state())
    assert other.earlier is None
    walk.machine, walk.earlier = (pairs, random_pairs(3)), random_pairs(5, seed=9)
    other.restore(*walk.state())
    for mine, theirs in ((other.earlier, walk.earlier), (other.machine[0], pairs)):
        for a, b in zip(mine.arrays(), theirs.arrays(), strict=True):
            np.testing.assert_array_equal(a, b)
