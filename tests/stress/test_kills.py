"""A short campaign of kills for each paper. `python -m tests.stress.kills` runs the long one."""

import signal
import subprocess
import sys
from random import Random

import numpy as np
import pytest

from keras_gca.storage.arrays import write_arrays
from tests.factories.embedded import write_conversations
from tests.places import PROJECT
from tests.stress import kills
from tests.stress.kills import Plan
from tests.stress.victim import Strike


@pytest.mark.thorough
@pytest.mark.parametrize(("kind", "seed"), [("teacher_forcing", 0), ("ppo", 5), ("token_files", 0)])
def test_trainings_killed_inside_writes_end_with_the_same_bits(kind, seed, tmp_path, monkeypatch):
    """The first seed also kills before the first checkpoint.

    The second one also kills between a checkpoint's two moves.
    """
    for name, value in kills.QUIET.items():
        monkeypatch.setenv(name, value)
    plan = Plan(instants=0, writes=2, faults=0, damages=1, second=False)
    campaign = kills.fight(kind, tmp_path, plan, seed)
    assert campaign.problems == []
    assert campaign.counts["write"] == 2
    assert campaign.counts["damaged"] == 1
    assert campaign.counts["previous taken"] >= 1
    assert campaign.counts["equal"] == campaign.counts["trainings"] == 1


# The test program itself

WRITER = """
import sys
from pathlib import Path
from tests.stress.victim import Call, FileLayer, Strike
folder, how = Path(sys.argv[1]), sys.argv[2]
FileLayer(folder, Strike(Call("write", "b.txt"), 2, how)).install()
for name in ("a.txt", ".b.txt.part", "b.txt", "b.txt"):
    (folder / name).write_text(name + "0123456789")
"""


@pytest.mark.parametrize(
    ("how", "status", "left"),
    [
        ("before", -signal.SIGKILL, ""),
        ("half", -signal.SIGKILL, "b.txt01"),
        ("after", -signal.SIGKILL, "b.txt0123456789"),
        ("ENOSPC", 1, "b.txt01"),
        ("EFBIG", 1, "b.txt01b.txt0123456789"),  # Python tries again when it closes the file
    ],
)
def test_the_chosen_call_is_struck(tmp_path, how, status, left):
    """There are two writes of b.txt. The first one writes to the file's temporary part."""
    command = [sys.executable, "-c", WRITER, str(tmp_path), how]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    assert (tmp_path / "a.txt").read_text() == "a.txt0123456789"
    assert (tmp_path / ".b.txt.part").read_text() == ".b.txt.part0123456789"
    assert (tmp_path / "b.txt").read_text() == left
    assert ("OSError" in done.stderr) == (status == 1)


def test_any_difference_is_seen(tmp_path):
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        (folder / "samples").mkdir(parents=True)
        (folder / "samples" / "1.txt").write_text("a")
        (folder / "log.csv").write_text(f"phase,loss,tokens_per_second\nx,1.5,{len(folder.name)}\n")
        write_arrays(folder / "bot.h5", {"a": np.array([1.0, np.nan])}, {"format": "x"})
    one, other = map(kills.contents, folders)
    assert one.keys() == {"bot.h5", "log.csv", "samples/1.txt"}
    assert kills.equal(one, other)
    write_arrays(folders[1] / "bot.h5", {"a": np.array([np.nextafter(1.0, 2.0), np.nan])}, {"format": "x"})
    assert not kills.equal(one, kills.contents(folders[1]))
    write_arrays(folders[1] / "bot.h5", {"a": np.array([1.0, np.nan])}, {"format": "x"})
    assert kills.equal(one, kills.contents(folders[1]))
    (folders[1] / "samples" / "1.txt").write_text("b")
    assert not kills.equal(one, kills.contents(folders[1]))


@pytest.mark.thorough
@pytest.mark.parametrize("command", [("keras_gca.prepare",), ("gail_tf.prepare", "--pretraining-epochs", "0")])
def test_a_preparation_killed_again_and_again_ends_with_the_same_files(command, tmp_path, monkeypatch):
    """Each process is killed before or after another one of the calls that write to the folder."""
    for name, value in kills.QUIET.items():
        monkeypatch.setenv(name, value)
    write_conversations(tmp_path / "corpus.txt", 200)
    module, *settings = command
    processes = kills.Processes(module, tmp_path)
    arguments = [str(tmp_path / "corpus.txt"), "--preset", "tiny", *settings, "--processes", "1"]

    def start(folder, strike=None):
        return processes.start([*arguments, "--out", str(folder)], folder, strike)

    reference, folder = tmp_path / "reference", tmp_path / "killed"
    first = start(reference)
    assert first.wait() == 0, first.err
    calls, random, statuses = sorted(set(first.calls)), Random(0), []
    for call in random.sample(calls, min(5, len(calls))):
        process = start(folder, Strike(call, 1, random.choice(["before", "after"])))
        statuses.append(process.wait())
        assert statuses[-1] in (0, -signal.SIGKILL), process.err  # 0 if the file was already complete
    assert statuses.count(-signal.SIGKILL) >= 2
    last = start(folder)
    assert last.wait() == 0, last.err
    processes.stop()
    expected = {path.relative_to(reference): path.read_bytes() for path in reference.rglob("*") if path.is_file()}
    found = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found.keys() == expected.keys()
    assert found == expected
