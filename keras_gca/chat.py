"""`python -m keras_gca.chat`: chat with a trained model in the terminal."""

import argparse
import contextlib
import datetime
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from keras_gca import command_line
from keras_gca.errors import UserError

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
        from keras_gca import original
        from keras_gca.agent import CHAT_BEAM, Agent, Decoding

    if options.greedy and (options.temperature or options.beam):
        raise UserError("--greedy leaves no room for --temperature or --beam")
    if not (options.greedy or options.temperature or options.beam or options.original):
        options.beam = CHAT_BEAM
    decoding = Decoding(options.temperature, options.top_k, options.top_p, options.beam)
    agent = original.load(path) if options.original else Agent.load(path)
    if options.original and options.verbose:
        print("\n".join(agent.report))
    if options.web:
        return _serve(agent, decoding, options, path)
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (line editing and recall, where the platform has them)

    print(
        f"{path}: {' and '.join(name.replace('_', ' ') for name in agent.generators)}, {len(agent.vocabulary):,} words"
    )
    print("Type a line and press Enter; Ctrl-D ends the chat.\n")
    with _transcript(options, path) as transcript:
        _talk(agent, decoding, options, transcript)
    if transcript is not None:
        print(f"\ntranscript: {transcript.name}")
    return 0


def _serve(agent: "Agent", decoding: "Decoding", options: argparse.Namespace, bot: Path) -> int:
    with command_line.needs_extra("web"):
        from keras_gca.chat_page import create_app
        from keras_gca.local_server import make_local_server, serve_until_stopped

    app = create_app(agent, decoding, f"A chat with {bot.name}", options.utterances)
    server = make_local_server(app, options.host, options.port)
    print(f"open http://{options.host}:{server.port}/ ; Ctrl-C ends", flush=True)
    serve_until_stopped(server)
    return 0


def _talk(agent: "Agent", decoding: "Decoding", options: argparse.Namespace, transcript: TextIO | None) -> None:
    history: list[str] = []
    last: Answer | None = None
    for turn, line in enumerate(_user_lines()):
        words = len(agent.tokenise([line])[0])
        if not words:
            print("(no words to answer in that)")
            continue
        if words > agent.config.sentence_length:
            print(f"(only the last {agent.config.sentence_length} of its {words} words are read)")
        history.append(line)
        if options.context == "author":
            count = 2 if last is not None and last.probability_of_words > RELEVANT else 1
        else:
            count = options.utterances or agent.config.context_utterances
        answers = agent.answers(history, count, decoding, options.seed + turn)
        last = answers[0]
        history.append(last.text)
        print(f"bot> {last.text}")
        notes = _details(agent, line, answers) if options.verbose else ""
        print(notes, end="")
        if transcript is not None:
            transcript.write(f"you> {line}\nbot> {last.text}\n{notes}")
            transcript.flush()


def _user_lines() -> Iterator[str]:
    """What the user types, without control characters, until the end of input."""
    while True:
        try:
            line = input("you> ")
        except (EOFError, KeyboardInterrupt):
            print()
            return
        line = " ".join("".join(c if c.isprintable() else " " for c in line).split())
        if line == "/quit":
            return
        if line:
            yield line


def _details(agent: "Agent", line: str, answers: list["Answer"]) -> str:
    """All answers with their scores, the chosen one first, and the words that the model does not know."""
    text = "".join(
        f"   {mark} {answer.generator.replace('_', ' '):16} p(y|x) {answer.probability:.2g}"
        f"  human {answer.human:.2g} (Eq. 9)  score {answer.score:.3f} (Eq. 10)  {answer.text}\n"
        for mark, answer in zip("*" + " " * len(answers), answers, strict=False)
    )
    unknown = agent.unknown_words(line)
    return text + (f"     words it does not know: {', '.join(unknown)}\n" if unknown else "")


@contextlib.contextmanager
def _transcript(options: argparse.Namespace, bot: Path) -> Iterator[TextIO | None]:
    if options.no_transcript:
        yield None
        return
    path = options.transcript
    if path is None:
        folder = bot if bot.is_dir() and not options.original else Path()
        path = folder / "transcripts" / f"{datetime.datetime.now():%Y-%m-%d_%H-%M-%S}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        yield stream


def _latest_run() -> Path:
    bots = sorted(Path("runs").glob("*/bot.h5"), key=lambda bot: bot.stat().st_mtime)
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
    parser.add_argument("--web", action="store_true", help="chat in the browser instead of the terminal")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="of --web; this machine alone [127.0.0.1]"
    )
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="of --web; 0 takes a free one [8000]")
    parser.add_argument("--verbose", action="store_true", help="show every answer, its scores, and unknown words")
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
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the sampling")
    parser.add_argument(
        "--transcript", type=Path, metavar="FILE", help="append the chat to this file; in transcripts/ if not given"
    )
    parser.add_argument("--no-transcript", action="store_true", help="save nothing")
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "chat"))
