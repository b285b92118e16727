import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.original_method import per_token_samples
from keras_gca.config import Config
from keras_gca.data.batches import plan_batches, take_batch
from keras_gca.data.dataset import Dataset
from keras_gca.data.vocabulary import BOS, EOS, PAD
from keras_gca.engine.learner import add_up
from keras_gca.engine.random import batch_dropout
from keras_gca.errors import UserError
from keras_gca.models import likelihood, lstm
from keras_gca.models.decoding import Decoder
from keras_gca.models.forward import SITES, PrefixGenerator
from keras_gca.models.likelihood import Evaluator, metrics
from keras_gca.models.networks import GREEN, WHITE, YELLOW, build
from keras_gca.training.adversarial import AdversarialTraining
from keras_gca.training.discriminator import HUMAN, MACHINE, DiscriminatorTraining
from keras_gca.training.generator import GeneratorTraining
from keras_gca.training.learner import WeightAverage
from keras_gca.training.run_folder import GCARun
from keras_gca.training.schedule import (
    DISCRIMINATOR,
    GENERATOR,
    INTERLEAVED,
    LINES,
    SELF_CONVERSATION,
    TEACHER_FORCING,
    schedule,
)
from keras_gca.training.self_conversation import choose_seeds, converse
from keras_gca.training.session import GCASession
from keras_gca.training.teacher_forcing import TeacherForcing, hide_tokens, leave_tokens_out
from tests.factories.gca import LENGTH, SMALL, VOCABULARY, make_agent, random_pairs
from tests.oracles.equations import Equations


def small(**changes):
    return Config.preset("tiny", **SMALL | {"machine_pairs": 20, "hidden_dropout": 0.2} | changes)


def training(config, seed=0):
    return AdversarialTraining(config, build(config, VOCABULARY), random_pairs(40, seed), random_pairs(15, seed + 1))


def snapshot(gca):
    return {layer.name: [weight.copy() for weight in layer.get_weights()] for layer in gca.adversarial.layers}


def moved(before, after):
    return {
        name for name in before if any(not np.array_equal(a, b) for a, b in zip(before[name], after[name], strict=True))
    }


def test_the_schedule_is_algorithm_2():
    config = small(
        teacher_forcing_epochs=2, adversarial_epochs=2, discriminator_epochs=3, generator_epochs=2, interleaved_epochs=1
    )
    assert [(stage.line, stage.iteration, stage.epoch) for stage in schedule(config)] == [
        (3, 0, 1),
        (3, 0, 2),
        *[(line, i, e) for i in (1, 2) for line, e in [(5, 1), (6, 1), (6, 2), (6, 3), (9, 1), (9, 2), (11, 1)]],
    ]


@pytest.mark.thorough
def test_every_step_is_traced_once_and_for_all():
    walk = training(small(teacher_forcing_epochs=2, adversarial_epochs=2))
    inner = (lstm._forward, lstm._backward)
    counts = []
    for event in walk:
        if event.row is not None and event.stage.phase == INTERLEAVED:
            counts.append([function.experimental_get_tracing_count() for function in inner])
    assert counts[0] == counts[1]
    for learner in walk.learners.values():
        assert learner.train_step.traces == 1


def test_bfloat16_products_give_nearly_the_same_losses_and_gradients(gca, pairs):
    variables = [variable.value for variable in gca.variables(*WHITE, *YELLOW)]
    found = {}
    for precision in ("float32", "bfloat16"):
        generator = PrefixGenerator.of(gca, precision)
        with tf.GradientTape() as tape:
            losses = likelihood.negative_log_likelihoods(generator, pairs.contexts, pairs.answers)
            loss = tf.reduce_mean(losses)
        gradients = [tf.reshape(tf.convert_to_tensor(g), [-1]) for g in tape.gradient(loss, variables)]
        found[precision] = loss.numpy(), tf.concat(gradients, 0).numpy()
    (loss, gradient), (rounded, rounded_gradient) = found["float32"], found["bfloat16"]
    assert rounded != loss
    assert rounded == pytest.approx(loss, rel=0.01)
    cosine = gradient @ rounded_gradient / np.linalg.norm(gradient) / np.linalg.norm(rounded_gradient)
    assert cosine > 0.999


