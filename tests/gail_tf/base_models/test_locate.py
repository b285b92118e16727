"""A model's name leads to its folder: a folder or file of this name comes first, then a known model, then the Hub."""

import hashlib
import json
import os
import subprocess
import sys
import types

import huggingface_hub
import pytest

from gail_tf.base_models import conversion, known_models, locate, wheels
from gail_tf.base_models import identity as identities
from gail_tf.base_models.cache import cache_folder
from gail_tf.base_models.identity import identity
from keras_gca.errors import UserError
from tests.factories.gguf_models import write_wheel

MEMBER = "pkg/Some-Model.Q4_0.gguf"


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("CONVERSATIONAL_AGENTS_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("CONVERSATIONAL_AGENTS_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "conversational-agents"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "conversational-agents"


def test_a_folder_is_itself_whatever_its_name(tmp_path, monkeypatch, index):
    monkeypatch.chdir(tmp_path)
    for name in ("toy", "gpt2", "model.gguf"):
        (tmp_path / name).mkdir()
        assert str(locate.locate(name)) == name


def test_a_gguf_file_is_converted_once(tmp_path, cache_path, toy, monkeypatch, capsys):
    (tmp_path / "Own-Model.gguf").write_bytes(toy)
    folder = locate.locate(tmp_path / "Own-Model.gguf")
    assert json.loads((folder / "config.json").read_text())["model_type"] == "llama"
    assert "converting Own-Model into" in capsys.readouterr().out
    monkeypatch.setattr(conversion, "make_converted", None)
    (tmp_path / "Own-Model.gguf").rename(tmp_path / "another-name.gguf")
    assert locate.locate(str(tmp_path / "another-name.gguf")) == folder
    assert identity(folder)[0] == "Own-Model"
    assert sorted(os.listdir(tmp_path)) == ["another-name.gguf", "cache"]


def test_a_wheel_and_its_file_are_the_same_model(tmp_path, cache_path, toy, monkeypatch):
    wheel = write_wheel(tmp_path, {MEMBER: toy, "pkg/__init__.py": b"raise SystemExit"})
    folder = locate.locate(wheel)
    assert identity(folder)[0] == "Some-Model.Q4_0"
    (tmp_path / "a.gguf").write_bytes(toy)
    monkeypatch.setattr(conversion, "make_converted", None)
    assert locate.locate(tmp_path / "a.gguf") == locate.locate(wheel) == folder


def test_a_known_name(index, cache_path, toy, tmp_path):
    folder = locate.locate("toy", agreed=True)
    assert folder == known_models.KNOWN["toy"].folder
    assert identity(folder)[0] == "Toy-Instruct"


def test_the_file_of_a_known_model_has_its_name_whatever_it_is_called(index, cache_path, toy, tmp_path):
    (tmp_path / "model.gguf").write_bytes(toy)
    assert identity(locate.locate(tmp_path / "model.gguf"))[0] == "Toy-Instruct"


def damaged(path, toy):
    content = bytearray(write_wheel(path.parent, {MEMBER: toy}).read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path, toy: path.write_bytes(b""), r"cannot be read as a wheel \(File is not a zip file\)"),
        (lambda path, toy: write_wheel(path.parent, {"a.txt": b""}).rename(path), r"the wheel contains 0 \.gguf files"),
        (
            lambda path, toy: write_wheel(path.parent, {"a.gguf": toy, "b.gguf": toy}).rename(path),
            r"the wheel contains 2 \.gguf files; exactly one is expected",
        ),
        (lambda path, toy: write_wheel(path.parent, {MEMBER: toy[:99]}).rename(path), r"cannot be read as GGUF"),
        (damaged, r"damaged \("),
    ],
)  # fmt: skip
def test_wheels_that_cannot_be_read(tmp_path, cache_path, toy, make, message):
    make(tmp_path / "bad.whl", toy)
    with pytest.raises(UserError, match=message) as error:
        locate.locate(tmp_path / "bad.whl")
    assert "\n" not in str(error.value)
    left = os.listdir(cache_path) if cache_path.exists() else []
    assert [name for name in left if not name.endswith(".lock")] == []


def test_a_wheel_larger_than_it_says(tmp_path, cache_path):
    """The directory of the archive states 100 bytes, and the file unpacks to 10 million."""
    wheel = write_wheel(tmp_path, {MEMBER: bytes(10_000_000)})
    content = bytearray(wheel.read_bytes())
    place = content.rindex(MEMBER.encode()) - 46
    assert content[place : place + 4] == b"PK\1\2"
    content[place + 24 : place + 28] = (100).to_bytes(4, "little")
    wheel.write_bytes(content)
    with pytest.raises(UserError):
        wheels.copy_member(wheel, MEMBER, tmp_path / "out")
    assert (tmp_path / "out").stat().st_size <= 100


def test_an_encrypted_wheel(tmp_path, toy):
    wheel = write_wheel(tmp_path, {MEMBER: toy})
    content = bytearray(wheel.read_bytes())
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + place] |= 1
    wheel.write_bytes(content)
    with pytest.raises(UserError, match="in the wheel cannot be read"):
        wheels.copy_member(wheel, MEMBER)
    with pytest.raises(UserError, match=r"absent\.gguf in the wheel cannot be read"):
        wheels.copy_member(wheel, "absent.gguf")


