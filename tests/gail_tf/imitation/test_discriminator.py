import numpy as np
import pytest
import tensorflow as tf

from gail_tf.baselines.textgail import TextReader
from gail_tf.build import make_judge
from gail_tf.data.batches import take
from gail_tf.data.samples import SENTIMENTS
from gail_tf.imitation import discriminator_losses, reference
from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.models.gpt2_config import GPT2Config
from tests.factories import small_runs

GPT2 = GPT2Config(len(small_runs.tokenizer()), n_positions=32, n_embd=16, n_layer=2, n_head=2, eos_token_id=0)


def judged(rows, seed):
    """Make some expert responses whose features are drawn at random."""
    draw = np.random.default_rng(seed)
    features = draw.normal(seed, 1, (len(rows), 32)).astype(np.float32)
    sentiments = draw.uniform(-1, 1, (len(rows), SENTIMENTS)).astype(np.float32)
    batch = take(small_runs.samples().batch, rows, response_width=8)
    return JudgedResponses(batch, features, sentiments, [((f"prompt {row}",), f"response {row}") for row in rows])


def of_tokens(rows, seed):
    """Make the same responses with features for every token."""
    found = judged(rows, seed)
    features = np.random.default_rng(seed).normal(seed, 1, (len(rows), 8, 16)).astype(np.float32)
    return found._replace(features=features)


def make(**changes):
    made = make_judge(small_runs.config(discriminator_learning_rate=1e-2, **changes), GPT2, learns=True)
    draw = np.random.default_rng(4)
    for variable in made.variables:
        variable.assign(variable.numpy() + draw.normal(0, 0.1, variable.shape))
    return made


EXPERT, GENERATED = judged(np.arange(6), 0), judged(np.arange(6, 12), 1)
ALL = np.ones(6, bool)


def test_a_step_is_equation_6s_loss_and_its_gradient():
    made = make(label_smoothing=0.1)
    variables = made.variables
    with tf.GradientTape() as tape:
        logits = (made.encoder.network(each.features, each.sentiments) for each in (EXPERT, GENERATED))
        loss = discriminator_losses.binary_loss(*logits, label_smoothing=0.1)
    gradients = [tf.convert_to_tensor(each).numpy() for each in tape.gradient(loss, variables)]
    before = [variable.numpy() for variable in variables]
    figures = made.step(EXPERT, GENERATED, ALL, (0, 0))
    assert figures["loss"] == pytest.approx(float(loss), rel=1e-5)
    norm = np.sqrt(sum((each.astype(float) ** 2).sum() for each in gradients))
    assert figures["gradient_norm"] == pytest.approx(norm, rel=1e-4)
    for variable, old, gradient in zip(variables, before, gradients, strict=True):
        clear = np.abs(gradient) > 1e-3
        decay = 0.01 * old if variable.name == "kernel" else 0
        move = -1e-2 * (np.sign(gradient) + decay)
        np.testing.assert_allclose((variable.numpy() - old)[clear], move[clear], rtol=1e-2, atol=1e-5)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "changes",
    [{}, {"instance_noise": 0.3}, pytest.param({"discriminator_encoder": "trainable"}, marks=pytest.mark.thorough)],
)
def test_rows_that_fill_a_batch_up_count_for_nothing(changes):
    """A step does not depend on the contents of empty rows, which only bring the batch to its size."""
    rows = np.arange(4)
    weights = []
    for filling in (0.0, 50.0):
        made = make(**changes)
        some = [each.rows(rows, 6) for each in (EXPERT, GENERATED)]
        for each in some:
            each.features[4:] = filling
            each.sentiments[4:] = filling
        figures = made.step(*some, np.arange(6) < 4, (3, 4))
        weights.append([variable.numpy() for variable in made.variables])
        if not changes:
            fitting = make().step(*(each.rows(rows) for each in (EXPERT, GENERATED)), np.ones(4, bool), (3, 4))
            assert figures == pytest.approx(fitting, rel=1e-5)
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["contrastive", "token"])
def test_the_losses_of_the_other_discriminators(kind):
    """One loss is TextGAIL's softmax over two responses to one prompt.

    The other is Eq. 6 for every token, without sentiment.
    """
    draw = judged if kind == "contrastive" else of_tokens
    expert, generated = draw(np.arange(6), 0), draw(np.arange(6, 12), 1)
    made = make(discriminator=kind)
    logits = [made.expert_logits(each).astype(float) for each in (expert, generated)]
    if kind == "contrastive":
        loss = -np.log(np.exp(logits[0]) / (np.exp(logits[0]) + np.exp(logits[1])))[:4].mean()
    else:
        assert logits[0].shape == (6, 8)
        first, second = (
            each[:4][side.batch.response_mask[:4]] for each, side in zip(logits, (expert, generated), strict=True)
        )
        loss = np.log1p(np.exp(-first)).mean() + np.log1p(np.exp(second)).mean()
    figures = made.step(expert, generated, np.arange(6) < 4, (0, 0))
    assert figures["loss"] == pytest.approx(loss, rel=1e-4)
    for number in range(60):
        made.step(expert, generated, ALL, (0, number))
    judgement = made.judge(generated, expert)
    if kind == "contrastive":
        np.testing.assert_array_equal(judgement.given, -judgement.expert)
        scores = [made.expert_logits(each) for each in (generated, expert)]
        np.testing.assert_allclose(judgement.given, scores[0] - scores[1], rtol=1e-6)
        assert judgement.expert.min() > 1
    else:
        assert judgement.expert[expert.batch.response_mask].min() > 1
        assert judgement.given[generated.batch.response_mask].max() < -1