class Walked:
    """A whole training run: its events, and for each stage the layers that it moved and those that were trainable."""

    def __init__(self, config):
        self.training = walk = training(config)
        self.events, self.moved, self.trainable = [], [], []
        before = snapshot(walk.gca)
        for event in walk:
            self.events.append(event)
            if event.row is not None:
                after = snapshot(walk.gca)
                self.moved.append((event.stage.phase, moved(before, after)))
                layers = walk.gca.adversarial.layers
                self.trainable.append({layer.name for layer in layers if layer.weights and layer.trainable})
                before = after


@pytest.fixture(scope="module")
def walked():
    return Walked(small(teacher_forcing_epochs=2, adversarial_epochs=2))


def test_each_line_moves_its_own_blocks_and_no_other(walked):
    expected = {
        TEACHER_FORCING: {*WHITE, *YELLOW},
        SELF_CONVERSATION: set(),
        DISCRIMINATOR: set(GREEN),
        GENERATOR: set(YELLOW),
        INTERLEAVED: set(YELLOW),
    }
    assert {phase for phase, _ in walked.moved} == expected.keys()
    for (phase, layers), trainable in zip(walked.moved, walked.trainable, strict=True):
        assert layers == expected[phase], phase
        if phase != SELF_CONVERSATION:
            assert trainable == layers, phase


@pytest.mark.thorough
def test_steps_are_traced_once(walked):
    for learner in walked.training.learners.values():
        assert learner.train_step.traces == 1, type(learner)


def test_the_log_has_a_row_for_each_stage_with_held_out_figures_of_both_classes(walked):
    walk, events = walked.training, walked.events
    assert [row["phase"] for row in walk.history] == [stage.phase for stage in walk.stages]
    assert sum(event.row is not None for event in events) == len(walk.stages)
    by_phase = {row["phase"]: row for row in walk.history}
    for phase in (TEACHER_FORCING, GENERATOR, INTERLEAVED):
        assert by_phase[phase]["val_perplexity"] > 1
    for key in ("val_accuracy_human", "val_accuracy_machine"):
        assert 0 <= by_phase[DISCRIMINATOR][key] <= 1
    assert 0 <= by_phase[GENERATOR]["val_judged_human"] <= 1
    assert 0 < by_phase[SELF_CONVERSATION]["distinct_answers"] <= 1
    assert walk.finished
    assert list(walk) == []


def test_teacher_forcing_losses_by_the_equations(gca, pairs):
    contexts, partial, targets, _ = per_token_samples(pairs)
    equations = Equations(gca)
    p = [equations.p(x, y)[token] for x, y, token in zip(contexts, partial, targets, strict=True)]
    evaluator = Evaluator(gca)
    sums = evaluator.evaluate(pairs.contexts, pairs.answers)
    assert float(sums[0]) == pytest.approx(-np.log(p).sum(), rel=1e-5)
    assert int(sums[1]) == len(targets) == pairs.tokens
    assert evaluator.perplexity(pairs, batch_size=7) == pytest.approx(np.exp(-np.log(p).mean()), rel=1e-5)


