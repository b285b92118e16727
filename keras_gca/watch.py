"""`python -m keras_gca.watch RUN`: watch a training run of either paper in the browser."""

import argparse
import sys
from pathlib import Path

from keras_gca.engine import command_line, loading
from keras_gca.serving import watch_command

DESCRIPTION = """\
Show a run of either paper on a local web page, during training or afterwards: curves, the discriminator's scores for
held-out samples, and replies to your own questions after each epoch. If training was started without --watch, your
questions are answered from the next epoch on.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    options = make_parser().parse_args(arguments)
    questions = watch_command.asked(options)
    from keras_gca.storage.run_folder import RunFolder

    run: RunFolder = RunFolder.open(options.run)
    with loading.needs_extra("web"):
        from keras_gca.serving import live_page, local_server
    listening = live_page.take_port(options.watch_port)
    server = live_page.prepare(run.path, listening, questions)
    print("Ctrl-C ends the live view, but not the training run", flush=True)
    local_server.serve_until_stopped(server)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Make the command's argument parser."""
    parser = command_line.Parser(prog="python -m keras_gca.watch", description=DESCRIPTION)
    parser.add_argument("run", type=Path, help="the run folder")
    watch_command.add_page_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "watch"))
