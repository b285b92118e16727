"""Hostile runs, bots and folders of networks: a command ends with one line of error and status 2."""

import json
import shutil
import struct

import numpy as np
import pytest
import safetensors.numpy

from gail_tf import chat, train
from gail_tf.bot import Bot
from gail_tf.data.dataset import Data
from gail_tf.data.tokenizer import END, Tokenizer
from gail_tf.models import hugging_face
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.roberta import Roberta
from gail_tf.models.roberta_config import RobertaConfig
from gail_tf.training.run_folder import GAILRun
from keras_gca.errors import UserError
from keras_gca.storage.arrays import read_arrays, write_arrays
from tests import fuzz_targets
from tests.factories import small_runs
from tests.factories.gail import SIZES

# Networks in Hugging Face's format


@pytest.mark.thorough
def test_shapes_of_a_config_are_those_of_the_network():
    for network in (
        GPT2(GPT2Config(**SIZES, n_inner=20)),
        Roberta(RobertaConfig.from_hugging_face(fuzz_targets.ROBERTA)),
    ):
        shapes = {name: list(variable.shape) for name, variable in network.weights.items()}
        assert network.config.shapes == shapes
        assert list(network.config.shapes) == list(shapes)


@pytest.fixture(scope="module")
def good_folder(tmp_path_factory):
    """A folder with a GPT-2 of random weights and its own tokenizer."""
    made = tmp_path_factory.mktemp("good") / "gpt2"
    tokenizer = small_runs.tokenizer()
    tokenizer.save(made)
    sizes = GPT2Config(**SIZES | {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.end})
    hugging_face.write_network(made, GPT2(sizes))
    return made


@pytest.fixture
def folder(good_folder, tmp_path):
    return shutil.copytree(good_folder, tmp_path / "gpt2")


def in_json(name, **changes):
    def change(folder):
        values = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(values | changes))

    return change


def tensors(**arrays):
    return lambda folder: safetensors.numpy.save_file(arrays, folder / "model.safetensors")


def header(values, body=b"\0" * 64):
    def change(folder):
        text = values if isinstance(values, bytes) else json.dumps(values).encode()
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)

    return change


