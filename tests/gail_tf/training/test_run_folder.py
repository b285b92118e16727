import dataclasses
import json

import numpy as np
import pytest

from gail_tf.agent import GAILAgent, Replying
from gail_tf.bot import Bot
from gail_tf.data.dataset import Data
from gail_tf.data.samples import CONTROL_TOKENS
from gail_tf.data.trajectories import Trajectory
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.training.run_folder import GAILRun
from keras_gca.errors import UserError
from tests.factories import small_runs
from tests.factories.small_runs import tokenizer

SIZES = GPT2Config(len(tokenizer()), n_positions=32, n_embd=16, n_layer=2, n_head=2, eos_token_id=tokenizer().end)
STRANGE = Trajectory(("Line\u2028separator \U0001f600", 'quotes "\\'), "a\nb", "naïve", "sad", "empathetic", 7, 2)
GENERAL = (("How are you?", "Fine."), ("One\x85more",))


@pytest.fixture
def data():
    train, validation = small_runs.trajectories()
    return Data((*train, STRANGE), tuple(validation[:2]), tuple(validation[2:]), GENERAL)


@pytest.fixture
def run(data, tmp_path):
    made = GAILRun.create(tmp_path / "run", small_runs.config(updates=7), data, tokenizer(), SIZES, {"data": ["x.csv"]})
    made.write_checkpoint({"position": 0}, {"a": np.arange(3.0)})
    return made


def test_a_run_gives_back_what_it_was_given(run, data):
    again = GAILRun.open(run.path)
    assert again.data() == data
    assert again.config() == small_runs.config(updates=7)
    assert again.model() == (SIZES, None)
    assert again.source() == {"data": ["x.csv"]}
    text = "I lost my dog. \U0001f600"
    assert again.tokenizer().encode(text) == tokenizer().encode(text)
    for token in CONTROL_TOKENS:
        assert again.tokenizer().special(token) == tokenizer().special(token)
    facts, arrays = again.read_checkpoint()
    assert facts == {"position": 0}
    np.testing.assert_array_equal(arrays["a"], [0, 1, 2])


def test_the_text_to_pretrain_on_is_general_and_of_training_each_conversation_once():
    first, second = Trajectory((), "a", "b", conversation=1), Trajectory(("a", "b"), "c", "d", conversation=1, turn=2)
    data = Data((first, second), (Trajectory((), "test", "x"),), (Trajectory((), "held", "out"),), GENERAL)
    assert data.training_text == [*GENERAL, ("a", "b", "c", "d")]


def spoil_line(run, number, line):
    path = run.path / "trajectories.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[number - 1] = line
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize(
    "line",
    ['{"part": "train"', "[]", '{"part": "other"}', '{"part": "general"}', '{"part": "test", "prompt": "x"}', ""],
)
def test_a_damaged_trajectory_is_named_by_its_line(run, line):
    spoil_line(run, 4, line)
    with pytest.raises(UserError, match=r"trajectories.jsonl:4: the line is damaged; a trajectory in JSON is expected"):
        run.data()


@pytest.mark.parametrize(
    ("name", "content", "read", "message"),
    [
        ("trajectories.jsonl", None, GAILRun.data, r"trajectories.jsonl: cannot be read \(No such file"),
        ("config.json", "{", GAILRun.config, r"config.json: the file is damaged; valid JSON is expected"),
        ("config.json", "{}", GAILRun.config, r"config.json: the file is damaged; the config of a run is missing"),
        ("config.json", '{"source": 1, "config": {"colour": 1}}', GAILRun.config, r"'colour' is not a setting"),
        ("model.json", "[]", GAILRun.model, r"model.json: the content is not a JSON object"),
        ("model.json", '{"model_type": "bert"}', GAILRun.model, r"model.json: model_type is 'bert'"),
        (
            "tokenizer/tokenizer.json",
            "{}",
            GAILRun.tokenizer,
            r"tokenizer.json: the file cannot be read as a tokenizer",
        ),
        ("checkpoint.h5", "x", GAILRun.read_checkpoint, r"checkpoint.h5: the file is incomplete, or was not written"),
    ],
)
def test_damaged_files_are_named(run, name, content, read, message):
    path = run.path / name
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        read(run)
    assert "\n" not in str(caught.value)