def test_a_disk_too_small_for_a_wheel(tmp_path, toy, monkeypatch):
    wheel = write_wheel(tmp_path, {MEMBER: toy})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: types.SimpleNamespace(free=10))
    with pytest.raises(UserError, match="MB are needed, but 0 MB are free"):
        wheels.copy_member(wheel, MEMBER, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_that_are_no_models(tmp_path):
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(UserError, match=r"a\.txt: a folder, or a file that ends with \.gguf or \.whl, is expected"):
        locate.locate(tmp_path / "a.txt")
    for name in ("models/absent.gguf", "absent.whl"):
        with pytest.raises(UserError, match=f"^{name}: no such file$"):
            locate.locate(name)


# Identity


def test_the_identity_is_computed_once_and_again_when_the_weights_change(tmp_path, cache_path, monkeypatch):
    model = tmp_path / "models--owner--name" / "snapshots" / "0123"
    model.mkdir(parents=True)
    (model / "model-00002-of-00002.safetensors").write_bytes(b"second")
    (model / "model-00001-of-00002.safetensors").write_bytes(b"first ")
    expected = "owner/name", hashlib.sha256(b"first second").hexdigest()
    assert identity(model) == expected
    with monkeypatch.context() as patched:
        patched.setattr(identities, "file_sha256", None)
        assert identity(model) == expected
    (model / "model-00001-of-00002.safetensors").write_bytes(b"other ")
    os.utime(model / "model-00001-of-00002.safetensors", ns=(1, 1))
    assert identity(model) == ("owner/name", hashlib.sha256(b"other second").hexdigest())
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: no file matches model\*\.safetensors"):
        identity(tmp_path / "empty")


def test_the_identity_needs_no_cache(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONVERSATIONAL_AGENTS_CACHE", str(tmp_path / "file" / "cache"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "model.safetensors").write_bytes(b"abc")
    name, sha256 = identity(tmp_path / "own")
    assert (name, sha256) == ("own", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")  # FIPS 180


# The Hub


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hub with one model that is not downloaded yet. It records the calls."""
    calls, folder = [], tmp_path / "hub" / "models--owner--small" / "snapshots" / "1"

    def snapshot_download(name, local_files_only=False, **options):
        calls.append("local" if local_files_only else "fetched")
        if not local_files_only:
            folder.mkdir(parents=True, exist_ok=True)
            for file in ("config.json", "model.safetensors"):
                (folder / file).write_text("{}")
        elif not folder.exists():
            raise huggingface_hub.errors.LocalEntryNotFoundError("not here")
        return str(folder)

    def model_info(self, name, files_metadata, timeout):
        calls.append("asked")
        if name != "owner/small":
            raise OSError("no such model")
        files = {"config.json": 1_000_000, "model.safetensors": 5_000_000, "pytorch_model.bin": 5_000_000_000}
        siblings = [types.SimpleNamespace(rfilename=file, size=size) for file, size in files.items()]
        return types.SimpleNamespace(siblings=siblings, card_data={"license": "mit"})

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    return folder, calls


def test_a_model_of_the_hub_is_fetched_after_agreement(hub, capsys):
    folder, calls = hub
    with pytest.raises(UserError, match="nothing was fetched"):
        locate.locate("owner/small")
    assert calls == ["local", "asked"]
    assert capsys.readouterr().out.startswith("owner/small: 6 MB, mit, from the Hugging Face Hub, into /")
    assert locate.locate("owner/small", agreed=True) == folder
    calls.clear()
    assert locate.locate("owner/small") == folder  # the user is not asked again
    assert calls == ["local"]


def test_a_part_of_a_model_is_not_the_model(hub):
    folder, calls = hub
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    with pytest.raises(UserError, match="nothing was fetched"):
        locate.locate("owner/small")
    (folder / "model-1.safetensors").write_text("")
    calls.clear()
    assert locate.locate("owner/small") == folder
    assert calls == ["local"]


def test_names_that_the_hub_does_not_have(hub):
    with pytest.raises(
        UserError,
        match=r"^nobody/nothing: there is no such folder, and the model is not available on the Hub \(no such model",
    ):
        locate.locate("nobody/nothing")


def test_names_that_cannot_be_on_the_hub():
    for name in ("a b", "a/b/c", "../there"):
        with pytest.raises(UserError, match=r"not a folder; a folder with config\.json and model\.safetensors"):
            locate.locate(name)


# Dependencies


def test_converting_imports_neither_pytorch_nor_tensorflow(tmp_path, toy):
    (tmp_path / "a.gguf").write_bytes(toy)
    code = (
        "import pathlib, sys; from gail_tf.base_models.conversion import convert_file\n"
        "convert_file(pathlib.Path(sys.argv[1])); print({'torch', 'tensorflow', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.gguf")],
        env=os.environ | {"CONVERSATIONAL_AGENTS_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"
