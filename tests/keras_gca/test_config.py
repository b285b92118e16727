import json
import re

import pytest

from keras_gca.config import Config
from keras_gca.errors import UserError
from keras_gca.presets import PRESETS
from keras_gca.settings import check_sampling


def test_the_paper_preset_has_every_number_of_section_5():
    config = Config.preset("paper")
    assert config.context_utterances == 2  # N_u
    assert config.generator_epochs == 1  # N_G
    assert config.discriminator_epochs == 15  # N_D
    assert config.interleaved_epochs == 1  # N_tf
    assert config.machine_pairs == 7900  # N_m
    assert config.word_embedding_size == 100  # s_e
    assert config.sentence_embedding_size == 300  # s_se
    assert config.discriminator_sentence_embedding_size == 300  # s_sed
    assert config.vocabulary_size == 7000  # s_v
    assert config.sentence_length == 50  # s_s
    assert config.generator_learning_rate == 5e-5  # alpha_g
    assert config.discriminator_learning_rate == 1e-4  # alpha_d
    assert config.self_conversation_turns == 2  # "iterates twice"
    assert config.dropout == config.hidden_dropout == 0
    assert config.patience is None


def test_the_preset_large_has_the_sizes_of_the_paper():
    large, paper = Config.preset("large"), Config()
    sizes = ("context_utterances", "sentence_length", "vocabulary_size", "minimum_count", "word_embedding_size")
    sizes += ("sentence_embedding_size", "discriminator_sentence_embedding_size", "hidden_size", "machine_pairs")
    assert [getattr(large, name) for name in sizes] == [getattr(paper, name) for name in sizes]
    assert (large.batch_size, large.precision, large.patience) == (64, "bfloat16", 2)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    config = Config.preset(name)
    assert Config.from_values(json.loads(json.dumps(config.to_values()))) == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "--batch-size: 0 is out of range; at least 1 is expected"),
        ({"batch_size": 1.5}, "--batch-size: 1.5 has the wrong type; int is expected"),
        ({"batch_size": True}, "--batch-size: True has the wrong type; int is expected"),
        ({"dropout": 1.0}, "--dropout: 1.0 is out of range; from 0 to 0.95 is expected"),
        ({"dropout": float("nan")}, "--dropout: nan is out of range"),
        ({"dropout": "x"}, "--dropout: 'x' has the wrong type; a number is expected"),
        ({"batch_size": None}, "--batch-size: None has the wrong type; int is expected"),
        ({"contractions": "none"}, "--contractions: 'none' is not one of split, expanded"),
        ({"nonsense": 1}, "'nonsense' is not a setting"),
        ({"machine_contexts": "all"}, "--machine-contexts: 'all' is not one of answer, utterances"),
        ({"machine_temperature": 0}, "--machine-temperature: 0 is out of range; from 0.01 to 100 is expected"),
        ({"machine_top_p": 0.9}, "--machine-top-p has no effect on greedy answers; also give --machine-temperature"),
        ({"machine_top_p": 2}, "--machine-top-p: 2 is out of range; from 0.01 to 1 is expected"),
        ({"label_smoothing": 0.5}, "--label-smoothing: 0.5 is out of range; from 0 to 0.49 is expected"),
        ({"instance_noise": -1}, "--instance-noise: -1 is out of range; at least 0 is expected"),
        ({"spectral_normalisation": "yes"}, "--spectral-normalisation: 'yes' is not one of off, on"),
        ({"replay": 1}, "--replay: 1 is out of range; from 0 to 0.9 is expected"),
        ({"generator_tokens": "soft"}, "--generator-tokens: 'soft' is not one of probabilities, straight_through"),
        ({"gumbel_temperature": 0}, "--gumbel-temperature: 0 is out of range"),
        ({"final_epochs": -1}, "--final-epochs: -1 is out of range; at least 0 is expected"),
        (
            {"algorithm": "dialogue_rewards", "generator_tokens": "gumbel"},
            "--algorithm dialogue_rewards learns from rew",
        ),
        (
            {"algorithm": "dialogue_rewards", "predict": "context"},
            "--algorithm dialogue_rewards simulates conversations",
        ),
        ({"simulated_turns": 1}, "--simulated-turns: 1 is out of range; from 2 to 100 is expected"),
        ({"curriculum_epochs": 0}, "--curriculum-epochs: 0 is out of range; at least 1 is expected"),
        ({"information_flow_weight": -1}, "--information-flow-weight: -1 is out of range; at least 0 is expected"),
        (
            {
                "algorithm": "dialogue_rewards",
                **dict.fromkeys(
                    ("ease_of_answering_weight", "information_flow_weight", "semantic_coherence_weight"), 0
                ),
            },
            "--semantic-coherence-weight: all three are 0; at least one must be above 0",
        ),
        (
            {"generator_loss": "log", "algorithm": "reinforce"},
            "--algorithm reinforce learns from rewards; leave out these two options",
        ),
    ],
)
def test_impossible_values(changes, message):
    with pytest.raises(UserError, match=message):
        Config.preset("tiny", **changes)


def test_an_unknown_preset():
    with pytest.raises(UserError, match="'huge' is not a preset; choose from paper, author, default, large, tiny"):
        Config.preset("huge")


def test_optional_fields_may_be_absent():
    assert Config.preset("tiny", max_pairs=None, hidden_size=None, patience=3).max_pairs is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0}, "--temperature: 0; a number from 0.01 to 100 is expected"),
        ({"temperature": 100.1, "greedy": True}, "--temperature: 100.1; 0, or a number from 0.01 to 100, is expected"),
        ({"temperature": float("nan"), "name": "--temperatures"}, "--temperatures: nan; a number from 0.01 to 100"),
        ({"top_p": 0.0}, "--top-p: 0.0; a number above 0 and at most 1 is expected"),
        ({"top_p": 1.1}, "--top-p: 1.1; a number above 0"),
    ],
)
def test_impossible_sampling(arguments, message):
    with pytest.raises(UserError, match=re.escape(message)):
        check_sampling(**arguments)


def test_possible_sampling():
    for temperature in (None, 0.01, 100):
        check_sampling(temperature)
    check_sampling(0, 1e-9, greedy=True)


def test_settings_are_printed_as_the_call_that_makes_them():
    assert repr(Config()) == "Config()"
    assert repr(Config(batch_size=16, generator="canonical")) == "Config(generator='canonical', batch_size=16)"
    for name in PRESETS:
        config = Config.preset(name, patience=3)
        assert eval(repr(config), {"Config": Config}) == config


def test_settings_can_be_changed():
    config = Config.preset("tiny").changed(seed=4)
    assert config == Config.preset("tiny", seed=4)
    with pytest.raises(UserError, match="'colour' is not a setting"):
        config.changed(colour="red")
    with pytest.raises(UserError, match="--seed: -1 is out of range"):
        config.changed(seed=-1)
