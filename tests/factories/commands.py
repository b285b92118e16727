"""The first paper's commands as a user runs them, each in a process of its own; a small training of the second's."""

import os
import subprocess
import sys

from tests.places import PROJECT

# Options of gail_tf.train: a whole training of seconds.
SMALL_GAIL = [
    "--preset", "tiny", "--max-trajectories", "40", "--pretraining-epochs", "0", "--mle-epochs", "1", "--updates", "3",
    "--rollouts", "8", "--discriminator-steps", "1", "--response-tokens", "8", "--trainable", "head", "--dropout", "0",
    "--warmup-steps", "0",
]  # fmt: skip


def start(module, *arguments, folder, **options):
    """A command of keras_gca in a folder; its input, output and errors are pipes."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", f"keras_gca.{module}", *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes, **options)


def run(module, *arguments, folder, text=None, timeout=300):
    """The status of such a command, its output and its errors; text: what is typed."""
    process = start(module, *arguments, folder=folder)
    out, err = process.communicate(text, timeout=timeout)
    return process.returncode, out, err
