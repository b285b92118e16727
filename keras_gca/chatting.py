"""A chat in the terminal or in the browser with whatever agent replies: both papers' chat commands use it."""

import argparse
import contextlib
import datetime
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from keras_gca import command_line

if TYPE_CHECKING:  # imports TensorFlow, for which `--help` must not wait
    from keras_gca.agent import Answer

MESSAGES_PER_MINUTE = 30


class Chatting(Protocol):
    """An agent that one can chat with.

    description: a line about it. longest: tokens of an utterance that are read.
    """

    description: str
    longest: int
    generators: tuple[str, ...]

    def answers(
        self, history: Sequence[str], context_utterances: int | None, decoding: Any, seed: int
    ) -> "list[Answer]": ...

    def answers_to_all(
        self,
        histories: Sequence[Sequence[str]],
        context_utterances: int | None,
        decoding: Any,
        seeds: Sequence[int],
    ) -> "list[list[Answer]]":
        """To each what `answers` gives, in one batch."""
        ...

    def figures(self, answer: "Answer") -> str:
        """An answer's scores, for people."""
        ...

    def note_instead(self, message: str) -> str | None:
        """What a message is answered with in place of a reply, if it should be."""
        ...

    def tokenise(self, utterances: Sequence[str]) -> list[list[str]]: ...

    def unknown_words(self, utterance: str) -> list[str]: ...


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that all chats have."""
    parser.add_argument("--web", action="store_true", help="chat in the browser instead of the terminal")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="of --web; this machine alone [127.0.0.1]"
    )
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="of --web; 0 takes a free one [8000]")
    parser.add_argument(
        "--messages-per-minute",
        type=command_line.at_least_one,
        default=MESSAGES_PER_MINUTE,
        metavar="N",
        help=f"of --web; how many one visitor may send [{MESSAGES_PER_MINUTE}]",
    )
    parser.add_argument("--verbose", action="store_true", help="show every answer, its scores, and unknown words")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the sampling")
    parser.add_argument(
        "--transcript", type=Path, metavar="FILE", help="append the chat to this file; in transcripts/ if not given"
    )
    parser.add_argument("--no-transcript", action="store_true", help="save nothing")


def serve(
    agent: Chatting, decoding: Any, options: argparse.Namespace, path: Path, utterances: int | None, notice: str = ""
) -> int:
    """Chat in the browser until stopped; returns the exit status.

    decoding, utterances: see `Chatting.answers_to_all`. path: of the bot, for the title. notice: shown above the chat.
    """
    with command_line.needs_extra("web"):
        from keras_gca.chat_page import THREADS, create_app
        from keras_gca.chat_page.shared_batches import SharedBatches
        from keras_gca.local_server import make_local_server, serve_until_stopped

    batches = SharedBatches(agent, decoding, utterances)
    app = create_app(batches, f"A chat with {path.name}", notice, options.messages_per_minute)
    server = make_local_server(app, options.host, options.port, THREADS)
    batches.warm_up()
    print(f"open http://{options.host}:{server.port}/ ; Ctrl-C ends", flush=True)
    serve_until_stopped(server, batches.close)
    print(f"\n{batches.summary}")
    return 0


def talk(
    agent: Chatting,
    reply: "Callable[[list[str], int], list[Answer]]",
    options: argparse.Namespace,
    path: Path,
    folder: Path,
    notice: str = "",
) -> int:
    """Chat in the terminal until the user ends it; returns the exit status.

    reply: answers a conversation in its turn 0, 1, ... path: of the bot, for the greeting. folder: for transcripts.
    """
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (line editing and recall, where the platform has them)

    if notice:
        print(f"{notice}\n")
    print(f"{path}: {agent.description}")
    print("Type a line and press Enter; Ctrl-D ends the chat.\n")
    with _transcript(options, folder) as transcript:
        for said in _exchanges(agent, reply, options.verbose):
            if transcript is not None:
                transcript.write(said)
                transcript.flush()
    if transcript is not None:
        print(f"\ntranscript: {transcript.name}")
    return 0


def _exchanges(agent: Chatting, reply: "Callable[[list[str], int], list[Answer]]", verbose: bool) -> Iterator[str]:
    """Each line of the user with what it was answered, for the transcript."""
    history: list[str] = []
    for turn, line in enumerate(_user_lines()):
        note = agent.note_instead(line)
        if note is not None:
            print(f"note> {note}")
            yield f"you> {line}\nnote> {note}\n"
            continue
        words = len(agent.tokenise([line])[0])
        if not words:
            print("(no words to answer in that)")
            continue
        if words > agent.longest:
            print(f"(only the last {agent.longest} of its {words} words are read)")
        history.append(line)
        answers = reply(history, turn)
        history.append(answers[0].text)
        print(f"bot> {answers[0].text}")
        notes = _details(agent, line, answers) if verbose else ""
        print(notes, end="")
        yield f"you> {line}\nbot> {answers[0].text}\n{notes}"


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


def _details(agent: Chatting, line: str, answers: "list[Answer]") -> str:
    """All answers with their scores, the chosen one first, and the words that the model does not know."""
    text = "".join(
        f"   {mark} {answer.generator.replace('_', ' '):16} {agent.figures(answer)}  {answer.text}\n"
        for mark, answer in zip("*" + " " * len(answers), answers, strict=False)
    )
    unknown = agent.unknown_words(line)
    return text + (f"     words it does not know: {', '.join(unknown)}\n" if unknown else "")


@contextlib.contextmanager
def _transcript(options: argparse.Namespace, folder: Path) -> Iterator[TextIO | None]:
    if options.no_transcript:
        yield None
        return
    path = options.transcript
    if path is None:
        path = folder / "transcripts" / f"{datetime.datetime.now():%Y-%m-%d_%H-%M-%S}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        yield stream