def test_a_folder_that_holds_a_run_or_none(run, data, tmp_path):
    with pytest.raises(UserError, match="already contains a run"):
        GAILRun.create(run.path, small_runs.config(), data, tokenizer(), SIZES, {})
    with pytest.raises(UserError, match=r"no run here \(checkpoint.h5 is missing\)"):
        GAILRun.open(tmp_path)


# The agent


@pytest.fixture(scope="module", params=["full", pytest.param("lora", marks=pytest.mark.thorough)])
def agent(request):
    """Make an agent with two policies and a discriminator away from zero, with or without an encoder of its own."""
    encoder = "trainable" if request.param == "full" else "frozen"
    settings = small_runs.config(trainable=request.param, discriminator_encoder=encoder)
    training = small_runs.training(settings)
    draw = np.random.default_rng(0)
    policies = {
        name: [v.numpy() + draw.normal(0, 0.02, v.shape).astype(np.float32) for v in training.policy.variables]
        for name in ("maximum_likelihood", "imitation")
    }
    judge = [v.numpy() + draw.normal(0, 0.2, v.shape).astype(np.float32) for v in training.judge.variables]
    return GAILAgent(Bot(settings, tokenizer(), training.policy.network.config, policies, "maximum_likelihood", judge))


TALK = ["My dog died.", "I am so sorry.", "Thank you."]


@pytest.mark.thorough
@pytest.mark.usefixtures("eagerly")
def test_an_agent_saved_and_loaded_says_the_same(agent, tmp_path):
    agent.save(tmp_path / "bot.h5")
    again = GAILAgent.load(tmp_path / "bot.h5")
    replying = Replying(candidates=2)
    answers = agent.answers(TALK, None, replying, seed=3)
    assert repr(again.answers(TALK, None, replying, seed=3)) == repr(answers)
    assert again.generators == ("maximum_likelihood", "imitation")
    assert len(answers) == 4
    scores = [answer.score for answer in answers]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 1
    assert agent.reply(TALK, replying, seed=3) == answers[0].text
    for answer in answers:
        assert answer.probability == pytest.approx(np.prod(answer.token_probabilities), rel=1e-3)
        assert 0 < answer.human < 1


@pytest.mark.thorough
@pytest.mark.usefixtures("eagerly")
def test_how_much_of_a_conversation_is_read(agent):
    last = agent.answers(TALK, 1, Replying(), seed=3)
    assert repr(last) == repr(agent.answers(TALK[-1:], None, Replying(), seed=3))
    assert [each.text for each in last] != [each.text for each in agent.answers(TALK, None, Replying(), seed=3)]
    assert repr(agent.answers(TALK[-1], seed=3)) == repr(last)
    assert agent.reply(TALK[-1], seed=3) == last[0].text
    for wrong in ([], "", ["Hello.", " "]):
        with pytest.raises(UserError, match="nothing to answer"):
            agent.answers(wrong)


def test_a_damaged_bot_is_named(agent, run, tmp_path):
    with pytest.raises(
        UserError, match=r"bot.h5: the bot has not been written yet; run python -m gail_tf.train --resume"
    ):
        GAILAgent.load(run.path)
    with pytest.raises(UserError, match="no such file"):
        GAILAgent.load(tmp_path / "bot.h5")
    with pytest.raises(UserError, match="not a bot that this version can read"):
        GAILAgent.load(run.path / "checkpoint.h5")
    dataclasses.replace(agent.bot, discriminator=agent.bot.discriminator[::-1]).write(tmp_path / "bot.h5")
    with pytest.raises(UserError, match=r"bot.h5: the file is damaged; its parts do not fit together") as caught:
        GAILAgent.load(tmp_path / "bot.h5")
    assert "\n" not in str(caught.value)


def test_every_line_of_a_run_folder_is_json(run):
    parts = [json.loads(line)["part"] for line in (run.path / "trajectories.jsonl").read_text("utf-8").split("\n")[:-1]]
    assert parts == sorted(parts, key=["train", "test", "validation", "general"].index)
