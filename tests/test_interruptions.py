"""Ctrl-C ends a command that is starting without a traceback and without a line of TensorFlow."""

import os
import signal
import subprocess
import sys
import threading

import pytest

import gail_tf.__main__
import keras_gca.__main__
from keras_gca import interruption
from keras_gca.engine import loading
from tests.places import PROJECT

pytestmark = pytest.mark.thorough  # each test starts a process

# Python runs this before anything else. The import of a module then writes a line as TensorFlow does, and interrupts.
INTERRUPT = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            os.write(2, b"I0000 a line of TensorFlow" if name == "tensorflow" else b"")
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
"""

COMMANDS = [
    *(f"keras_gca.{name}" for name in keras_gca.__main__.COMMANDS),
    *(f"gail_tf.{name}" for name in gail_tf.__main__.COMMANDS),
]
LOADING = [
    ("keras_gca.train", "--preset", "tiny", "--run", "run"),
    ("keras_gca.chat", "--shipped"),
    ("keras_gca.evaluate", "run"),
    ("keras_gca.figures",),
    ("gail_tf.train", "--preset", "tiny", "--run", "run"),
    ("gail_tf.evaluate", "run"),
]


def interrupted(folder, place, *command):
    """Run a command that is interrupted when it imports a module. Return its status and what it printed."""
    (folder / "sitecustomize.py").write_text(INTERRUPT)
    path = os.pathsep.join([str(folder), str(PROJECT)])
    environment = os.environ | {"PYTHONPATH": path, "INTERRUPT_AT": place}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_while_the_modules_of_a_command_are_imported(command, tmp_path):
    assert interrupted(tmp_path, "keras_gca.engine.command_line", command) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("command", LOADING, ids=lambda command: command[0])
def test_while_tensorflow_is_imported(command, tmp_path):
    assert interrupted(tmp_path, "tensorflow", *command) == (-signal.SIGINT, "", "")
    assert not (tmp_path / "run").exists()


def test_other_programs_handle_ctrl_c_as_before(tmp_path):
    program = tmp_path / "mine.py"
    program.write_text("try:\n    import keras_gca.engine.command_line\nexcept KeyboardInterrupt:\n    print('mine')\n")
    assert interrupted(tmp_path, "keras_gca.engine.command_line", "mine") == (0, "mine\n", "")


def test_a_handler_of_the_program_is_left_alone():
    def handler(*_):
        raise AssertionError("not called")

    previous = signal.signal(signal.SIGINT, handler)
    try:
        with interruption.ends_at_once():
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, previous)
    with interruption.ends_at_once():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_imports_in_another_thread_change_no_handler():
    seen = []

    def load():
        with loading.quiet_imports():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=load)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