@pytest.mark.usefixtures("eagerly")
def test_noise_of_tokens_is_that_of_the_tokens_alone():
    """The features at padding positions have no influence on the scale of the noise."""
    losses = []
    for filling in (0.0, 90.0):
        made = make(discriminator="token", instance_noise=0.4)
        both = [of_tokens(np.arange(6), 0), of_tokens(np.arange(6, 12), 1)]
        for each in both:
            each.features[~each.batch.response_mask] = filling
        losses.append(made.step(*both, ALL, (1, 2))["loss"])
    assert losses[0] == losses[1]


@pytest.mark.usefixtures("eagerly")
def test_noise_is_by_seed():
    losses = [make(instance_noise=0.5).step(EXPERT, GENERATED, ALL, seed)["loss"] for seed in ((1, 2), (1, 2), (1, 3))]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.usefixtures("eagerly")
def test_sentiments_are_read_or_not_by_option():
    other = GENERATED._replace(sentiments=-GENERATED.sentiments)
    for option, differs in (("on", True), ("off", False)):
        made = make(sentiment=option)
        assert (made.expert_logits(other) != made.expert_logits(GENERATED)).all() == differs
        assert made.expert_logits(other).shape == (6,)


@pytest.mark.parametrize("encoder", ["frozen", pytest.param("trainable", marks=pytest.mark.thorough)])
def test_d_learns_to_tell_the_experts(encoder):
    made = make(discriminator_encoder=encoder)
    for number in range(40):
        made.step(EXPERT, GENERATED, ALL, (0, number))
    assert made.expert_logits(EXPERT).min() > 1
    assert made.expert_logits(GENERATED).max() < -1


@pytest.mark.thorough
@pytest.mark.usefixtures("eagerly")
def test_an_encoder_of_its_own_reads_tokens_and_learns():
    """The features come from the discriminator's own GPT-2 and do not depend on batches. All weights in use learn."""
    made = make(discriminator_encoder="trainable", batch_size=4)
    tokens = np.concatenate([EXPERT.batch.condition, EXPERT.batch.response], 1)
    mask = np.concatenate([EXPERT.batch.condition_mask, EXPERT.batch.response_mask], 1)
    hidden = made.encoder.language_model.hidden(tokens, mask)[:, EXPERT.batch.condition.shape[1] :]
    features = reference.response_features(hidden, EXPERT.batch.response_mask)
    np.testing.assert_allclose(made.expert_logits(EXPERT), made.encoder.network(features, EXPERT.sentiments), atol=1e-5)
    unread = EXPERT._replace(features=EXPERT.features + 9)
    np.testing.assert_array_equal(made.expert_logits(unread), made.expert_logits(EXPERT))

    before = {name: variable.numpy() for name, variable in made.encoder.language_model.weights.items()}
    made.step(EXPERT, GENERATED, ALL, (0, 0))
    assert all(
        not np.array_equal(variable, before[name]) for name, variable in made.encoder.language_model.weights.items()
    )


