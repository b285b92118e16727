"""A run folder loses nothing that was saved if the disk or the power fails, or if another process interferes."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from keras_gca.errors import DivergedError, UserError
from keras_gca.storage.arrays import HEADER, MARK, ArrayFile, read_arrays, read_facts, write_arrays
from keras_gca.storage.run_folder import CHECKPOINT, PREVIOUS, lock
from keras_gca.training.run_folder import GCARun
from tests.places import PROJECT


def arrays(number: int) -> dict[str, np.ndarray]:
    return {"weights": np.full((50, 40), number, np.float32), "steps": np.array(number)}


@pytest.fixture
def run(tmp_path):
    """A run with two checkpoints, which have the numbers 1 and 2."""
    made = GCARun(tmp_path)
    for number in (1, 2):
        made.write_checkpoint({"number": number}, arrays(number))
    return made


def number_of(run: GCARun) -> int:
    """Return the number of the run's checkpoint. Its values and arrays must fit together."""
    facts, found = run.read_checkpoint()
    np.testing.assert_array_equal(found["weights"], arrays(facts["number"])["weights"])
    return facts["number"]


# Damaged files


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]


def test_any_damage_is_found_and_the_checkpoint_before_is_taken(run, capsys):
    content = (run.path / CHECKPOINT).read_bytes()
    assert content.startswith(MARK)
    random = np.random.default_rng(0)
    places = random.integers(HEADER, len(content), 200).tolist()
    spoiled = [flipped(content, place) for place in [*places, len(MARK), len(MARK) + 63, len(content) - 1]]
    spoiled += [content[:length] for length in (0, 1, 100, HEADER, HEADER + 1, len(content) // 2, len(content) - 1)]
    spoiled.append(content + b"\0")
    for each in spoiled:
        (run.path / CHECKPOINT).write_bytes(each)
        with pytest.raises(
            UserError, match=r"checkpoint\.h5: the file is incomplete, or was not written by this program"
        ):
            read_arrays(run.path / CHECKPOINT)
        assert number_of(run) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "checkpoint.h5: the file is incomplete, or was not written" in said
        assert said.endswith("; the previous checkpoint is used\n")


def test_a_damaged_checkpoint_never_replaces_the_one_before(run, capsys):
    (run.path / CHECKPOINT).write_bytes(b"nothing")
    assert number_of(run) == 1
    run.write_checkpoint({"number": 3}, arrays(3))
    assert read_arrays(run.path / CHECKPOINT)[0]["number"] == 3
    assert read_arrays(run.path / PREVIOUS)[0]["number"] == 1
    run.write_checkpoint({"number": 4}, arrays(4))
    assert read_arrays(run.path / PREVIOUS)[0]["number"] == 3


def test_the_checkpoint_before_is_discarded_only_if_the_last_one_is_whole(run):
    content = (run.path / CHECKPOINT).read_bytes()
    (run.path / CHECKPOINT).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    run.discard_previous()
    assert read_arrays(run.path / PREVIOUS)[0]["number"] == 1
    (run.path / CHECKPOINT).write_bytes(content)
    run.discard_previous()
    assert not (run.path / PREVIOUS).exists()
    assert read_arrays(run.path / CHECKPOINT)[0]["number"] == 2
    run.discard_previous()  # nothing is left to discard


def test_two_damaged_checkpoints_are_one_error(run):
    for name in (CHECKPOINT, PREVIOUS):
        (run.path / name).write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"checkpoint\.previous\.h5: the file is incomplete, or was not written"):
        run.read_checkpoint()


def test_facts_are_read_without_the_arrays(run, capsys, monkeypatch):
    monkeypatch.setattr(ArrayFile, "names", lambda file, group: pytest.fail("the arrays are looked for"))
    monkeypatch.setattr("keras_gca.storage.arrays._checksum", lambda stream: pytest.fail("the whole file is read"))
    assert run.read_facts() == read_facts(run.path / CHECKPOINT) == {"number": 2}
    content = (run.path / CHECKPOINT).read_bytes()
    for spoiled in (b"", b"nothing", content[:100], content[: len(content) // 2], content.replace(b'{"', b"[[")):
        (run.path / CHECKPOINT).write_bytes(spoiled)
        with pytest.raises(
            UserError, match=r"checkpoint\.h5: the file is incomplete, or was not written by this program"
        ):
            read_facts(run.path / CHECKPOINT)
        assert run.read_facts() == {"number": 1}
        assert capsys.readouterr().err.endswith("; the previous checkpoint is used\n")
    (run.path / PREVIOUS).unlink()
    with pytest.raises(UserError, match=r"checkpoint\.h5: the file is incomplete, or was not written"):
        run.read_facts()
    (run.path / CHECKPOINT).unlink()
    with pytest.raises(UserError, match=r"checkpoint\.h5: no such file"):
        run.read_facts()


def test_a_damaged_checkpoint_whose_facts_were_read_never_replaces_the_one_before(run):
    (run.path / CHECKPOINT).write_bytes(b"nothing")
    run.read_facts()
    run.write_checkpoint({"number": 3}, arrays(3))
    assert read_arrays(run.path / PREVIOUS)[0]["number"] == 1


def test_files_of_earlier_versions_have_no_checksum(tmp_path):
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.create_dataset("facts", data=np.frombuffer(b'{"n": 1}', np.uint8))
        file.create_dataset("arrays/a", data=np.ones(2))
    facts, found = read_arrays(tmp_path / "old.h5")
    assert facts == read_facts(tmp_path / "old.h5") == {"n": 1}
    np.testing.assert_array_equal(found["a"], [1, 1])


# Writes that fail


def fail(number: int):
    def failing(*arguments, **options):
        raise OSError(number, os.strerror(number))

    return failing


FAULTS = {
    "no space for a part": (h5py.Group, "create_dataset", errno.ENOSPC),
    "no space at the end": (os, "fsync", errno.ENOSPC),
    "the disk fails": (os, "fsync", errno.EIO),
    "no move": (Path, "replace", errno.EIO),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_checkpoint_that_cannot_be_written_leaves_the_old_ones(run, name, monkeypatch):
    owner, function, number = FAULTS[name]
    with monkeypatch.context() as patched:
        patched.setattr(owner, function, fail(number))
        with pytest.raises(OSError, match=os.strerror(number)):
            run.write_checkpoint({"number": 3}, arrays(3))
    assert number_of(run) == 2
    assert read_arrays(run.path / PREVIOUS)[0]["number"] == 1
    run.write_checkpoint({"number": 4}, arrays(4))
    assert number_of(run) == 4
    assert read_arrays(run.path / PREVIOUS)[0]["number"] == 2
    assert not list(run.path.glob("*.part"))


@pytest.mark.parametrize(("moves", "number"), [(0, 2), (1, 3)])
def test_between_any_two_moves_both_checkpoints_are_whole_and_two_files(run, moves, number, monkeypatch):
    """The checkpoints must not be links to one file: damage to one must not damage the other."""
    move, done = Path.replace, []

    def failing(self, target):
        if len(done) == moves:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self))
        done.append(target)
        return move(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", failing)
        with pytest.raises(OSError, match="Input/output error") as raised:
            run.write_checkpoint({"number": 3}, arrays(3))
    assert raised.value.filename == str(run.path / CHECKPOINT)
    assert number_of(run) == number
    assert read_arrays(run.path / PREVIOUS)[0]["number"] == 1
    assert not (run.path / CHECKPOINT).samefile(run.path / PREVIOUS)
    assert not list(run.path.glob("*.part"))


def test_a_training_removes_what_a_killed_one_was_writing(run):
    parts = [run.path / f".{name}.part" for name in (CHECKPOINT, PREVIOUS)]
    for part in parts:
        part.write_bytes(b"half")
    with lock(run.path):
        assert not any(part.exists() for part in parts)
    assert number_of(run) == 2


def test_networks_are_only_written_where_there_is_space(run, monkeypatch):
    """HDF5 crashes on a full disk. Therefore Keras must not write to a disk without enough space."""
    network = SimpleNamespace(get_weights=lambda: [np.zeros(1000)], save_weights=lambda path: path.write_text("saved"))
    run.write_weights("generator", network)
    written = run.path / "generator.weights.h5"
    assert written.read_text() == "saved"
    network.save_weights = lambda path: pytest.fail("was written")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", fail(errno.ENOSPC))
        with pytest.raises(OSError, match="No space") as raised:
            run.write_weights("generator", network)
    assert raised.value.filename == str(written)
    assert written.read_text() == "saved"


def test_a_file_system_without_links(run, monkeypatch):
    monkeypatch.setattr(os, "link", fail(errno.EPERM))
    run.write_checkpoint({"number": 3}, arrays(3))
    assert number_of(run) == 3
    assert read_arrays(run.path / PREVIOUS)[0]["number"] == 2


WRITER = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from keras_gca.storage.run_folder import RunFolder
run = RunFolder(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
many = {f"weights/{i}": np.full((50, 40), 3, np.float32) for i in range(20)}
run.write_checkpoint({"number": 3}, many)
"""


@pytest.mark.parametrize("limit", [1, 600, 4000, 9000, 60000, 160000])
def test_a_short_write_leaves_the_old_checkpoints(run, limit):
    """The kernel refuses to write beyond the limit. If HDF5 met this error itself, the project could not catch it."""
    command = [sys.executable, "-c", WRITER, str(run.path), str(limit)]
    failed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert failed.returncode == 1
    assert "Exception ignored" not in failed.stderr
    assert failed.stderr.endswith(f"OSError: [Errno 27] File too large: '{run.path / CHECKPOINT}'\n")
    assert number_of(run) == 2
    assert read_arrays(run.path / PREVIOUS)[0]["number"] == 1


def test_numbers_that_are_none_are_not_written(run):
    for bad in (np.nan, np.inf, -np.inf):
        broken = arrays(3)
        broken["weights"][7, 7] = bad
        with pytest.raises(DivergedError, match="training has diverged: weights contains NaN or infinity"):
            run.write_checkpoint({"number": 3}, broken)
    assert number_of(run) == 2


# Two processes

HOLDER = """
import sys, time
from pathlib import Path
from keras_gca.storage.run_folder import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_second_process_on_a_folder_is_refused_until_the_first_ends_even_by_force(tmp_path):
    path = tmp_path / "deep" / "run"
    command = [sys.executable, "-c", HOLDER, str(path)]
    holder = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(UserError, match="another process is training in this folder"), lock(path):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with lock(path):
        assert path.is_dir()


def test_a_copied_run_is_free(run, tmp_path_factory):
    with lock(run.path):
        other = tmp_path_factory.mktemp("copy") / "run"
        shutil.copytree(run.path, other)
        with lock(other):
            assert number_of(GCARun(other)) == 2


def test_bots_have_a_checksum_too(tmp_path):
    write_arrays(tmp_path / "bot.h5", arrays(1), {"format": "x"})
    content = (tmp_path / "bot.h5").read_bytes()
    (tmp_path / "bot.h5").write_bytes(flipped(content, len(content) // 2))
    with pytest.raises(
        UserError,
        match=r"bot\.h5: the file is incomplete, or was not written by this program \(its checksum is wrong\)",
    ):
        read_arrays(tmp_path / "bot.h5")
