import dataclasses
import json
import shutil

import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from gail_tf.imitation.discriminator_losses import contrastive_loss
from gail_tf.models.hugging_face import read_config
from gail_tf.models.roberta import Roberta, read_roberta
from gail_tf.models.roberta_config import RobertaConfig
from keras_gca.engine.learner import NOT_DECAYED, AdamWLearner
from keras_gca.engine.random import sample_seeds
from keras_gca.errors import UserError
from tests.oracles.pytorch import randomise_torch, roberta_outputs

SIZES = {
    "vocab_size": 61,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
}
CONFIG = RobertaConfig(**SIZES)
LENGTHS = np.array([12, 9, 5, 11])
MASK = np.arange(12) < LENGTHS[:, None]
TOKENS = np.where(MASK, np.random.default_rng(1).integers(2, 61, MASK.shape), 1).astype(np.int32)
POOLER = ["pooler.dense.weight", "pooler.dense.bias"]
CLASSIFIER = ["classifier.weight", "classifier.bias"]


@pytest.fixture(scope="module")
def torch_folders(tmp_path_factory):
    """Folders written by PyTorch's transformers for three tasks, with random weights."""
    import transformers

    folders = {}
    for task in ("RobertaForMultipleChoice", "RobertaModel", "RobertaForMaskedLM"):
        model = getattr(transformers, task)(transformers.RobertaConfig(**SIZES))
        randomise_torch(model)
        folders[task] = tmp_path_factory.mktemp(task)
        model.save_pretrained(folders[task])
    return folders


@pytest.fixture(scope="module")
def torch_folder(torch_folders):
    return torch_folders["RobertaForMultipleChoice"]


@pytest.fixture
def folder(torch_folder, tmp_path):
    return shutil.copytree(torch_folder, tmp_path / "model")


@pytest.fixture(scope="module")
def roberta(torch_folder):
    return read_roberta(torch_folder)[0]


def rewrite_tensors(folder, change):
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    change(tensors)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")


# The network


def test_states_are_those_of_pytorch(torch_folders):
    folder = torch_folders["RobertaModel"]
    roberta, unread = read_roberta(folder)
    assert unread == CLASSIFIER
    expected = roberta_outputs("RobertaModel", folder, TOKENS, MASK).last_hidden_state.numpy()
    hidden = roberta.hidden(TOKENS, MASK)
    assert (hidden.dtype, hidden.shape) == (tf.float32, (4, 12, 16))
    assert expected[MASK].std() > 0.5
    np.testing.assert_allclose(hidden[MASK], expected[MASK], atol=1e-4)


def test_scores_are_those_of_pytorchs_multiple_choice(torch_folder):
    roberta, unread = read_roberta(torch_folder)
    assert unread == []
    expected = roberta_outputs("RobertaForMultipleChoice", torch_folder, TOKENS, MASK).logits.numpy().ravel()
    scores = roberta.scores(TOKENS, MASK)
    assert (scores.dtype, scores.shape) == (tf.float32, (4,))
    assert expected.std() > 0.1
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_padding_changes_nothing(roberta):
    alone = [roberta.scores(TOKENS[i : i + 1, :n], MASK[i : i + 1, :n])[0] for i, n in enumerate(LENGTHS)]
    np.testing.assert_allclose(roberta.scores(TOKENS, MASK), alone, atol=1e-5)
    other = np.where(MASK, TOKENS, 7)
    np.testing.assert_array_equal(roberta.scores(other, MASK), roberta.scores(TOKENS, MASK))


def test_a_row_of_padding_alone_has_a_score(roberta):
    assert np.isfinite(roberta.scores(TOKENS, MASK & (LENGTHS > 5)[:, None])).all()


def test_compiled_by_xla_it_is_the_same(roberta):
    compiled = tf.function(roberta.scores, jit_compile=True)(tf.constant(TOKENS), tf.constant(MASK))
    np.testing.assert_allclose(compiled, roberta.scores(TOKENS, MASK), atol=1e-5)


def test_gradients_reach_all_weights(torch_folder):
    roberta, _ = read_roberta(torch_folder)
    variables = roberta.trainable_variables
    assert [id(each) for each in variables] == [id(each) for each in roberta.weights.values()]
    with tf.GradientTape() as tape:
        human, generated = tf.split(roberta.scores(TOKENS, MASK), 2)
        loss = contrastive_loss(human, generated)
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    for name, gradient in zip(roberta.weights, gradients, strict=True):
        largest = np.abs(tf.convert_to_tensor(gradient)).max()
        # A constant that is added to all scores of a softmax, or of a pair, does not change the result.
        if name == "classifier.bias" or name.endswith("key.bias"):
            assert largest < 1e-6
        else:
            assert largest > 1e-5, name


