"""`python -m keras_gca.watch RUN`: look at a training run of either paper in the browser while it runs."""

import argparse
import sys
from pathlib import Path

from keras_gca.engine import command_line, loading
from keras_gca.serving import watch_command

DESCRIPTION = """\
Show a run of either paper on a local web page, while it trains or afterwards: curves, the discriminator's view of
held-out samples, and the replies to your own questions after each epoch. The training itself may have been started
without --watch; it answers the questions from its next epoch on.
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
    print("Ctrl-C ends the live view, and not the training", flush=True)
    local_server.serve_until_stopped(server)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command's options."""
    parser = command_line.Parser(prog="python -m keras_gca.watch", description=DESCRIPTION)
    parser.add_argument("run", type=Path, help="the run folder")
    watch_command.add_page_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "watch"))
