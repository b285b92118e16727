"""What is exported is loaded by Keras and TensorFlow in a process that does not import this project."""

import json
import re
import subprocess
import sys

import huggingface_hub
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from keras_gca import export
from keras_gca.agent import Agent
from keras_gca.chat import SHIPPED
from keras_gca.data.text import detokenise
from keras_gca.data.vocabulary import EOS, PAD
from keras_gca.engine import command_line
from keras_gca.models.text_replies import TextReplies
from tests.factories.gca import WORDS, make_agent, make_original_agent, write_run
from tests.factories.hub import FakeApi

HISTORIES = [
    ["Hello there, Tom!"],
    ["How are you?", "I'm fine.", "How are you?"],
    ["A: hello", "B: there, zyzzyva $5 ??", "A: How are you, Tom?"],
    ["fine " * 30],
    ["How are you?"],
]

# Keras and TensorFlow alone: replies of the SavedModel, and probabilities of each .keras file. Prints JSON.
PEER = """
import json, pathlib, sys
import keras, numpy as np, tensorflow as tf, tensorflow_text
folder, asked = pathlib.Path(sys.argv[1]), json.load(sys.stdin)
signature = tf.saved_model.load(str(folder / "saved_model")).signatures["serving_default"]
made = signature(tf.constant(asked["contexts"]))
tokens = np.array(asked["tokens"], np.int32)
probabilities = {
    path.stem: keras.models.load_model(path).predict([tokens, tokens[:, ::-1]], verbose=0).tolist()
    for path in folder.glob("*.keras")
}
assert not [name for name in sys.modules if name.startswith(("keras_gca", "gail_tf", "glove"))]
print(json.dumps({
    "reply": [text.decode() for text in made["reply"].numpy()],
    "score": made["score"].numpy().tolist(),
    "probability": made["probability"].numpy().tolist(),
    "probabilities": probabilities,
}))
"""


def loaded_elsewhere(folder, histories, tokens, tmp_path):
    asked = json.dumps({"contexts": ["\n".join(history) for history in histories], "tokens": tokens.tolist()})
    command = [sys.executable, "-P", "-c", PEER, str(folder)]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


AGENTS = {
    "masked": make_agent,
    "original": make_original_agent,
    "canonical": lambda: make_agent(generator="canonical", adversarial_epochs=0),
    "whole_answers": lambda: make_agent(algorithm="reinforce"),
    "shipped": lambda: Agent.load(SHIPPED),
}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", AGENTS)
def test_keras_and_tensorflow_load_it_and_reply_as_the_agent(kind, tmp_path, capsys):
    agent = AGENTS[kind]()
    agent.save(tmp_path / "bot.h5")
    out = tmp_path / "out"
    assert command_line.run(export.main, "export", [str(tmp_path / "bot.h5"), str(out)]) == 0
    names = [*(f"{name}.keras" for name in agent.generators), "saved_model", "bot.h5", "README.md"]
    assert capsys.readouterr().out.splitlines() == [f"wrote {out / name}" for name in names]
    assert {path.name for path in out.iterdir()} == set(names)

    draw = np.random.default_rng(0)
    tokens = draw.integers(4, len(agent.vocabulary), (3, agent.longest), dtype=np.int32)
    padding = agent.networks.judging.padding
    tokens[0, :3] = tokens[1, -2:] = padding
    peer = loaded_elsewhere(out, HISTORIES, tokens, tmp_path)
    expected = [agent.answers(history)[0] for history in HISTORIES]
    assert peer["reply"] == [answer.text for answer in expected]
    np.testing.assert_allclose(peer["score"], [answer.score for answer in expected], rtol=1e-4)
    np.testing.assert_allclose(peer["probability"], [answer.probability for answer in expected], rtol=1e-3)
    for name in agent.generators:
        drawn = agent.networks.decoders[name].gca.generator([tokens, tokens[:, ::-1]])
        np.testing.assert_allclose(peer["probabilities"][name], drawn, atol=1e-5)
    again = Agent.load(out / "bot.h5")
    assert [again.reply(history) for history in HISTORIES] == peer["reply"]


