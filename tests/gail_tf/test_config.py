import json
import math
import re

import pytest

from gail_tf import train
from gail_tf.config import ALGORITHMS, PRESETS, GAILConfig
from gail_tf.data import trajectories
from gail_tf.imitation import ppo_losses, rewards
from gail_tf.imitation.failures import REMEDIES
from gail_tf.setting_groups import COUNTING, TRAINABLE
from keras_gca.engine import command_line
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
    values = config.to_values()
    for name, value in (TABLE_1 | TEXTGAIL).items():
        assert values[name] == value, name
    assert config == GAILConfig()
    assert (config.ppo.objective, config.data.turns) == ("both", "disjoint")  # Eq. 7 and epsilon; Section 4.2


def test_the_small_presets_keep_what_makes_the_method():
    for name in ("default", "pretrained", "tiny"):
        config = GAILConfig.preset(name)
        for kept in ("human_ratio", "epsilon", "objective", "top_p", "temperature", "weight_decay", "reward_form"):
            assert config.to_values()[kept] == GAILConfig().to_values()[kept]
    assert set(PRESETS) == {"paper", "pretrained", "default", "tiny"}


def test_choices_are_those_of_the_rooms_that_take_them():
    fields = {field.name: field.metadata["choices"] for field in GAILConfig.options()}
    assert fields["reward_form"] == tuple(rewards.REWARD_FORMS)
    assert fields["level"] == ppo_losses.LEVELS
    assert fields["turns"] == trajectories.TURNS
    assert (fields["trainable"], fields["counting"]) == (TRAINABLE, COUNTING)


def test_every_remedy_is_a_setting():
    names = {field.name for field in GAILConfig.options()}
    assert {remedy for remedies in REMEDIES.values() for remedy in remedies} <= names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"rollouts": 100},
            r"--rollouts: 100 does not fit; a multiple of --sample-batch-size \(16\) and of --minibatch-size",
        ),
        ({"rollouts": 48, "minibatch_size": 32}, r"--rollouts: 48 does not fit; a multiple .* --minibatch-size \(32\)"),
        (
            {"n_positions": 177},
            r"--n-positions: 177 is too small; --condition-tokens and --response-tokens together need 178",
        ),
        ({"human_ratio": 1.0}, r"--human-ratio: 1.0 is out of range"),  # there would be demonstrations only
        ({"epsilon": math.nan}, r"--epsilon: nan is out of range"),
        ({"reward_form": "airl"}, r"--reward-form: 'airl' is not one of gail, log_expert, logit, probability"),
        ({"updates": 7.5}, r"--updates: 7.5 has the wrong type; int is expected"),
        ({"sentiment": True}, r"--sentiment: True has the wrong type; str is expected"),
        (
            {"algorithm": "trpo", "trainable": "lora"},
            r"--trainable: lora does not work with --algorithm trpo; use --trainable head",
        ),
        ({"algorithm": "trpo", "value_baseline": "on"}, r"--value-baseline: only PPO has a value baseline"),
        (
            {"discriminator": "token", "discriminator_encoder": "roberta"},
            r"--discriminator token: RoBERTa judges only complete",
        ),
        (
            {"discriminator_encoder": "roberta", "instance_noise": 0.1},
            r"--instance-noise: the noise is added to features",
        ),
        (
            {"discriminator": "token", "level": "token", "length_drift_strength": 1.0},
            r"--length-drift-strength: only rewards for complete responses",
        ),
        (
            {"sentiment": "off", "sentiment_history": "on"},
            r"--sentiment-history on has no effect with --sentiment off; use --sentiment on",
        ),
        (
            {"discriminator": "contrastive", "label_smoothing": 0.1},
            r"--label-smoothing: only a discriminator that tells experts' responses from the policy's has labels",
        ),
        ({"algorithm": "rl_seq2seq", "label_smoothing": 0.1}, r"--label-smoothing: only a discriminator"),
        (
            {"algorithm": "iqlearn", "instance_noise": 0.1},
            r"--instance-noise: --algorithm iqlearn has no discriminator",
        ),
        ({"listener_profile": "yes"}, r"--listener-profile: 'yes' is not one of on, off"),
        ({"kl_stop": -0.1}, r"--kl-stop: -0.1 is out of range; at least 0"),
    ],
)
def test_what_is_impossible_is_named(changes, message):
    with pytest.raises(UserError, match=message):
        GAILConfig.preset("paper", **changes)


