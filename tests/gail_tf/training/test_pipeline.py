"""The training command reads the layout of conversations before a training run begins."""

import json
import re

import pytest

from gail_tf import train
from gail_tf.agent import GAILAgent
from gail_tf.data.layouts import KNOWN
from gail_tf.training.run_folder import GAILRun
from keras_gca.engine import command_line
from tests.factories.commands import SMALL_GAIL


@pytest.mark.thorough
def test_another_layout_from_the_option_to_the_bot(tmp_path, capsys):
    path = tmp_path / "run"
    begin = [*SMALL_GAIL, "--layout", "chatml", "--run", str(path), "--condition-tokens"]
    assert command_line.run(train.main, "train", [*begin, "8"]) == 2
    message = (
        r"the number is too small for the frame of one utterance in the layout chatml; increase it by at least \d+\n$"
    )
    assert re.search(rf"--condition-tokens: {message}", capsys.readouterr().err)
    assert not path.exists()
    assert command_line.run(train.main, "train", [*begin, "30"]) == 0
    run = GAILRun.open(path)
    assert run.config().data.layout == "chatml"
    bot = GAILAgent.load(path).tokenizer
    assert bot.layout == run.tokenizer().layout == KNOWN["chatml"]
    assert bot.end == json.loads((path / "model.json").read_text())["eos_token_id"] == bot.special("<|im_end|>")