def index(shards):
    def change(folder):
        (folder / "model.safetensors").rename(folder.parent / "outside.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))

    return change


def lies(shape, offsets):
    return header({"wte.weight": {"dtype": "F32", "shape": shape, "data_offsets": offsets}})


FOLDERS = {
    "config without end": (lambda folder: (folder / "config.json").write_text("[" * 10**5), "file is damaged"),
    "config of a list": (lambda folder: (folder / "config.json").write_text("[]"), "the content is not a JSON object"),
    "another network": (in_json("config.json", model_type="bert"), "one of gpt2, llama, qwen2 is expected"),
    "a Llama's name": (in_json("config.json", model_type="llama"), "hidden_size is missing"),
    "text for a size": (in_json("config.json", n_embd="16"), "n_embd is '16'; a whole number of at least 1"),
    "a true size": (in_json("config.json", n_layer=True), "n_layer is True"),
    "NaN": (in_json("config.json", attn_pdrop=float("nan")), "attn_pdrop is nan"),
    "absurd layers": (in_json("config.json", n_layer=10**9), "n_layer is 1000000000; at most 1000"),
    "absurd width": (in_json("config.json", n_embd=2 * 10**9), "config.json requires [6000000000]"),
    "absurd number": (in_json("config.json", n_positions=10**4000), "config.json requires [1000"),
    "other width": (in_json("config.json", n_embd=32), "config.json requires"),
    "a tensor too many": (tensors(**{"wte.weight": np.ones((3, 3), "f4")}), "the shape [3, 3]; config.json requires"),
    "an unknown tensor": (tensors(code=np.ones(1, "f4")), "'code' is not a tensor of a GPT-2"),
    "integers": (tensors(**{"ln_f.weight": np.ones(16, "i4")}), "dtype I32; one of F64, F32, F16, BF16 is expected"),
    "a header that lies about its length": (header(b"{}" + b" " * 10, b""), "the tensor 'wte.weight' is missing"),
    "a header longer than the file": (
        lambda folder: (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2**60) + b"{}"),
        "cannot be read as safetensors",
    ),
    "a header that is no JSON": (header(b"nothing"), "cannot be read as safetensors"),
    "offsets outside": (lies([4, 4], [0, 10**12]), "cannot be read as safetensors"),
    "a shape that lies": (lies([10**9, 10**9], [0, 64]), "cannot be read as safetensors"),
    "a shape that overflows": (lies([2**62, 2**62], [0, 64]), "cannot be read as safetensors"),
    "a shard outside": (index({"a": "../outside.safetensors"}), "gpt2/outside.safetensors: the file cannot be read"),
    "an absolute shard": (index({"a": "/etc/passwd"}), "gpt2/passwd: the file cannot be read"),
    "the folder above": (index({"a": ".."}), "cannot be read"),
    "shards of numbers": (index({"a": 1}), "a weight_map from tensors to files"),
    "no shards": (index([]), "a weight_map from tensors to files"),
    "tokenizer of a list": (lambda folder: (folder / "tokenizer.json").write_text("[]"), "be read as a tokenizer"),
    "tokenizer without end": (
        lambda folder: (folder / "tokenizer.json").write_text("[" * 10**5),
        "cannot be read as a tokenizer",
    ),
    "pieces with a prefix": (
        lambda folder: in_json(
            "tokenizer.json",
            model=json.loads((folder / "tokenizer.json").read_text())["model"] | {"continuing_subword_prefix": "##"},
        )(folder),
        "continuing_subword_prefix is '##'; a byte-level BPE does not use it",
    ),
    "another normaliser": (in_json("tokenizer.json", normalizer={"type": "NFC"}), "a byte-level BPE tokenizer"),
    "another decoder": (in_json("tokenizer.json", decoder=None), "a byte-level BPE tokenizer"),
    "a smaller tokenizer": (
        lambda folder: Tokenizer.fit(["some text"], 270).save(folder),
        f"the vocabulary has {len(small_runs.tokenizer())} tokens, but",
    ),
    "a larger tokenizer": (
        lambda folder: Tokenizer.fit([f"w{i} text{i} {i}" for i in range(900)], 800).save(folder),
        f"tokens, but the weights have {len(small_runs.tokenizer())}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_hostile_folders_end_a_training_in_one_line(folder, said, name):
    change, message = FOLDERS[name]
    change(folder)
    talks = folder.with_name("talks.txt")
    talks.write_text("".join(f"Hello {i}.\nHi, {i}.\n\n" for i in range(40)))
    settings = ["--preset", "tiny", "--condition-tokens", "12", "--response-tokens", "8", "--data", talks]
    assert message in said(train.main, "train", *settings, "--model", folder, "--run", "run")


def test_no_network_is_made_of_a_config_that_asks_for_more_than_the_files_hold(folder, monkeypatch):
    in_json("config.json", n_positions=100_000)(folder)
    made = []
    monkeypatch.setattr(hugging_face, "make_network", lambda *arguments: made.append(arguments))
    with pytest.raises(UserError, match=r"config\.json requires"):
        hugging_face.read_network(folder)
    assert not made


def test_tokens_with_ids_beyond_all(tmp_path):
    for ids in ({"he": 10**6}, {"he": 5}):
        values = json.loads(json.dumps(fuzz_targets.TOKENIZER))
        values["model"]["vocab"] |= ids
        (tmp_path / "tokenizer.json").write_text(json.dumps(values))
        with pytest.raises(UserError, match="ids are not consecutive numbers starting at 0"):
            Tokenizer.read(tmp_path)
    (tmp_path / "tokenizer.json").write_text(json.dumps(fuzz_targets.TOKENIZER))
    assert len(Tokenizer.read(tmp_path)) == 258
    assert Tokenizer.read(tmp_path).special(END) == 256


# Runs and bots


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that has just begun. Its checkpoint is a valid file, but does not contain the state of a training run."""
    monkeypatch.chdir(tmp_path)
    training, validation = small_runs.trajectories()
    data = Data(tuple(training), tuple(validation[:2]), tuple(validation[2:]))
    tokenizer = small_runs.tokenizer()
    sizes = GPT2Config(**SIZES | {"vocab_size": len(tokenizer), "n_positions": 32, "eos_token_id": tokenizer.end})
    made = GAILRun.create("run", small_runs.config(), data, tokenizer, sizes, {})
    made.write_checkpoint({"position": 0}, {"a": np.ones(3)})
    return made


def in_config(**changes):
    def change(path):
        values = json.loads((path / "config.json").read_text())
        values["config"].update(changes)
        (path / "config.json").write_text(json.dumps(values))

    return change


def trajectories(line):
    return lambda path: (path / "trajectories.jsonl").write_text(line + "\n")


GOOD_LINE = {"part": "test", "history": [], "prompt": "a", "response": "b", "emotion": None, "source": "",
             "conversation": 0, "turn": 1}  # fmt: skip

RUNS = {
    "checkpoint of another kind": (lambda path: None, "checkpoint.h5: the file is not a checkpoint of this run ("),
    "algorithm of a list": (
        in_config(algorithm=["gail"]),
        "config.json: --algorithm: ['gail'] has the wrong type; str is expected",
    ),
    "unknown setting": (in_config(colour=1), "config.json: 'colour' is not a setting"),
    "absurd rank": (in_config(trainable="lora", lora_rank=10**9), "config.json: --lora-rank: 1000000000 is out of"),
    "infinite target": (in_config(kl_target=float("inf")), "config.json: --kl-target: inf is out of range"),
    "absurd layers": (in_json("model.json", n_layer=10**9), "model.json: n_layer is 1000000000; at most 1000"),
    "absurd width": (in_json("model.json", n_embd=2 * 10**9), "a GPT-2 of these sizes needs"),
    "another vocabulary": (in_json("model.json", vocab_size=1000), "damaged; the tokenizer has"),
    "a number for a text": (trajectories(json.dumps(GOOD_LINE | {"prompt": 5})), "jsonl:1: the line is damaged"),
    "a text for a history": (trajectories(json.dumps(GOOD_LINE | {"history": "ab"})), "jsonl:1: the line is damaged"),
    "a label of a list": (trajectories(json.dumps(GOOD_LINE | {"emotion": ["sad"]})), "jsonl:1: the line is damaged"),
    "deep": (trajectories("[" * 10**5), "jsonl:1: the line is damaged"),
    "half a surrogate pair": (trajectories('{"part": "general", "utterances": ["\\udead"]}'), "1: the line is damaged"),
    "nothing": (
        lambda path: (path / "trajectories.jsonl").write_text(""),
        "jsonl: the file is damaged; it does not contain any",
    ),
    "UTF-16": (
        lambda path: (path / "trajectories.jsonl").write_text("{}\n", encoding="utf-16"),
        "trajectories.jsonl:1: the line contains NUL bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_hostile_runs_end_a_resumption_in_one_line(run, said, name):
    change, message = RUNS[name]
    change(run.path)
    assert message in said(train.main, "train", "--resume", "run")


@pytest.fixture(scope="module")
def good_bot(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "bot.h5"
    settings = small_runs.config(trainable="head")
    training = small_runs.training(settings)
    policies = {"maximum_likelihood": [v.numpy() for v in training.policy.variables]}
    judge = [v.numpy() for v in training.judge.variables]
    Bot(settings, small_runs.tokenizer(), training.policy.network.config, policies, "maximum_likelihood", judge).write(
        path
    )
    return path


def fact(**changes):
    return lambda facts: facts.update(changes)


BOTS = {
    "another format": (fact(format=["x"]), "not a bot that this version can read"),
    "no tokenizer": (fact(tokenizer={}), "no tokenizer; tokenizer.json"),
    "tokenizer of numbers": (fact(tokenizer={"tokenizer.json": 5}), "damaged"),
    "a path for a tokenizer": (fact(tokenizer={"../../tokenizer.json": "{}"}), "no tokenizer"),
    "another tokenizer": (
        fact(tokenizer={"tokenizer.json": json.dumps(fuzz_targets.TOKENIZER)}), "the tokenizer has 261 tokens, but"
    ),
    "a network of a list": (fact(model=[]), "damaged"),
    "absurd GPT-2": (lambda facts: facts["model"].update(n_embd=2 * 10**9), "weights, but GPT-2 has"),
    "a longer GPT-2": (lambda facts: facts["model"].update(n_positions=10**5), "weights, but GPT-2 has"),
    "a network of another kind": (lambda facts: facts["model"].update(model_type="bert"), "one of gpt2, llama, qwen2"),
    "a base of a list": (fact(base=[]), "the base must have exactly the keys name, sha256, rows"),
    "a base that is not here": (
        fact(base={"name": "./nowhere", "sha256": "0" * 64, "rows": 9}), "./nowhere: "
    ),
    "no reference": (fact(reference="nobody"), "damaged"),
    "a reference of a list": (fact(reference=[]), "damaged"),
    "an emotion classifier": (fact(emotions={"labels": ["a", "b"], "words": ["x"]}), "damaged"),
    "settings of a list": (fact(config=[]), "settings must be a JSON object"),
    "absurd RoBERTa": (
        fact(roberta={"tokenizer.json": "{}", "config.json": json.dumps(fuzz_targets.ROBERTA | {"vocab_size": 10**9})}),
        "weights, but RoBERTa has",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOTS)
def test_hostile_bots_end_a_chat_in_one_line(good_bot, said, tmp_path, name):
    facts, arrays = read_arrays(good_bot)
    change, message = BOTS[name]
    change(facts)
    write_arrays(tmp_path / "bot.h5", arrays, facts)
    assert message in said(chat.main, "chat", "bot.h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bot.h5"]