@pytest.mark.thorough
def test_it_learns_to_tell_two_kinds_of_pairs(torch_folder):
    roberta, _ = read_roberta(torch_folder, dropout=0.0)

    class Contrastive(AdamWLearner):
        def loss(self, tokens, mask):
            return contrastive_loss(*tf.split(roberta.scores(tokens, mask), 2)), {}

    learner = Contrastive(roberta.trainable_variables, 3e-3, weight_decay=0.01)
    losses = [float(learner.train_step(TOKENS, MASK).loss) for _ in range(20)]
    assert losses[-1] < 0.2 * losses[0]
    decayed = [name for name, each in roberta.weights.items() if not any(word in each.name for word in NOT_DECAYED)]
    assert decayed == [name for name in roberta.weights if name.endswith("weight") and "LayerNorm" not in name]


def test_more_tokens_than_positions_are_refused(roberta):
    assert CONFIG.max_tokens == 18
    longest = np.ones((1, 18), bool)
    assert roberta.scores(longest.astype(np.int32), longest).shape == (1,)
    with pytest.raises(ValueError, match="19 tokens are too many; RoBERTa has 18 positions"):
        roberta.scores(np.ones((1, 19), np.int32), np.ones((1, 19), bool))


def test_bfloat16_is_near(torch_folder):
    exact, near = (read_roberta(torch_folder, precision)[0] for precision in ("float32", "bfloat16"))
    assert near.scores(TOKENS, MASK).dtype == near.hidden(TOKENS, MASK).dtype == tf.float32
    assert all(variable.dtype == "float32" for variable in near.trainable_variables)
    difference = np.abs(near.scores(TOKENS, MASK) - exact.scores(TOKENS, MASK))
    assert 0 < difference.max() < 0.1
    with pytest.raises(UserError, match="float16"):
        Roberta(CONFIG, precision="float16")


def test_dropout_is_of_the_seeds_alone(torch_folder, roberta):
    seeds = sample_seeds([5, 6], tf.range(4))
    once = roberta.scores(TOKENS, MASK, seeds)
    np.testing.assert_array_equal(once, roberta.scores(TOKENS, MASK, seeds))
    np.testing.assert_allclose(once[1:3], roberta.scores(TOKENS[1:3], MASK[1:3], seeds[1:3]), atol=1e-5)
    assert np.abs(once - roberta.scores(TOKENS, MASK, sample_seeds([5, 7], tf.range(4)))).mean() > 0.01
    assert np.abs(once - roberta.scores(TOKENS, MASK)).mean() > 0.01
    without, _ = read_roberta(torch_folder, dropout=0.0)
    np.testing.assert_array_equal(without.scores(TOKENS, MASK, seeds), roberta.scores(TOKENS, MASK))


def test_initial_weights():
    wide = dataclasses.replace(CONFIG, hidden_size=64, intermediate_size=256)
    first, again, other = (Roberta(wide, seed).weights for seed in (0, 0, 1))
    for name, variable in first.items():
        np.testing.assert_array_equal(variable, again[name])
        if name.endswith("bias"):
            assert not variable.numpy().any()
        elif "LayerNorm" not in name:
            assert variable.numpy().std() == pytest.approx(0.02, rel=0.3)
            assert not np.array_equal(variable, other[name])


def test_the_size_of_roberta_base():
    """The published number of 124.6 million weights, with a pooler, follows from one block."""
    base = RobertaConfig()
    smaller = dataclasses.replace(base, vocab_size=8, max_position_embeddings=4, num_hidden_layers=1)
    counts = {name: variable.shape.num_elements() for name, variable in Roberta(smaller).weights.items()}
    block = sum(count for name, count in counts.items() if name.startswith("encoder."))
    ends = sum(counts[name] for name in (*POOLER, "embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias"))
    tables = (base.vocab_size + base.max_position_embeddings + base.type_vocab_size) * base.hidden_size
    assert (12 * block + ends + tables) / 1e6 == pytest.approx(124.6, abs=0.05)


# Its folder


def test_config_is_read_and_written(torch_folder):
    import transformers

    config = read_config(torch_folder / "config.json", RobertaConfig.from_hugging_face)
    assert config == CONFIG
    assert RobertaConfig.from_hugging_face(config.to_hugging_face()) == config
    theirs = transformers.RobertaConfig(**config.to_hugging_face())
    assert {name: getattr(theirs, name) for name in SIZES} == SIZES


