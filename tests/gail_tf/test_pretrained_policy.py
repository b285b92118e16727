"""A pretrained Llama as the policy, which is read from its folder, trained, resumed, evaluated and exported."""

import io
import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from gail_tf import chat, evaluate, experiments, export, train
from gail_tf.agent import GAILAgent, Replying
from gail_tf.data.layouts import CHATML
from gail_tf.data.listening import Profile
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory
from gail_tf.models import hugging_face
from gail_tf.models.llama import Llama
from gail_tf.models.llama_config import LlamaConfig
from gail_tf.training.run_folder import GAILRun
from keras_gca.engine import command_line
from tests.factories.commands import SMALL_GAIL
from tests.factories.llama import SIZES
from tests.oracles.pytorch import torch_logits

TALK = ["My dog died.", "I am so sorry.", "Thank you."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, texts):
    """The folder of a user's model: a Llama of toy size, and a tokenizer whose layout is ChatML."""
    path = tmp_path_factory.mktemp("llama") / "model"
    plain = Tokenizer.fit(texts[:200], 400, (), CHATML)
    plain.save(path)
    sizes = {name: value for name, value in SIZES.items() if name != "bos_token_id"}
    sizes |= {"vocab_size": len(plain), "eos_token_id": plain.end, "head_dim": 4, "max_position_embeddings": 64}
    network = Llama(LlamaConfig(**sizes))
    draw = np.random.default_rng(0)
    for name, variable in network.weights.items():
        variable.assign(draw.normal(1.0 if "norm" in name else 0.0, 0.3, variable.shape))
    hugging_face.write_network(path, network)
    return path


@pytest.fixture(autouse=True)
def graphs_are_optimised_again():
    """A chat with a pretrained network skips TensorFlow's optimisation of graphs in the whole process."""
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


def call(capsys, main, name, *arguments):
    status = command_line.run(main, name, list(map(str, arguments)))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def settings(*changes):
    given = dict(zip(SMALL_GAIL[::2], SMALL_GAIL[1::2], strict=True))
    del given["--pretraining-epochs"]
    given |= dict(zip(changes[::2], changes[1::2], strict=True))
    return [part for pair in given.items() for part in pair]


@pytest.mark.parametrize(
    "trainable",
    [
        pytest.param("lora", marks=pytest.mark.thorough),
        pytest.param("full", marks=pytest.mark.slow),
        pytest.param("head", marks=pytest.mark.slow),
    ],
)
def test_a_llama_trains_resumes_chats_and_is_exported(folder, tmp_path, capsys, monkeypatch, trainable):
    own, run = shutil.copytree(folder, tmp_path / "model"), tmp_path / "run"
    changes = [
        "--trainable",
        trainable,
        "--updates",
        "2",
        "--precision",
        "bfloat16" if trainable == "lora" else "float32",
    ]
    status, out, err = call(capsys, train.main, "train", *settings(*changes), "--model", own, "--run", run)
    assert status == 0, err
    assert f"Llama from {own}: 3 blocks" in out
    facts = json.loads((run / "model.json").read_text())
    assert facts["model_type"] == "llama"
    assert ("base" in facts) == (trainable != "full")

    status, out, err = call(capsys, train.main, "train", "--resume", run, "--updates", 3)
    assert status == 0, err
    assert [row["number"] for row in GAILRun.open(run).read_log() if row["phase"] == "imitation"] == [1, 2, 3]

    agent = GAILAgent.load(run)
    assert re.match("<GAILAgent: Llama of 3 blocks, by maximum likelihood and imitation", repr(agent))
    answers = agent.answers(TALK)
    assert len(answers) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("My dog died.\n/quit\n"))
    assert not tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer")
    status, out, err = call(capsys, chat.main, "chat", run)
    assert status == 0, err
    assert tf.config.optimizer.get_experimental_options()["disable_meta_optimizer"]
    status, out, err = call(capsys, evaluate.main, "evaluate", run, "--policy", "all")
    assert status == 0, err
    assert "perplexity" in out

    if trainable == "head":
        status, _, err = call(capsys, export.main, "export", run, tmp_path / "exported")
        assert status == 2
        assert "a policy trained with --trainable head" in err
        return
    status, out, err = call(capsys, export.main, "export", run, tmp_path / "exported")
    assert status == 0, err
    batch = np.array([[5, 9, 30, 41, 7]]), np.ones((1, 5), bool)
    network = agent.policies["imitation"].network
    ours = network.logits(network.hidden(*batch)).numpy()
    close = 0.1 if trainable == "lora" else 1e-4  # LoRA computes in bfloat16 here
    np.testing.assert_allclose(torch_logits(tmp_path / "exported", *batch), ours, atol=close * np.abs(ours).max())

    capsys.readouterr()  # PyTorch's progress bar

    # The bot needs its base, and no other network.
    shutil.rmtree(own)
    if trainable == "full":
        assert [answer.text for answer in GAILAgent.load(run).answers(TALK)] == [answer.text for answer in answers]
        return
    status, out, err = call(capsys, chat.main, "chat", run)
    assert (status, out) == (2, "")
    assert re.fullmatch(rf"chat: {re.escape(str(own))}: .*\n", err)
    shutil.copytree(folder, own)
    weights = hugging_face.read_network(own)
    weights.weights["norm.weight"].assign(weights.weights["norm.weight"] + 1)
    hugging_face.write_network(own, weights)
    status, out, err = call(capsys, chat.main, "chat", run)
    assert status == 2
    assert re.fullmatch(rf"chat: {re.escape(str(own))}: the bot was not trained on this network; .*\n", err)


