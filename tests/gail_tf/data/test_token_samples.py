"""Token files hold the samples that a training in memory encodes, in any layout and in any number of shards."""

from types import SimpleNamespace

import numpy as np
import pytest

from gail_tf.config import GAILConfig
from gail_tf.data import division, preparation
from gail_tf.data.batches import take
from gail_tf.data.dataset import Data, encoded
from gail_tf.data.division import NO_PART, divide
from gail_tf.data.preparation import Model, fractions
from gail_tf.data.samples import control_tokens
from gail_tf.data.token_data import TokenData
from gail_tf.data.token_shard import TEST, TRAIN, VALIDATION
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import FRACTIONS, place_of, read_trajectories, split
from gail_tf.imitation.likelihood_phases import LikelihoodPhases, Phase
from gail_tf.imitation.phases import MAXIMUM_LIKELIHOOD
from keras_gca.data.conversations import read_conversations
from keras_gca.engine import chunking
from tests.factories import chat_tokenizers
from tests.factories.prepared import folder_of, write_corpora
from tests.factories.trajectories import made_up

# The widest conditions of the corpus have more tokens than these limits, and its longest prompt does not fit alone.
LIMITS = {"condition_tokens": 30, "response_tokens": 9, "n_positions": 64}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    return write_corpora(tmp_path_factory.mktemp("corpora"))


@pytest.fixture(scope="module")
def many_shards(corpora, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunking, "CHUNK_UTTERANCES", 20)
        patch.setattr(preparation, "SHARD_UTTERANCES", 30)
        return folder_of(corpora, tmp_path_factory.mktemp("tokens") / "many")


def in_memory(corpora, config):
    parts = split(read_trajectories(corpora["data"], corpora["tweets"], config.data.turns), config.seed)
    general = tuple(each.utterances for each in read_conversations(corpora["general"][0]))
    return Data(parts.train, parts.test, parts.validation, general)


def of(trajectory):
    """Return the content of a trajectory; conversations have other numbers in token files, which leave some out."""
    return (
        trajectory.history,
        trajectory.prompt,
        trajectory.response,
        trajectory.emotion,
        trajectory.source,
        trajectory.turn,
    )


def assert_equal(one, other):
    for array, another in zip(one, other, strict=True):
        np.testing.assert_array_equal(array, another)
        assert array.dtype == another.dtype


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"layout": "plain", "sentiment": "off"},
        {"layout": "chatml", "sentiment": "off", "turns": "staggered", "condition_tokens": 44},
        {"layout": "llama3", "turns": "staggered", "sentiment_history": "on", "condition_tokens": 40},
        {"layout": "plain", "sentiment_history": "on"},
    ],
)
def test_token_files_hold_the_samples_and_the_text_of_a_run_in_memory(corpora, tmp_path, changes):
    config = GAILConfig.preset("tiny", **LIMITS | changes)
    fixed = {name: value for name, value in changes.items() if name in ("layout", "turns", "sentiment_history")}
    folder = folder_of(corpora, tmp_path / "out", **fixed)
    stored, memory = TokenData.of(folder, config, pretrains=True), in_memory(corpora, config)
    for part in ("train", "test", "validation"):
        assert list(map(of, getattr(stored, part))) == list(map(of, getattr(memory, part)))
    assert list(stored.general) == list(memory.general)
    assert stored.training_text == memory.training_text
    tokenizer = folder.tokenizer
    samples, expected = stored.samples(tokenizer, config, None), encoded(tokenizer, memory.train, config, None)
    assert expected.batch.condition.shape[1] == config.data.condition_tokens
    text, expected_text = (data.running_text(tokenizer, 17) for data in (stored, memory))
    for rows, batch in ((samples.batch, expected.batch), (text, expected_text)):
        assert rows.rows == batch.rows > 50
        for seed in (0, 2**31 - 1):
            plans = rows.plan(8, seed), batch.plan(8, seed)
            assert len(plans[0]) == len(plans[1])
            for one, other in zip(*plans, strict=True):
                np.testing.assert_array_equal(one, other)
                assert_equal(rows.taken(one, 8), take(batch, one, 8))
    chosen = np.random.default_rng(0).permutation(len(samples))[:40]
    one, other = samples.at(chosen), expected.at(chosen)
    assert_equal(one.batch, other.batch)
    assert_equal([one.sentiments, one.response_sentiments], [other.sentiments, other.response_sentiments])
    assert one.response_texts == other.response_texts
    assert list(map(of, one.trajectories)) == list(map(of, other.trajectories))


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("smollm2", {}),
        ("qwen2", {"sentiment": "off", "turns": "staggered"}),
        ("llama3", {"layout": "plain", "sentiment_history": "on"}),
        ("llama3", {"sentiment": "off"}),
    ],
)
def test_a_models_tokenizer_encodes_the_samples_of_a_run_in_memory(corpora, tmp_path, family, changes):
    limits = {"condition_tokens": 60, "response_tokens": 20, "n_positions": 99}
    config = GAILConfig.preset("tiny", **limits | changes)
    memory = in_memory(corpora, config)
    model = chat_tokenizers.write(tmp_path / "model", family, [each.response for each in memory.train])
    fixed = {name: value for name, value in changes.items() if name != "sentiment"}
    folder = folder_of(corpora, tmp_path / "out", Model("some/model", model), **fixed)
    tokenizer = Tokenizer.read(model, control_tokens(config.data), config.data.layout)
    assert tokenizer.encodes_like(folder.tokenizer)
    expected = encoded(tokenizer, memory.train, config, None)
    samples = TokenData.of(folder, config, pretrains=False).samples(tokenizer, config, None)
    assert_equal(samples.taken(range(len(samples))), take(expected.batch, range(len(expected))))
    assert samples.at(np.arange(9)).response_texts == expected.response_texts[:9]
    for one, other in zip(samples.plan(8, 1), expected.batch.plan(8, 1), strict=True):
        np.testing.assert_array_equal(one, other)