def test_a_pre_trained_folder_lacks_the_head(torch_folders):
    """A folder such as roberta-base has the head of masked language modelling, but no pooler and no head for scores."""
    folder = torch_folders["RobertaForMaskedLM"]
    roberta, unread = read_roberta(folder, seed=3)
    assert unread == [*POOLER, *CLASSIFIER]
    initial = Roberta(CONFIG, seed=3).weights
    for name in unread:
        np.testing.assert_array_equal(roberta.weights[name], initial[name])
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    for name in set(roberta.weights) - set(unread):
        np.testing.assert_array_equal(roberta.weights[name], tensors[f"roberta.{name}"])


def test_bare_names_and_old_constants(roberta, folder):
    def change(tensors):
        for name in list(tensors):
            tensors[name.removeprefix("roberta.")] = tensors.pop(name)
        tensors["embeddings.position_ids"] = np.arange(20)[None]

    rewrite_tensors(folder, change)
    again, unread = read_roberta(folder)
    assert unread == []
    np.testing.assert_array_equal(again.scores(TOKENS, MASK), roberta.scores(TOKENS, MASK))


def test_shards(roberta, torch_folder, folder):
    from transformers import RobertaForMultipleChoice

    shutil.rmtree(folder)
    RobertaForMultipleChoice.from_pretrained(torch_folder).save_pretrained(folder, max_shard_size="10KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    again, unread = read_roberta(folder)
    assert unread == []
    np.testing.assert_array_equal(again.scores(TOKENS, MASK), roberta.scores(TOKENS, MASK))


ENCODER_TENSOR = "roberta.encoder.layer.1.output.dense.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop(ENCODER_TENSOR), "the tensor 'encoder.layer.1.output.dense.weight' is missing"),
        (lambda w: w.pop("roberta.pooler.dense.bias"), "the tensor 'pooler.dense.bias' is missing"),
        (
            lambda w: w.update({ENCODER_TENSOR: w[ENCODER_TENSOR].T.copy()}),
            r"model.safetensors: 'encoder.layer.1.output.dense.weight' has the shape \[24, 16\]; "
            r"config.json requires \[16, 24\]",
        ),
        (
            lambda w: w.update({"classifier.weight": np.zeros((3, 16), np.float32)}),
            r"'classifier.weight' has the shape \[3, 16\]; config.json requires \[1, 16\]",
        ),
        (
            lambda w: w.update({"classifier.out_proj.weight": np.zeros((1, 16), np.float32)}),
            "model.safetensors: 'classifier.out_proj.weight' is not a tensor of a RoBERTa with 2 blocks",
        ),
    ],
)
def test_tensors_that_do_not_fit(folder, change, message):
    rewrite_tensors(folder, change)
    with pytest.raises(UserError, match=message) as error:
        read_roberta(folder)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "config.json: model_type is 'bert'; roberta is expected"),
        ({"hidden_act": "relu"}, "config.json: hidden_act is 'relu'; only 'gelu' is supported"),
        ({"is_decoder": True}, "config.json: is_decoder is True; only False is supported"),
        ({"hidden_size": None}, "config.json: hidden_size is missing"),
        ({"layer_norm_eps": None}, "config.json: layer_norm_eps is missing"),
        ({"vocab_size": "many"}, "config.json: vocab_size is 'many'; a whole number of at least 1 is expected"),
        (
            {"hidden_dropout_prob": [0.1]},
            r"config.json: hidden_dropout_prob is \[0.1\]; a number of at least 0 and below 1",
        ),
        ({"num_attention_heads": 3}, r"config.json: hidden_size is 16; a multiple of num_attention_heads \(3\)"),
        ({"pad_token_id": 19}, "config.json: max_position_embeddings is 20; a number above pad_token_id"),
        ({"num_hidden_layers": 3}, "the tensor 'encoder.layer.2.attention.self.query.weight' is missing"),
        (
            {"num_hidden_layers": 1},
            r"model.safetensors: 'encoder.layer.1.\S+' is not a tensor of a RoBERTa with 1 block$",
        ),
    ],
)
def test_a_config_that_does_not_fit(folder, changes, message):
    values = json.loads((folder / "config.json").read_text()) | changes
    values = {name: value for name, value in values.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=message) as error:
        read_roberta(folder)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


def test_damaged_and_missing_files(folder):
    (folder / "model.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"model.safetensors: the file cannot be read as safetensors"):
        read_roberta(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config.json: the file is damaged; valid JSON is expected"):
        read_roberta(folder)
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match=r"config.json: cannot be read"):
        read_roberta(folder)