def test_an_algorithm_brings_its_own_settings_and_given_ones_go_before_them():
    textgail = GAILConfig.preset("tiny", algorithm="textgail")
    assert (textgail.judge.discriminator, textgail.judge.discriminator_encoder) == ("contrastive", "roberta")
    assert (textgail.ppo.objective, textgail.data.sentiment) == ("clip", "off")
    assert (textgail.reward.human_reward, textgail.reward.reward_form) == (2.0, "probability")
    assert GAILConfig.preset("tiny", algorithm="textgail", sentiment="on").data.sentiment == "on"
    assert GAILConfig.preset("paper", algorithm="mle").rollout.updates == 0
    trpo = GAILConfig.preset("paper", algorithm="trpo")
    assert trpo.model.trainable == "head"
    assert GAILConfig.from_values(json.loads(json.dumps(trpo.to_values()))) == trpo


def test_settings_survive_json():
    config = GAILConfig.preset("tiny", trainable="lora", kl_stop=None, updates=9, discriminator_encoder="trainable")
    assert GAILConfig.from_values(json.loads(json.dumps(config.to_values()))) == config


def test_groups_order_the_code_alone():
    """Settings have groups only for code. Options, JSON and calls have none, and each name is in one group only."""
    config = GAILConfig.preset("tiny", rollouts=8, temperature=0.5, seed=3)
    assert (config.rollout.rollouts, config.rollout.temperature, config.seed) == (8, 0.5, 3)
    values = config.to_values()
    assert (values["rollouts"], values["temperature"], values["seed"]) == (8, 0.5, 3)
    assert config.changed(epsilon=0.3).ppo.epsilon == 0.3
    assert config.ppo.epsilon == 0.2
    names = [option.name for option in GAILConfig.options()]
    assert list(values) == names
    assert len(set(names)) == len(names)
    for misplaced in ({"ppo": 1}, {"self": 1}, {"cls": 1}):
        with pytest.raises(UserError, match="is not a setting; python -m gail_tf"):
            GAILConfig.from_values(misplaced)
    with pytest.raises(UserError, match="--epsilon: 2 is out of range"):
        GAILConfig(epsilon=2)


def test_what_was_given_is_remembered_and_is_no_part_of_the_settings():
    preset, given = GAILConfig.preset("default"), GAILConfig.preset("default", warmup_steps=50)
    assert (preset.given, given.given, GAILConfig(seed=0).given) == (set(), {"warmup_steps"}, {"seed"})
    assert preset == given
    assert hash(preset) == hash(given)
    assert (repr(preset), preset.to_values()) == (repr(given), given.to_values())
    # Values that were read from a file do not count as given, because they may come from a preset.
    assert GAILConfig.from_values(given.to_values()).given == set()
    assert given.changed(seed=1).given == {"warmup_steps", "seed"}
    # The settings that the algorithm brings with it do not count as given.
    assert GAILConfig.preset("tiny", algorithm="trpo").given == {"algorithm"}
    assert GAILConfig(trainable="lora").changed(algorithm="trpo").given == {"algorithm"}
    options = train.make_parser().parse_args(["--warmup-steps", "50"])
    assert command_line.chosen_settings(options, GAILConfig).given == {"warmup_steps"}


def test_help_shows_the_groups(capsys):
    with pytest.raises(SystemExit):
        train.main(["--help"])
    sections = capsys.readouterr().out.split("\n\n")
    (ppo,) = (section for section in sections if section.startswith("settings: PPO (Eq. 7) or TRPO:"))
    assert "--epsilon X" in ppo
    assert "--temperature" not in ppo
    (ungrouped,) = (
        section for section in sections if section.startswith("settings (each replaces the preset's value)")
    )
    assert re.findall("^  --([a-z-]+)", ungrouped, re.M) == ["algorithm", "seed", "checkpoint-minutes"]


def test_settings_are_printed_as_the_call_that_makes_them():
    assert repr(GAILConfig()) == "GAILConfig()"
    config = GAILConfig.preset("tiny", algorithm="textgail", seed=2)
    assert eval(repr(config), {"GAILConfig": GAILConfig}) == config


def test_another_algorithm_brings_its_settings():
    for name in ALGORITHMS:
        changed = GAILConfig.preset("tiny").changed(algorithm=name)
        assert changed == GAILConfig.preset("tiny", algorithm=name)
    kept = GAILConfig().changed(algorithm="textgail", sentiment="on")
    assert (kept.data.sentiment, kept.judge.discriminator) == ("on", "contrastive")


@pytest.mark.parametrize(("before", "named"), [("mle", "--updates"), ("rl_seq2seq", "--discriminator-passes")])
def test_what_one_algorithm_implies_does_not_stay_with_another(before, named):
    config = GAILConfig.preset("tiny", algorithm=before)
    with pytest.raises(UserError, match=f"these settings still have the values of --algorithm {before}, .*{named}"):
        config.changed(algorithm="gail")
    own = {name: GAILConfig.preset("tiny").to_values()[name] for name in ALGORITHMS[before]}
    assert config.changed(algorithm="gail", **own) == GAILConfig.preset("tiny")