@pytest.mark.thorough
def test_a_roberta_reads_the_exchanges_and_learns_to_prefer_the_experts():
    settings = small_runs.config(discriminator_encoder="roberta", discriminator="contrastive", n_embd=8, dropout=0.0)
    expert = EXPERT._replace(exchanges=[(("history", f"prompt {row}"), "good and warm") for row in range(6)])
    generated = GENERATED._replace(exchanges=[(("history", f"prompt {row}"), "cold noise") for row in range(6)])
    texts = [text for spoken, answer in (*expert.exchanges, *generated.exchanges) for text in (*spoken, answer)]
    reader = TextReader.make(settings, texts)
    assert reader.network.config.max_tokens == reader.limit == 24 + 8 + 4
    made = make_judge(settings.changed(discriminator_learning_rate=1e-2), GPT2, reader, learns=True)
    spoken = ["\n".join(utterances) for utterances, _ in generated.exchanges]
    tokens, mask = reader.tokenizer.encode_pairs(spoken, ["cold noise"] * 6, reader.limit)
    np.testing.assert_allclose(made.expert_logits(generated), reader.network.scores(tokens, mask), atol=1e-6)
    blind = generated._replace(features=generated.features * 0, sentiments=generated.sentiments * 0)
    np.testing.assert_array_equal(made.expert_logits(blind), made.expert_logits(generated))
    before = [variable.numpy() for variable in made.variables]
    for number in range(60):
        figures = made.step(expert, generated, ALL, (0, number))
        if not number:
            assert figures["loss"] == pytest.approx(np.log(2), abs=0.1)
    assert figures["loss"] < 0.4
    assert all(not np.array_equal(v, old) for v, old in zip(made.variables, before, strict=True) if v.name != "bias")


@pytest.mark.thorough
@pytest.mark.parametrize("trainable", ["full", "lora"])
def test_adapters_of_d_start_as_the_reference_and_nothing_else_learns(trainable):
    """D's logits are at first those of a D that reads the reference's features; a step then moves D's weights alone."""
    changes = {"trainable": trainable, "dropout": 0.0, "mle_epochs": 0, "discriminator_learning_rate": 1e-2}
    training = small_runs.training(small_runs.config(discriminator_encoder="adapters", **changes))
    frozen = small_runs.training(small_runs.config(**changes)).judge
    policy, judge, draw = training.policy, training.judge, np.random.default_rng(4)
    if trainable == "lora":
        for variable in policy.network.adapter_weights:  # as maximum likelihood would leave them
            variable.assign(draw.normal(0, 0.1, variable.shape))
    training._fix_reference()
    head = judge.encoder.network.trainable_variables
    for variable, other in zip(head, frozen.variables, strict=True):
        variable.assign(draw.normal(0, 0.3, variable.shape))
        other.assign(variable)
    rollouts = training.collect(0.0)
    found, expected = (each.expert_logits(rollouts.given) for each in (judge, frozen))
    np.testing.assert_allclose(found, expected, atol=1e-4)

    others = [*policy.variables, *training.reference.policy.variables]
    kept, learned = ([variable.numpy() for variable in each] for each in (others, judge.variables))
    for number in range(2):  # at first B is 0, so that A has no gradient
        judge.step(rollouts.expert.rows(np.arange(8)), rollouts.given.rows(np.arange(8)), np.ones(8, bool), (0, number))
    assert len(judge.variables) == len(head) + 2 * len(policy.network.products)
    assert all(np.array_equal(variable, old) for variable, old in zip(others, kept, strict=True))
    moved = [not np.array_equal(variable, old) for variable, old in zip(judge.variables, learned, strict=True)]
    assert all(moved[len(head) :])