def test_many_shards_hold_the_samples_of_one(corpora, many_shards, tmp_path):
    folder, config = folder_of(corpora, tmp_path / "one"), GAILConfig.preset("tiny")
    assert (len(folder.shards), len(many_shards.shards) > 5) == (1, True)
    both = [TokenData.of(each, config, pretrains=True) for each in (folder, many_shards)]
    one, many = (data.samples(None, config, None) for data in both)
    assert list(both[0].train) == list(both[1].train)
    assert both[0].test == both[1].test
    assert (both[0].training_text, list(both[0].general)) == (both[1].training_text, list(both[1].general))
    texts = [data.running_text(None, 17) for data in both]
    for rows, others in ((one, many), texts):
        assert_equal(rows.taken(range(rows.rows)), others.taken(range(others.rows)))
        epoch = others.plan(8, 3)
        batches = list(epoch)
        assert sorted(np.concatenate(batches).tolist()) == list(range(rows.rows))
        for step in (len(epoch) - 1, 0, len(epoch) // 2):  # each in a new plan, as after an interruption
            np.testing.assert_array_equal(others.plan(8, 3)[step], batches[step])


def test_the_learning_rate_falls_over_all_steps_of_an_epoch(many_shards):
    """The last batch of each shard may be smaller than the others, so that an epoch has more steps than rows / size."""
    config = GAILConfig.preset("default", batch_size=4, learning_rate_schedule="linear")
    samples = TokenData.of(many_shards, config, pretrains=False).samples(None, config, None)
    phases = SimpleNamespace(config=config, _phases={MAXIMUM_LIKELIHOOD: Phase(None, samples, 1e-3, 3)})
    total = LikelihoodPhases.total_steps(phases, MAXIMUM_LIKELIHOOD)
    assert total == 3 * len(samples.plan(4, seed=5)) > 3 * -(-samples.rows // 4)


def test_text_and_costs_come_from_evenly_spread_samples(many_shards, monkeypatch):
    from gail_tf.data import token_data, token_samples

    config = GAILConfig.preset("tiny")
    monkeypatch.setattr(token_data, "MOST_TEXT", 60)
    monkeypatch.setattr(token_data, "MOST_HELD_OUT", 5)
    monkeypatch.setattr(token_samples, "SAMPLE", 7)
    data = TokenData.of(many_shards, config, pretrains=True)
    total = sum(facts.utterances for facts in many_shards.shards)
    conversations = len(list(data._conversations((0, TRAIN))))
    assert len(data.training_text) == int(conversations * 60 / total)
    assert (len(data.test), len(data.validation)) == (5, 5)
    assert data.samples(None, config, None).some().rows == data.running_text(None, 17).some().rows == 7


# The division into three splits


@pytest.mark.parametrize("bins", [2, 2**16])
@pytest.mark.parametrize("seed", range(4))
def test_the_division_in_bounded_memory_is_that_of_split(seed, bins, monkeypatch):
    monkeypatch.setattr(division, "BINS", bins)
    monkeypatch.setattr(division, "_SHIFT", np.uint64(65 - bins.bit_length()))
    trajectories = made_up(150, seed)
    expected = split(trajectories, seed)
    firsts = [each for each in trajectories if each.turn == 1]
    places = np.array(
        [int.from_bytes(place_of((each.prompt, each.response), seed)[:8], "big") for each in firsts], np.uint64
    )
    found = divide(lambda: np.array_split(places, 7), FRACTIONS).parts(np.full(len(places), NO_PART), places)
    for part, name in ((TRAIN, "train"), (TEST, "test"), (VALIDATION, "validation")):
        conversations = {each.conversation for each in getattr(expected, name)}
        assert {each.conversation for each, one in zip(firsts, found, strict=True) if one == part} == conversations


def test_the_splits_test_and_validation_do_not_grow_with_the_corpora(corpora, tmp_path, monkeypatch):
    assert fractions(40_000) == FRACTIONS
    assert fractions(1_000_000) == pytest.approx((0.98, 0.01, 0.01))
    monkeypatch.setattr(preparation, "MOST_HELD_OUT", 12)
    folder = folder_of(corpora, tmp_path / "out")
    assert 1 <= folder.count(TEST) < 25
    assert 1 <= folder.count(VALIDATION) < 25
