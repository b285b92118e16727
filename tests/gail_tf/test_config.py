import dataclasses
import json
import math

import pytest

from gail_tf.config import ALGORITHMS, COUNTING, PRESETS, TRAINABLE, GAILConfig
from gail_tf.data import trajectories
from gail_tf.imitation import ppo_losses, rewards
from gail_tf.imitation.failures import REMEDIES
from keras_gca.errors import UserError

TABLE_1 = {
    "sample_batch_size": 16,
    "warmup_steps": 1000,
    "human_ratio": 0.3,
    "rollouts": 128,
    "minibatch_size": 8,
    "epsilon": 0.2,
    "discriminator_steps": 200,
    "discriminator_learning_rate": 1e-4,
    "weight_decay": 0.01,
    "updates": 750,
    "batch_size": 32,
    "validation_frequency": 10,
}
TEXTGAIL = {"top_p": 0.9, "temperature": 0.9, "response_tokens": 50, "human_reward": 2.0, "ppo_epochs": 1}


def test_the_paper_preset_is_table_1_and_where_it_is_silent_textgail():
    config = GAILConfig.preset("paper")
    for name, value in (TABLE_1 | TEXTGAIL).items():
        assert getattr(config, name) == value, name
    assert config == GAILConfig()
    assert (config.objective, config.turns) == ("both", "disjoint")  # Eq. 7 and epsilon; Section 4.2


def test_the_small_presets_keep_what_makes_the_method():
    for name in ("default", "tiny"):
        config = GAILConfig.preset(name)
        for kept in ("human_ratio", "epsilon", "objective", "top_p", "temperature", "weight_decay", "reward_form"):
            assert getattr(config, kept) == getattr(GAILConfig(), kept)
    assert set(PRESETS) == {"paper", "default", "tiny"}


def test_choices_are_those_of_the_rooms_that_take_them():
    fields = {field.name: field.metadata["choices"] for field in dataclasses.fields(GAILConfig)}
    assert fields["reward_form"] == tuple(rewards.REWARD_FORMS)
    assert fields["level"] == ppo_losses.LEVELS
    assert fields["turns"] == trajectories.TURNS
    assert (fields["trainable"], fields["counting"]) == (TRAINABLE, COUNTING)


def test_every_remedy_is_a_setting():
    names = {field.name for field in dataclasses.fields(GAILConfig)}
    assert {remedy for remedies in REMEDIES.values() for remedy in remedies} <= names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rollouts": 100}, r"--rollouts: 100 where a multiple of --sample-batch-size \(16\) and of --minibatch-size"),
        ({"rollouts": 48, "minibatch_size": 32}, r"--rollouts: 48 where a multiple .* --minibatch-size \(32\)"),
        ({"n_positions": 177}, r"--n-positions: 177 where --condition-tokens and --response-tokens need 178"),
        ({"human_ratio": 1.0}, r"--human-ratio: 1.0 is out of range"),  # nothing would be generated
        ({"epsilon": math.nan}, r"--epsilon: nan is out of range"),
        ({"reward_form": "airl"}, r"--reward-form: 'airl' is not one of gail, log_expert, logit, probability"),
        ({"updates": 7.5}, r"--updates: 7.5 where int is expected"),
        ({"sentiment": True}, r"--sentiment: True where str is expected"),
        ({"algorithm": "trpo", "trainable": "lora"}, r"--trainable: lora where --algorithm trpo needs head"),
        ({"algorithm": "trpo", "value_baseline": "on"}, r"--value-baseline: a matter of PPO"),
        ({"discriminator": "token", "discriminator_encoder": "roberta"}, r"--discriminator token: RoBERTa reads whole"),
        ({"discriminator_encoder": "roberta", "instance_noise": 0.1}, r"--instance-noise: noise on features"),
        (
            {"discriminator": "token", "level": "token", "length_drift_strength": 1.0},
            r"--length-drift-strength: of rewards",
        ),
        ({"kl_stop": -0.1}, r"--kl-stop: -0.1 is out of range; at least 0"),
    ],
)
def test_what_is_impossible_is_named(changes, message):
    with pytest.raises(UserError, match=message):
        GAILConfig.preset("paper", **changes)


def test_an_algorithm_brings_its_own_settings_and_given_ones_go_before_them():
    textgail = GAILConfig.preset("tiny", algorithm="textgail")
    assert (textgail.discriminator, textgail.discriminator_encoder, textgail.objective) == (
        "contrastive",
        "roberta",
        "clip",
    )
    assert (textgail.human_reward, textgail.reward_form, textgail.sentiment) == (2.0, "probability", "off")
    assert GAILConfig.preset("tiny", algorithm="textgail", sentiment="on").sentiment == "on"
    assert GAILConfig.preset("paper", algorithm="mle").updates == 0
    trpo = GAILConfig.preset("paper", algorithm="trpo")
    assert trpo.trainable == "head"
    assert GAILConfig.from_values(json.loads(json.dumps(trpo.to_values()))) == trpo


def test_settings_survive_json():
    config = GAILConfig.preset("tiny", trainable="lora", kl_stop=None, updates=9, discriminator_encoder="trainable")
    assert GAILConfig.from_values(json.loads(json.dumps(config.to_values()))) == config


def test_settings_are_printed_as_the_call_that_makes_them():
    assert repr(GAILConfig()) == "GAILConfig()"
    config = GAILConfig.preset("tiny", algorithm="textgail", seed=2)
    assert eval(repr(config), {"GAILConfig": GAILConfig}) == config


def test_another_algorithm_brings_its_settings():
    for name in ALGORITHMS:
        changed = GAILConfig.preset("tiny").changed(algorithm=name)
        assert changed == GAILConfig.preset("tiny", algorithm=name)
    kept = GAILConfig().changed(algorithm="textgail", sentiment="on")
    assert (kept.sentiment, kept.discriminator) == ("on", "contrastive")
