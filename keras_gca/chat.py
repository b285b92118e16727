"""`python -m keras_gca.chat`: chat with a trained model in the terminal."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.serving import chat_command, terminal

if TYPE_CHECKING:  # imports TensorFlow, for which `--help` must not wait
    from keras_gca.agent import Agent, Answer, Decoding

DESCRIPTION = """\
Chat with a trained agent. Each of its generators (teacher forcing, adversarial) answers, and the discriminator chooses
(Eq. 10). An empty line is passed over; Ctrl-D, Ctrl-C or /quit ends the chat.

  python -m keras_gca.chat                      the latest run in runs/
  python -m keras_gca.chat runs/NAME            that run
  python -m keras_gca.chat bot.h5 --verbose     a bot file, with both answers and their scores
  python -m keras_gca.chat --web                in the browser, with what the discriminator makes of every word
  python -m keras_gca.chat --original DIR       the author's own files: vocabulary_movie and my_model_weights*.h5
"""

RELEVANT = 0.2  # the author's program keeps its last reply in the context if that reply was likelier than this


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    options.context = options.context or ("author" if options.original and not options.web else "paper")
    if options.utterances and options.context == "author":
        raise UserError("--utterances belongs to --context paper; the author's rule takes one or two")
    if options.web and options.context == "author":
        raise UserError("--web answers the last N_u utterances; --context author is for the terminal")
    if options.bot and options.original:
        raise UserError(f"either a bot ({options.bot}) or --original, not both")
    path = options.original or options.bot or _latest_run()
    with command_line.quiet_imports():
        from keras_gca.agent import CHAT_BEAM, Agent, Decoding
        from keras_gca.original import agent

    if options.greedy and (options.temperature or options.beam):
        raise UserError("--greedy leaves no room for --temperature or --beam")
    if not (options.greedy or options.temperature or options.beam or options.original):
        options.beam = CHAT_BEAM
    decoding = Decoding(options.temperature, options.top_k, options.top_p, options.beam)
    agent = agent.load(path) if options.original else Agent.load(path)
    if options.original and options.verbose:
        print("\n".join(agent.report))
    if options.web:
        return chat_command.serve(agent, decoding, options, path, options.utterances)
    folder = path if path.is_dir() and not options.original else Path()
    return terminal.talk(agent, _reply(agent, decoding, options), options, path, folder)


def _reply(
    agent: "Agent", decoding: "Decoding", options: argparse.Namespace
) -> "Callable[[list[str], int], list[Answer]]":
    """Answers a conversation by the paper's rule for the context, or by the author's, which looks at the last reply."""
    last: list[Answer] = []

    def reply(history: list[str], turn: int) -> "list[Answer]":
        if options.context == "author":
            count = 2 if last and last[0].probability_of_words > RELEVANT else 1
        else:
            count = options.utterances or agent.config.context_utterances
        last[:] = agent.answers(history, count, decoding, options.seed + turn)
        return list(last)

    return reply


def _latest_run() -> Path:
    found = (bot for bot in Path("runs").glob("*/bot.h5") if (bot.parent / "pairs.h5").exists())  # not of gail_tf
    bots = sorted(found, key=lambda bot: bot.stat().st_mtime)
    if not bots:
        raise UserError(
            "no trained model in runs/; name a run folder or a bot.h5, or train one: python -m keras_gca.train"
        )
    return bots[-1].parent


def _parser() -> command_line.Parser:
    parser = command_line.Parser(prog="python -m keras_gca.chat", description=DESCRIPTION)
    parser.add_argument("bot", nargs="?", type=Path, help="a run folder or a bot.h5; the latest run if not given")
    parser.add_argument(
        "--original",
        type=Path,
        metavar="DIR",
        help="chat with the author's files as his program does: --context author; the likelier answer wins if "
        "it is likelier than 0.9, else the one with the higher score",
    )
    parser.add_argument(
        "--context",
        choices=("paper", "author"),
        help="what is answered. paper (default without --original): the last N_u utterances. author, his program's: "
        "the last reply and the user's line if that reply's p(y|x), EOS left out, exceeded 0.2, else the line alone",
    )
    parser.add_argument("--utterances", type=command_line.at_least_one, metavar="N", help="N_u, if not the training's")
    parser.add_argument(
        "--greedy", action="store_true", help="Algorithm 1: the likeliest token at every step [always with --original]"
    )
    parser.add_argument("--temperature", type=float, metavar="X", help="sample at this temperature")
    parser.add_argument("--top-k", type=int, metavar="N", help="sample among the N likeliest tokens")
    parser.add_argument(
        "--top-p", type=float, default=1.0, metavar="X", help="sample among the likeliest, up to probability X"
    )
    parser.add_argument("--beam", type=int, metavar="N", help="beam search of this width [5]")
    chat_command.add_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "chat"))
