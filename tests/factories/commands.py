"""Runs commands as a user does, in new processes or in this one, and defines small training runs of both papers."""

import contextlib
import io
import os
import subprocess
import sys

from keras_gca import train
from keras_gca.engine import command_line
from tests.places import PROJECT

# Options of keras_gca.train for a whole training run that takes seconds.
SMALL_GCA = [
    "--preset", "tiny", "--max-pairs", "40", "--vocabulary-size", "60", "--teacher-forcing-epochs", "1",
    "--machine-pairs", "8", "--discriminator-epochs", "1", "--seed", "5",
]  # fmt: skip

CORPUS = PROJECT / "gail_tf" / "data" / "corpus"
# The longer conversations of the embedded corpus: even a few of them have one, two and three turns.
LONGER = ["--data", str(CORPUS / "conversations.csv"), "--tweets", str(CORPUS / "uplifting.txt")]

# Options of gail_tf.train for a whole training run that takes seconds.
SMALL_GAIL = [
    "--preset", "tiny", "--max-trajectories", "40", "--pretraining-epochs", "0", "--mle-epochs", "1", "--updates", "3",
    "--rollouts", "8", "--discriminator-steps", "1", "--response-tokens", "8", "--trainable", "head", "--dropout", "0",
    "--warmup-steps", "0",
]  # fmt: skip


def start(module, *arguments, folder, **options):
    """Start a command of keras_gca in a folder. Its input, output and errors are pipes."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", f"keras_gca.{module}", *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes, **options)


def run(module, *arguments, folder, text=None, timeout=300):
    """Run a command of keras_gca and type `text` into it. Return its status, its output and its errors."""
    process = start(module, *arguments, folder=folder)
    out, err = process.communicate(text, timeout=timeout)
    return process.returncode, out, err


def train_here(*arguments):
    """Run `keras_gca.train` in this process. Return its status, its output and its errors."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            status = command_line.run(train.main, "train", list(map(str, arguments)))
        except SystemExit as end:
            status = end.code
    return status, out.getvalue(), err.getvalue()