@pytest.mark.slow
def test_the_systems_of_table_2_at_the_pretrained_scale(folder, tmp_path, capsys):
    """Each system is trained from the model, measured when it ends, and has a row that says what it is."""
    variants = ["start_of_imitation", "extra_likelihood", "gail", "iqlearn", "selection", "textgail", "gail_permuted"]
    runs = tmp_path / "experiments"
    arguments = [
        "table2", "--scale", "pretrained", "--model", folder, "--runs", runs, "--seeds", "3", "--variants", *variants,
        "--max-trajectories", "60", "--condition-tokens", "40", "--response-tokens", "8", "--n-positions", "64",
        "--mle-epochs", "1", "--updates", "1", "--rollouts", "8", "--sample-batch-size", "8", "--warmup-steps", "0",
        "--discriminator-steps", "1", "--selection-candidates", "2", "--experiment", tmp_path / "table2.json",
    ]  # fmt: skip
    status, out, err = call(capsys, experiments.main, "experiments", *arguments)
    assert status == 0, err
    trained = re.findall(r"^== (.*), seed 3$", out, re.MULTILINE)
    assert trained == [
        "mle", "start of imitation", "extra likelihood", "gail", "iqlearn", "selection", "mle without sentiment",
        "textgail", "gail permuted",
    ]  # fmt: skip
    files = [runs / "table2_systems" / f"{variant}_seed_3.json" for variant in variants]
    places = [out.index(f"wrote {file}") for file in files]
    assert places == sorted(places)  # each as it ends
    assert places[0] < out.index("== extra likelihood, seed 3")
    of_selection = json.loads(files[4].read_text())
    assert list(of_selection["policies"]) == ["selection_at_random", "selection_by_likelihood", "selection_by_odds"]
    assert "perplexity" not in of_selection["policies"]["selection_by_odds"]["all turns"]
    assert json.loads(files[2].read_text())["policies"]["imitation"]["all turns"]["perplexity"]["value"] > 1
    start = "likelihood, the start of all others"
    for row in (start, "extra likelihood", "EmpathyGAIL", "IQ-Learn", "EmpathyGAIL, rewards permuted"):
        assert re.search(rf"^\| perplexity +\| {row} +\|", out, re.MULTILINE), row
    assert "TextGAIL, D a copy of the policy's network with adapters" in out
    assert "selection by D's odds" in out
    assert GAILRun.open(runs / "start_of_imitation" / "seed_3").read_log() == []  # nothing is learned
    config = GAILRun.open(runs / "gail" / "seed_3").config()
    assert (config.rollout.temperature, config.rollout.top_p, config.model.trainable) == (1.0, 1.0, "lora")
    status, out, err = call(capsys, experiments.main, "experiments", *arguments)
    assert status == 0, err
    assert "== " not in out  # nothing is trained again
    status, _, err = call(capsys, experiments.main, "experiments", *arguments, "--temperature", "0.5")
    assert status == 2
    assert re.search(r"--temperature 1.0, but the experiment compares runs with --temperature 0.5; choose", err)


@pytest.mark.slow
def test_adapters_learn_profiles_whose_tokens_start_as_their_words(folder, tmp_path, capsys):
    run = tmp_path / "run"
    changes = ["--trainable", "lora", "--updates", "1", "--condition-tokens", "54", "--response-tokens", "8"]
    changes += ["--listener-profile", "on", "--sentiment-history", "on"]
    status, _, err = call(capsys, train.main, "train", *settings(*changes), "--model", folder, "--run", run)
    assert status == 0, err
    status, _, err = call(capsys, train.main, "train", "--resume", run, "--updates", 2)
    assert status == 0, err
    agent = GAILAgent.load(run)
    tokens, network = agent.tokenizer, agent.policies["imitation"].network
    embeddings = network.weights["embed_tokens.weight"].numpy()
    for token, words in (("<|ask yes|>", " ask yes"), ("<|length long|>", " length long"), ("<|rising|>", " rising")):
        expected = embeddings[tokens.encode(words)].mean(0)
        np.testing.assert_allclose(embeddings[tokens.special(token)], expected, rtol=1e-5)
    batch = agent.encode([Trajectory((), "My dog died.", "I am so sorry.")], [Profile(ask="no", length="short")])
    found = batch.condition[0].tolist()
    assert [i for i in found if i >= tokens.known] == []  # the run's own tokenizer knows all control tokens
    assert [tokens.special(token) in found for token in ("<|ask no|>", "<|length short|>", "<|ask yes|>")] == [
        True, True, False
    ]  # fmt: skip
    assert agent.answers(TALK, decoding=Replying(profile=Profile(ask="no")))
