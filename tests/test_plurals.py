"""If the number of things in a message is one, the message has the singular."""

import contextlib
import re
from types import SimpleNamespace

import numpy as np
import pytest

from gail_tf.agent import GAILAgent
from gail_tf.data.trajectories import Trajectory, split
from gail_tf.models import hugging_face
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from glove import Vectors, embedding_matrix
from glove.__main__ import main as glove_main
from glove.text_files import counted
from keras_gca.config import Config
from keras_gca.data.conversations import Conversation
from keras_gca.data.dataset import prepare
from keras_gca.errors import UserError
from keras_gca.serving.shared_batches import SharedBatches
from keras_gca.training import pipeline
from tests.factories.gail import SIZES


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (1, ("conversation",), "1 conversation"),
        (0, ("conversation",), "0 conversations"),
        (2, ("conversation",), "2 conversations"),
        (68_000, ("pair",), "68,000 pairs"),
        (1, ("trajectory", "trajectories"), "1 trajectory"),
        (1_234, ("trajectory", "trajectories"), "1,234 trajectories"),
        (np.int64(1), ("epoch",), "1 epoch"),
    ],
)
def test_counted(number, words, text):
    assert counted(number, *words) == text


def test_a_corpus_of_one_conversation(tmp_path, capsys):
    (tmp_path / "one.txt").write_text("Hello there.\nHow are you?\n")
    with pytest.raises(UserError, match=r"the corpus has 1 context/answer pair; at least 20 are needed"):
        pipeline.train_agent(Config.preset("tiny"), pipeline.Source(data=tmp_path / "one.txt"), tmp_path / "run")
    assert capsys.readouterr().out == f"{tmp_path / 'one.txt'}: read as plain text: 1 conversation, 2 utterances\n"


def test_one_held_out_pair(capsys):
    conversations = [Conversation((f"Word {i}.", f"Answer {i}.")) for i in range(20)]
    dataset = prepare(conversations, Config.preset("tiny", validation_fraction=0.05))
    pipeline._describe(dataset, "of the text")
    assert re.search(r"^held out:   1 pair, \d tokens, ", capsys.readouterr().out, re.MULTILINE)


def test_one_conversation_is_too_few():
    with pytest.raises(UserError, match=r"^1 conversation is too few to be divided into train, test and validation"):
        split([Trajectory((), "Hello.", "Hi.")], seed=0)
    with pytest.raises(UserError, match=r"^2 conversations are too few to be divided"):
        split([Trajectory((), "Hello.", "Hi.", conversation=1), Trajectory((), "Bye.", "See you.", conversation=2)], 0)


def test_one_word(tmp_path, capsys):
    report = embedding_matrix(["a", "rare"], Vectors(["a"], np.ones((1, 2), np.float32))).report()
    assert report.endswith("\n1 word without a vector is a row of zeros: rare")
    (tmp_path / "corpus.txt").write_text("the\n")
    glove_main(["fit", str(tmp_path / "corpus.txt"), "--output", str(tmp_path / "v.txt")])
    assert capsys.readouterr().out.startswith("1 line, 1 token, 1 word\n")
    (tmp_path / "v.txt").write_text("the 1 2 3\nof 1\n")
    assert glove_main(["neighbours", str(tmp_path / "v.txt"), "the"]) == 2
    assert ":2: 1 number after the word; 3 are expected" in capsys.readouterr().err


def test_one_block(tmp_path):
    """A GPT-2 with one block: the greeting of a chat and the message about a tensor have the singular."""
    sizes = GPT2Config(**SIZES | {"n_layer": 1})
    agent = SimpleNamespace(generators=("imitation",), bot=SimpleNamespace(sizes=sizes), longest=1)
    described = GAILAgent.description.fget(agent)
    assert described == "GPT-2 of 1 block, by imitation; the last token is read"
    hugging_face.write_network(tmp_path, GPT2(GPT2Config(**SIZES)))
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"n_layer": 3', '"n_layer": 1'))
    with pytest.raises(UserError, match=r"is not a tensor of a GPT-2 with 1 block$"):
        hugging_face.read_network(tmp_path)


def test_one_message():
    batches = SharedBatches.__new__(SharedBatches)
    batches._lock, batches._sizes = contextlib.nullcontext(), [1]
    sizes = "1.00 messages in a batch on average and 1 at most"
    assert batches.summary == f"1 message was answered in 1 batch, with {sizes}"