@pytest.mark.thorough
def test_a_run_is_published_with_its_card(tmp_path, capsys, monkeypatch):
    write_run(tmp_path / "run")
    (tmp_path / "run" / "evaluation.json").write_text('{"perplexity": {"adversarial": 48.55}}')
    api = FakeApi()
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    arguments = [str(tmp_path / "run"), str(tmp_path / "out"), "--push"]
    assert command_line.run(export.main, "export", [*arguments, "bot"]) == 2
    assert capsys.readouterr().err == "export: --push bot: this is not a name on the Hub; use the form OWNER/NAME\n"
    assert not (tmp_path / "out").exists()
    assert command_line.run(export.main, "export", [*arguments, "me/bot", "--yes"]) == 0
    assert capsys.readouterr().out.endswith("published https://hub.invalid/me/bot\n")
    assert api.calls[1]["folder_path"] == str(tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    config = make_agent().config
    for line in ("| perplexity, adversarial | 48.55 |", f"| sentence_length | {config.sentence_length} |"):
        assert line in card.splitlines()
    assert f"Seed {config.seed}." in card
    assert "The crisis check is not part of this model" in card
    usage = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1]
    peer = subprocess.run(
        [sys.executable, "-P", "-c", usage], capture_output=True, text=True, cwd=tmp_path / "out", timeout=300
    )
    agent = make_agent()
    expected = [agent.reply("Hello!"), agent.reply(["How are you?", "Fine.", "Good."])]
    assert peer.stdout.startswith(str(tf.constant(expected))), peer.stderr[-2000:]


def test_no_part_of_the_graph_needs_xla(tmp_path):
    make_agent().export(tmp_path / "out")
    model = SavedModel.FromString((tmp_path / "out" / "saved_model" / "saved_model.pb").read_bytes())
    functions = model.meta_graphs[0].graph_def.library.function
    assert len(functions) > 1
    assert not [function.signature.name for function in functions if function.attr["_XlaMustCompile"].b]


SURFACES = {"tom": "Tom", "ibm": "IBM", "école": "École", "iphone": "iPhone"}
WRITTEN = [*WORDS, "i'd", "ibm", "école", "iphone", "$", "5", "!", "'s", "n't", "@", "ß", "i'", "%", ";"]


def test_the_graph_writes_text_as_python_does():
    agent = make_agent(WRITTEN)
    agent.vocabulary.surfaces.update(SURFACES)
    gca = agent.networks.judging
    replies = TextReplies([gca], gca, agent.vocabulary, "split", 2, whole_answers=False)
    draw = np.random.default_rng(3)
    answers = draw.integers(1, len(agent.vocabulary), (300, 12)).astype(np.int32)
    answers[draw.random(answers.shape) < 0.05] = EOS
    answers[draw.random(answers.shape) < 0.05] = PAD
    answers[:, 0] = 1
    expected = [detokenise(agent.vocabulary.decode(row), agent.vocabulary.surfaces) for row in answers]
    assert [text.decode() for text in replies.as_text(tf.constant(answers)).numpy()] == expected


def test_the_graph_reads_the_last_utterances_and_tokens_as_the_agent_does():
    agent = make_agent()
    gca = agent.networks.judging
    replies = TextReplies([gca], gca, agent.vocabulary, "split", 2, whole_answers=False)
    contexts = ["", "Hello", "hello\nthere\nTom", "Hello\r\nthere, zyzzyva", "how are you " * 20, " \n fine \n"]
    read = [
        [],
        ["hello"],
        ["there", "tom"],
        ["hello", "there", ",", "zyzzyva"],
        ["you", *["how", "are", "you"] * 20],
        ["fine"],
    ]
    expected = [
        [PAD] * (agent.longest - len(tokens)) + agent.vocabulary.encode(tokens).tolist()
        for tokens in (row[-agent.longest :] for row in read)
    ]
    assert replies.encode(tf.constant(contexts)).numpy().tolist() == expected


def test_what_is_in_the_way_is_not_overwritten(tmp_path, capsys):
    make_agent().save(tmp_path / "bot.h5")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    for place in ("out", "bot.h5"):
        assert command_line.run(export.main, "export", [str(tmp_path / "bot.h5"), str(tmp_path / place)]) == 2
        assert capsys.readouterr().err == f"export: {tmp_path / place}: this is not an empty folder; choose a new one\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
