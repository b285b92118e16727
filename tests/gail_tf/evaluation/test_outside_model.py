"""A pretrained language model that measures responses, compared with PyTorch's probabilities."""

import numpy as np
import pytest

from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation.metrics import words
from gail_tf.evaluation.outside_model import OutsideModel, refuse_own_model
from gail_tf.models import hugging_face
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.training.run_folder import GAILRun
from keras_gca.errors import UserError
from tests.factories import gail_agents
from tests.oracles.pytorch import torch_logits

ASKED = [Trajectory(("I lost my job.",), "It was on Monday.", "-"), Trajectory((), "My dog is ill.", "-")]
CONDITIONS = ["- I lost my job.\n- It was on Monday.\n-", "- My dog is ill.\n-"]


def write_model(path, texts, deviation):
    """Write a tokenizer and a GPT-2 with random weights; return the tokenizer."""
    tokenizer = Tokenizer.fit(texts[:200], 400, ())
    tokenizer.save(path)
    sizes = {"vocab_size": len(tokenizer), "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256}
    network = GPT2(GPT2Config(**sizes, eos_token_id=tokenizer.end))
    draw = np.random.default_rng(0)
    for name, variable in network.weights.items():
        variable.assign(draw.normal(float("ln" in name and "weight" in name), deviation, variable.shape))
    hugging_face.write_network(path, network)
    return tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("outside") / "model"
    write_model(path, texts, 0.3)
    return path


def test_a_model_that_knows_nothing_gives_equally_likely_tokens(tmp_path, texts):
    """The control: if all weights are 0, every token of any text costs log V nats."""
    tokenizer = write_model(tmp_path / "model", texts, 0.0)
    responses = ["Oh no! I am so sorry.", "Poor dog."]
    expected = [(len(tokenizer.encode(f" {said}")) + 1) * np.log(len(tokenizer)) for said in responses]
    costs = OutsideModel.read(tmp_path / "model").costs(ASKED, responses)
    np.testing.assert_allclose(costs[:, 0], expected, rtol=1e-4)


def test_the_perplexity_is_that_of_pytorch(folder):
    responses = ["Oh no! I am so sorry.", "Poor dog."]
    tokenizer = Tokenizer.read(folder, (), "plain")
    total, count = 0.0, 0
    for lines, response in zip(CONDITIONS, responses, strict=True):
        condition = tokenizer.encode(lines)
        said = [*tokenizer.encode(f" {response}"), tokenizer.end]
        row = np.array([[*condition, *said]])
        logits = torch_logits(folder, row, np.ones_like(row))[0].astype(np.float64)
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        total -= sum(logs[len(condition) + i - 1, token] for i, token in enumerate(said))
        count += len(words(response)) + 1
    nll, measured = OutsideModel.read(folder).costs(ASKED, responses).sum(axis=0)
    assert (np.exp(nll / measured), measured) == (pytest.approx(np.exp(total / count), rel=1e-3), count)


def test_the_company_of_other_responses_changes_nothing(folder):
    model = OutsideModel.read(folder)
    alone = [model.costs([one], ["Oh no!"])[0] for one in ASKED]
    np.testing.assert_allclose(model.costs(ASKED, ["Oh no!"] * 2), alone, rtol=1e-4)
    assert alone[0][0] != pytest.approx(alone[1][0], rel=1e-4)  # the conversation is read


@pytest.mark.thorough
def test_a_model_does_not_measure_runs_that_were_trained_from_it(folder, tmp_path):
    gail_agents.write_run(tmp_path / "run")
    run = GAILRun.open(tmp_path / "run")
    refuse_own_model([run], str(folder))
    file = run.path / "config.json"
    file.write_text(file.read_text().replace('"source": {', f'"source": {{"model": "{folder}"', 1))
    with pytest.raises(UserError, match="run started from this model; use the 5-gram model for this run"):
        refuse_own_model([run], str(folder))
