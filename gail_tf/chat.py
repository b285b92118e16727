"""`python -m gail_tf.chat`: chat with a trained agent in the terminal or in the browser."""

import argparse
import dataclasses
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from keras_gca.engine import command_line
from keras_gca.serving import chat_command, terminal
from keras_gca.serving.protocol import Decodings

if TYPE_CHECKING:
    from keras_gca.serving.protocol import Answer

DESCRIPTION = """\
Chat with a trained agent. Its policies (after maximum likelihood, and after imitation) respond to the conversation so
far, and the discriminator chooses. /help lists the commands; Ctrl-D, Ctrl-C or /quit ends the chat.

  python -m gail_tf.chat                       the latest run in runs/, or the shipped bot if there is none
  python -m gail_tf.chat --shipped             the shipped bot: adapters of the pretrained network SmolLM2-135M
  python -m gail_tf.chat RUN --candidates 4    draw four responses from each policy; the discriminator chooses
  python -m gail_tf.chat RUN --web             chat in the browser
  python -m gail_tf.chat RUN --say "Hello!" --json    one reply for a script, as a line of JSON

This is a research program. A message that speaks of self-harm or danger is answered with a note, before any model runs.
"""

SHIPPED = Path(__file__).parent / "data" / "shipped" / "bot.h5"
EXAMPLES = ("I lost my job last week.", "My sister is getting married!", "I have an exam tomorrow and I am nervous.")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    options = make_parser().parse_args(arguments)
    chat_command.check(options)
    path, notice = chat_command.bot_of("gail_tf", options, SHIPPED)
    listening = chat_command.listen(options, path)
    with command_line.quiet_imports(f"TensorFlow, and then {path}"):
        from gail_tf.agent import GAILAgent, Replying

    replying = Replying(options.temperature, options.top_p, options.candidates)
    agent = GAILAgent.load(path, options.agreed)
    agent.notes_crises, agent.crisis_lines = not options.no_crisis_note, options.crisis_line
    if listening is not None:
        drawing = f"drawing words at temperature {replying.temperature:g}"
        decodings = Decodings(
            replying,
            drawing if replying.temperature else "the likeliest token at every step",
            replying.temperature > 0,
            lambda temperature: dataclasses.replace(replying, temperature=temperature),
        )
        return chat_command.serve(agent, decodings, options, path, options.history, listening, notice, EXAMPLES)

    def reply(history: list[str], turn: int) -> "list[Answer]":
        return agent.answers(history, options.history, replying, options.seed + turn)

    folder = path if path.is_dir() else Path()
    return terminal.talk(agent, reply, options, path, folder, notice, functools.partial(reply, list(EXAMPLES[:1]), 0))


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command's options."""
    parser = command_line.Parser(prog="python -m gail_tf.chat", description=DESCRIPTION)
    chat_command.add_options(parser)
    parser.add_argument(
        "--history",
        type=command_line.at_least_one,
        metavar="N",
        help="how many utterances are read, including the prompt (default: all that fit, as in the paper)",
    )
    parser.add_argument(
        "--candidates",
        type=command_line.at_least_one,
        default=1,
        metavar="N",
        help="how many responses each policy draws [1]",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=0.9,
        metavar="X",
        help="sampling temperature; 0 takes the likeliest token [0.9]",
    )
    parser.add_argument(
        "--top-p",
        type=float,
        default=0.9,
        metavar="X",
        help="draw from the likeliest tokens that together have this probability [0.9]",
    )
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "chat"))
