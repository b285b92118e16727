import json

import numpy as np
import pytest

from benchmarks import second_paper
from benchmarks.exercise import SIZES, Exercise
from gail_tf.models.projection import Adapters


def test_the_share_of_padding():
    masks = [np.array([[True, False], [True, True]]), np.array([[False, False, True]])]
    assert second_paper.padded_share(masks) == pytest.approx(3 / 7)


def test_batches_in_random_order_hold_every_row_once():
    batches = second_paper.in_random_order(10, 4)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(np.concatenate(batches)) == list(range(10))


def test_a_contestant_that_is_not_there_is_named(monkeypatch, capsys):
    options = second_paper.parser("second_paper", "", [], 3).parse_args([])
    options.contestants = ["full", "trl"]
    monkeypatch.setattr(second_paper, "installed", lambda module: not module.startswith("trl"))
    assert second_paper.present(options) == ["full"]
    assert capsys.readouterr().out == "TRL's PPO trainer is not included: it is not installed.\n\n"


def test_rollouts_that_are_no_whole_batches_of_d_are_refused():
    with pytest.raises(SystemExit, match="--rollouts: 40; a multiple of 32 is expected"):
        second_paper.main(["update", "--rollouts", "40"])


def test_the_plan_needs_no_measurement(tmp_path, capsys):
    path = tmp_path / "plan.json"
    assert second_paper.main(["plan", "--output", str(path)]) == 0
    printed, found = capsys.readouterr().out, json.loads(path.read_text())["plan"]
    assert "this machine" not in printed
    assert set(found["hours"]) == {"A100", "8 A100", "H100 SXM", "TPU v5e-8"}


def test_the_plan_takes_rates_from_an_update(capsys):
    options = second_paper.parser("second_paper", "", [], 3).parse_args([])
    options.size = "small"
    kinds = "sampling", "reference", "learning"
    ours = {"seconds": dict.fromkeys(kinds, 10), "flops": dict.fromkeys(kinds, 1e12)}
    found = second_paper.table_1(options, {"by": {"full": ours}})
    hours = found["hours"]["this machine"]
    assert hours == pytest.approx([count / 1e11 / 3600 for count in found["flops"].values()])
    assert "| this machine |" in capsys.readouterr().out


@pytest.mark.parametrize("adapters", [None, Adapters()], ids=["full", "lora"])
@pytest.mark.parametrize("size", ["tiny", "tiny-llama"])
def test_end_is_never_sampled(size, adapters):
    exercise = Exercise(SIZES[size], rollouts=4, prompt=8)
    network = exercise.network(adapters)
    states = network.hidden(exercise.prompts(), np.ones((4, 8), bool))
    logits = network.logits(states).numpy()
    assert logits[..., exercise.sizes.eos_token_id].max() < -500
    assert np.abs(logits[..., : exercise.sizes.eos_token_id]).max() < 50


def test_shares_of_the_matrix_products_speed(monkeypatch, capsys):
    """10 tokens/s of 2 GFLOP each are 20 GFLOP/s, of 80 in float32 and of 200 in bfloat16."""
    monkeypatch.setattr(second_paper, "matrix_product_rate", {"float32": 80.0, "bfloat16": 200.0}.get)
    results = {"a, float32": {"here": 10.0, "PyTorch": 5.0}, "a, bfloat16": {"here": 10.0}}
    second_paper._print_shares(results, dict.fromkeys(results, 2e9))
    printed = capsys.readouterr().out
    assert "| a, float32 | here | 10 | 1 | 25% |\n| a, float32 | PyTorch | 5 | 2 | 12% |" in printed
    assert "| a, bfloat16 | here | 10 | 1 | 10% |" in printed


def test_a_missing_peft_is_named(monkeypatch):
    monkeypatch.setattr(second_paper, "installed", lambda module: module != "peft")
    assert second_paper.absence("trl") is None
    assert second_paper.absence("trl-lora") == second_paper.absence(second_paper.STEP) == "peft is not installed"