def test_discriminator_sums_by_the_equations(gca, pairs):
    labels = np.float32([HUMAN, MACHINE] * (len(pairs) // 2))
    contexts, partial, targets, owner = per_token_samples(pairs)
    equations = Equations(gca)
    one_hot = np.eye(VOCABULARY)[targets]
    judged = np.array([equations.human(x, y, t) for x, y, t in zip(contexts, partial, one_hot, strict=True)])
    human = labels[owner] == HUMAN
    expected = [
        -np.log(judged[human]).sum() - np.log(1 - judged[~human]).sum(),
        human.sum(),
        (judged[human] >= 0.5).sum(),
        (~human).sum(),
        (judged[~human] < 0.5).sum(),
    ]
    learner = DiscriminatorTraining(gca, 1e-3)
    sums = learner.test_step(pairs.contexts, pairs.answers, labels)
    np.testing.assert_allclose([float(value) for value in sums], expected, rtol=1e-5)
    found = DiscriminatorTraining.metrics(np.array(expected))
    assert found["accuracy_human"] == pytest.approx((judged[human] >= 0.5).mean())
    assert found["accuracy_machine"] == pytest.approx((judged[~human] < 0.5).mean())


def test_generator_sums_by_the_equations(gca, pairs):
    contexts, partial, _, _ = per_token_samples(pairs)
    equations = Equations(gca)
    judged = np.array([equations.human(x, y, equations.p(x, y)) for x, y in zip(contexts, partial, strict=True)])
    learner = GeneratorTraining(gca, 1e-3)
    sums = [float(value) for value in learner.test_step(pairs.contexts, pairs.answers)]
    np.testing.assert_allclose(sums, [((1 - judged) ** 2).sum(), judged.sum(), len(judged)], rtol=1e-5)


def test_generator_steps_make_the_discriminator_call_its_tokens_human(gca, pairs):
    learner = GeneratorTraining(gca, 0.05)
    losses = [
        learner.metrics(add_up([learner.train_step(pairs.contexts, pairs.answers).sums]))["judged_human"]
        for _ in range(30)
    ]
    assert losses[-1] > losses[0] + 0.1


def test_a_discriminator_learns_to_tell_what_can_be_told(gca):
    human, machine = random_pairs(24, seed=1), random_pairs(24, seed=2)
    swapped = machine.answers.copy()
    swapped[swapped > 20] = 5  # machine answers use fewer words
    contexts = np.concatenate([human.contexts, machine.contexts])
    answers = np.concatenate([human.answers, swapped])
    labels = np.float32([HUMAN] * 24 + [MACHINE] * 24)
    learner = DiscriminatorTraining(gca, 0.03)
    for _ in range(60):
        found = learner.metrics(add_up([learner.train_step(contexts, answers, labels).sums]))
    assert found["accuracy_human"] > 0.75
    assert found["accuracy_machine"] > 0.75


def test_teacher_forcing_learns_by_heart(gca, pairs):
    learner = TeacherForcing(gca, (*WHITE, *YELLOW), 0.02)
    for number in range(150):
        sums = learner.train_step(pairs.contexts, pairs.answers, tf.constant([0, number])).sums
    assert metrics(add_up([sums]))["loss"] < 0.3


def test_tokens_that_are_left_out_of_a_context_close_up():
    contexts = np.zeros((400, LENGTH), np.int32)
    for i, row in enumerate(contexts):
        row[LENGTH - i % (LENGTH + 1) :] = np.arange(5, i % (LENGTH + 1) + 5)  # 5, 6, 7 ... padded on the left
    shortened = leave_tokens_out(tf.constant(contexts), 0.25, tf.constant([1, 2])).numpy()
    assert shortened.shape == contexts.shape
    left = 0
    for row, before in zip(shortened, contexts, strict=True):
        tokens = row[row != PAD]
        left += len(tokens)
        assert (row[: LENGTH - len(tokens)] == PAD).all()
        assert (np.diff(tokens) > 0).all()  # in their order
        assert set(tokens) <= set(before)
    assert left / np.count_nonzero(contexts) == pytest.approx(0.75, abs=0.03)


def test_a_context_dropout_reaches_the_loss(gca, pairs):
    def loss(contexts, **dropout):
        seed = tf.constant([0, 1])
        return float(TeacherForcing(gca, YELLOW, 0.01, **dropout).loss(tf.constant(contexts), pairs.answers, seed)[0])

    seed = tf.random.experimental.stateless_fold_in(tf.constant([0, 1]), len(SITES))
    shortened = leave_tokens_out(tf.constant(pairs.contexts), 0.4, seed).numpy()
    assert loss(pairs.contexts, context_dropout=0.4) == pytest.approx(loss(shortened))
    assert loss(pairs.contexts, context_dropout=0.4) != pytest.approx(loss(pairs.contexts), rel=1e-4)


def test_hidden_tokens_are_whole_vectors_and_not_scaled():
    vectors = np.random.default_rng(0).normal(size=(200, 9, 4)).astype(np.float32)
    hidden = hide_tokens(tf.constant(vectors), 0.3, tf.constant([3, 4])).numpy()
    is_zero = (hidden == 0).all(axis=2)
    np.testing.assert_array_equal(hidden[~is_zero], vectors[~is_zero])
    assert is_zero.mean() == pytest.approx(0.3, abs=0.04)


def test_an_answer_dropout_hides_tokens_of_partial_answers_alone(gca, pairs):
    seed = tf.constant([0, 1])
    learner = TeacherForcing(gca, YELLOW, 0.01, answer_dropout=0.4)
    drawn = tf.random.experimental.stateless_fold_in(seed, len(SITES) + 1)

    def hide(site, values):
        return hide_tokens(values, 0.4, drawn) if site == "E_a" else values

    losses = [
        tf.reduce_mean(likelihood.negative_log_likelihoods(learner.generator, pairs.contexts, pairs.answers, *dropout))
        for dropout in ((hide,), ())
    ]
    assert float(learner.loss(pairs.contexts, pairs.answers, seed)[0]) == pytest.approx(float(losses[0]))
    assert float(losses[0]) != pytest.approx(float(losses[1]), rel=1e-4)


def test_one_adam_step_equals_its_definition(gca, pairs):
    """By Kingma and Ba's Algorithm 1, the first step moves every weight by nearly rate * sign(gradient)."""
    before = snapshot(gca)
    learner = TeacherForcing(gca, YELLOW, 0.01)
    learner.train_step(pairs.contexts, pairs.answers, tf.constant([0, 0]))
    for name in YELLOW:
        steps = np.abs(gca.layer(name).get_weights()[0] - before[name][0])
        assert steps.max() == pytest.approx(0.01, rel=1e-3)


def test_padding_rows_of_a_batch_count_for_nothing(gca, pairs):
    evaluator = Evaluator(gca)
    alone = evaluator.evaluate(pairs.contexts, pairs.answers)
    padded = evaluator.evaluate(*take_batch(pairs, np.arange(len(pairs)), len(pairs) + 9))
    np.testing.assert_allclose([float(v) for v in alone], [float(v) for v in padded], rtol=1e-6)


def test_dropout_scales_and_repeats_by_seed():
    values = tf.ones((200, 200))
    dropped = batch_dropout(values, 0.3, tf.constant([1, 2])).numpy()
    assert (dropped == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(dropped, batch_dropout(values, 0.3, tf.constant([1, 2])))
    assert (dropped != batch_dropout(values, 0.3, tf.constant([1, 3])).numpy()).any()
    assert batch_dropout(values, 0.0, tf.constant([1, 2])) is values


def test_self_conversation_by_greedy_decoding_one_at_a_time(gca):
    seeds = random_pairs(9).contexts
    decoder = Decoder(gca)
    for turns in (1, 2, 3):
        parts = list(converse(decoder, seeds, turns, batch_size=4))
        assert [done for done, _ in parts] == [4, 8, 9]
        found = {}
        for _, pairs in parts:
            for context, answer, owner in zip(*pairs.arrays(), strict=True):
                found.setdefault(int(owner), []).append((context.tolist(), answer.tolist()))
        for i, seed in enumerate(seeds):
            x, expected = seed, []
            for turn in range(turns):
                answer = decoder.greedy(x[None]).answers[0]
                if turn or turns == 1:
                    expected.append((x.tolist(), answer.tolist()))
                words = [t for t in answer if t not in (PAD, BOS, EOS)]
                x = np.array([PAD] * (LENGTH - len(words)) + words, np.int32)
            assert found[i] == expected


def test_the_pairs_of_line_5_can_be_read_between_two_stages():
    walk = training(small(teacher_forcing_epochs=1))
    for event in walk:
        if event.stage.phase == TEACHER_FORCING:
            assert walk.machine is None
        elif event.row is not None:
            break
    assert event.stage.phase == SELF_CONVERSATION
    for machine, source in zip(walk.machine, (walk.training, walk.validation), strict=True):
        assert len(machine) == min(len(source), walk.config.machine_pairs)
        assert np.array_equal(Decoder(walk.gca).greedy(machine.contexts).answers, machine.answers)


def test_seeds_are_spread_evenly():
    pairs = random_pairs(10)
    seeds = choose_seeds(pairs, 25, seed=0)
    assert len(seeds) == 25
    known = [row.tolist() for row in pairs.contexts]
    counts = [sum(seed.tolist() == row for seed in seeds) for row in known]
    assert set(counts) <= {2, 3}
    assert len(choose_seeds(pairs, 3, seed=0)) == 3


def test_patience_returns_to_the_best_epoch():
    walk = training(
        small(teacher_forcing_epochs=30, patience=2, teacher_forcing_learning_rate=0.05, adversarial_epochs=0)
    )
    kept = {}
    for event in walk:
        if event.row is not None and walk.phase == TEACHER_FORCING:
            kept[event.row["val_perplexity"]] = snapshot(walk.gca)
    perplexities = [row["val_perplexity"] for row in walk.history]
    assert len(perplexities) < 30
    assert perplexities.index(min(perplexities)) == len(perplexities) - 3
    assert walk.teacher_forced_perplexity == min(perplexities)
    assert not moved(kept[min(perplexities)], snapshot(walk.gca))


@pytest.mark.parametrize("epochs", [1, 3, 13])
def test_the_running_average_of_the_weights_is_what_line_3_ends_with(epochs):
    """The expected average is computed in float64: a weighted mean of the weights after each step.

    The coefficients are smaller by the factor m for each earlier step, and their sum is 1.
    """
    config = small(teacher_forcing_epochs=epochs, average_epochs=1.25, adversarial_epochs=0)  # 10 steps: m is 0.9
    walk = training(config)
    variables = walk.gca.variables(*WHITE, *YELLOW)
    steps = []
    for event in walk:
        if event.row is None:
            steps.append([variable.numpy() for variable in variables])
    assert len(steps) == 8 * epochs
    coefficients = 0.9 ** np.arange(len(steps))[::-1]
    for ours, kept, live in zip(zip(*steps, strict=True), walk.teacher_forced, variables, strict=True):
        expected = np.average(np.stack(ours).astype(float), axis=0, weights=coefficients)
        np.testing.assert_allclose(kept, expected, atol=1e-6)
        np.testing.assert_array_equal(kept, live)
    assert walk.teacher_forced_perplexity == Evaluator(walk.gca).perplexity(walk.validation, config.batch_size)


def test_samples_of_line_3_are_those_of_the_averaged_weights(tmp_path, monkeypatch):
    agent = make_agent()
    config = agent.config.changed(average_epochs=1.25, teacher_forcing_epochs=2, adversarial_epochs=0)
    pairs = random_pairs(24, vocabulary=len(agent.vocabulary), length=agent.longest)
    data = Dataset(agent.vocabulary, pairs, pairs, [], True)
    session = GCASession.of(GCARun.create(tmp_path / "run", config, data, {}), config, data)
    training, sampled = session.training, []
    variables = training.gca.variables(*WHITE, *YELLOW)
    monkeypatch.setattr(
        GCARun, "write_samples", lambda run, name, exchanges: sampled.append([each.numpy() for each in variables])
    )
    for event in training:
        if event.row is not None:
            before = [variable.numpy() for variable in variables]
            session.end_of_stage(event)
            for kept, used in zip(training.teacher_forced, sampled[-1], strict=True):
                np.testing.assert_array_equal(kept, used)
            for then, now in zip(before, variables, strict=True):
                np.testing.assert_array_equal(then, now)
    assert len(sampled) == 2
    assert not np.array_equal(sampled[0][-1], sampled[1][-1])


def test_weights_that_do_not_move_are_their_own_average():
    """If weights do not move, their average equals them after any number of steps, with any window.

    An average that starts at zero must be corrected.
    """
    variable = keras.Variable(np.float32([[3.0, -2.0], [0.5, 0.0]]))
    average = WeightAverage([variable], momentum=0.999)
    for step in range(1, 6):
        average.update([variable])
        np.testing.assert_allclose(average.values(step)[0], variable.numpy(), rtol=1e-5)


def test_a_state_of_a_version_that_averaged_wrongly_is_refused():
    walk = training(small(average_epochs=1.25, adversarial_epochs=0))
    next(iter(walk))
    facts, arrays = walk.state()
    old = {name: array for name, array in arrays.items() if not name.startswith("average/")}
    with pytest.raises(
        UserError, match="because an older version of the program averaged the weights wrongly in line 3"
    ):
        training(walk.config).restore(facts, old)


def test_the_line_about_such_a_run_is_not_buried_in_another(tmp_path):
    """The checkpoint belongs to this run, so that `Session.restore` prints nothing else."""
    agent = make_agent()
    config = agent.config.changed(average_epochs=1.25)
    pairs = random_pairs(12, vocabulary=len(agent.vocabulary), length=agent.longest)
    data = Dataset(agent.vocabulary, pairs, pairs, [], True)
    run = GCARun.create(tmp_path / "run", config, data, {})
    session = GCASession.of(run, config, data)
    next(iter(session.training))
    facts, arrays = session.training.state()
    old = {name: array for name, array in arrays.items() if not name.startswith("average/")}
    with pytest.raises(UserError, match=r"^this run cannot be resumed, because an older version of the program"):
        GCASession.of(run, config, data).restore(facts, old, "epochs")


def test_without_patience_the_last_epoch_goes_on():
    walk = training(small(teacher_forcing_epochs=4, teacher_forcing_learning_rate=0.3, adversarial_epochs=0))
    for _ in walk:
        pass
    assert walk.teacher_forced_perplexity == walk.history[-1]["val_perplexity"]


def test_the_learning_rate_decays_by_epoch():
    walk = training(small(teacher_forcing_epochs=3, learning_rate_decay=0.5, adversarial_epochs=0))
    rates = set()
    for event in walk:
        if event.row is None:
            rates.add((event.stage.epoch, round(float(walk.learners[TEACHER_FORCING].optimizer.learning_rate), 6)))
    assert rates == {(1, 0.01), (2, 0.005), (3, 0.0025)}


@pytest.mark.thorough
def test_h_is_not_larger_than_m_in_the_discriminators_epochs():
    walk = training(small(machine_pairs=8, teacher_forcing_epochs=1, discriminator_epochs=1))
    steps = next(event.steps for event in walk if event.stage.phase == DISCRIMINATOR)
    assert steps == len(plan_batches(random_pairs(16), 6))


@pytest.mark.thorough
@pytest.mark.parametrize("changes", [{"algorithm": "reinforce"}, {"discriminator_hidden_size": 5}])
def test_other_ways_move_the_same_blocks(changes):
    walk = training(small(adversarial_epochs=1, **changes))
    before, found = snapshot(walk.gca), {}
    for event in walk:
        if event.row is not None:
            after = snapshot(walk.gca)
            found[event.stage.phase] = moved(before, after)
            before = after
    assert found[DISCRIMINATOR] == set(walk.gca.green)
    assert found[GENERATOR] == found[INTERLEAVED] == set(YELLOW)
    assert 0 <= walk.history[-2]["val_judged_human"] <= 1


@pytest.mark.thorough
def test_reinforce_draws_its_answers_to_human_contexts():
    walk = training(small(algorithm="reinforce", adversarial_epochs=1))
    for event in walk:
        if event.stage.phase == SELF_CONVERSATION and event.row is not None:
            break
    machine, held_out = walk.machine
    known = {row.tobytes() for row in walk.training.contexts}
    assert {row.tobytes() for row in machine.contexts} <= known
    assert len(machine) == walk.config.machine_pairs
    greedy = walk.decoder.greedy(machine.contexts).answers
    assert (greedy != machine.answers).any()
    assert len(held_out) == len(walk.validation)


@pytest.mark.thorough
def test_a_training_may_start_where_line_3_of_another_ended():
    config = small(adversarial_epochs=1, average_epochs=0.5)
    whole = training(config)
    for _ in whole:
        pass
    other = training(config)
    other.start_from(whole.teacher_forced)
    assert other.stages_left == other.stages[config.teacher_forcing_epochs :]
    assert other.phase == SELF_CONVERSATION
    assert other.teacher_forced_perplexity == whole.teacher_forced_perplexity
    for _ in other:
        pass
    assert other.history == whole.history[config.teacher_forcing_epochs :]
    assert not moved(snapshot(whole.gca), snapshot(other.gca))


# Restoring


def weights_at_the_end(config, stop_at=None, seed=0):
    """Return the weights of a whole training run.

    After `stop_at` events the training is stored, and a new object continues it.
    """
    walk = training(config, seed)
    for number, _ in enumerate(walk, start=1):
        if number == stop_at:
            facts, arrays = walk.state()
            facts = eval(repr(facts))  # a copy, because stored values must not change any more
            arrays = {name: array.copy() for name, array in arrays.items()}
            walk = training(config, seed)
            walk.gca.layers.bot.kernel.assign(walk.gca.layers.bot.kernel * 0 + 7)
            walk.restore(facts, arrays)
            for _ in walk:
                pass
            break
    return [*snapshot(walk.gca).values()], walk.history


def count_events(config):
    positions = {}
    for number, event in enumerate(training(config), start=1):
        positions.setdefault((event.stage.phase, event.row is None), []).append(number)
    return positions


@pytest.mark.thorough
def test_a_restored_training_ends_with_the_same_bits(walked):
    """The training is restored in the middle of D's first epoch.

    The thorough test below restores in any phase of both algorithms.
    """
    events = [(event.stage.phase, event.row is None) for event in walked.events]
    weights, history = weights_at_the_end(walked.training.config, stop_at=1 + events.index((DISCRIMINATOR, True)))
    for ours, theirs in zip(weights, snapshot(walked.training.gca).values(), strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    assert history == walked.training.history


@pytest.mark.thorough
@pytest.mark.parametrize("algorithm", ["backpropagation", "reinforce"])
def test_a_restored_training_ends_with_the_same_bits_from_any_point_of_any_phase(algorithm):
    config = small(
        algorithm=algorithm,
        adversarial_epochs=1,
        patience=1,
        average_epochs=0.5,
        teacher_forcing_epochs=2,
        discriminator_hidden_size=None if algorithm == "backpropagation" else 5,
    )
    expected, history = weights_at_the_end(config)
    random = np.random.default_rng(7)
    places = count_events(config)
    assert {phase for phase, inside in places if inside} == set(LINES)
    points = [int(random.choice(numbers)) for (_, inside), numbers in places.items() if inside]
    for point in points:
        weights, again = weights_at_the_end(config, stop_at=point)
        for ours, theirs in zip(weights, expected, strict=True):
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"restored after event {point}")
        assert again == history
