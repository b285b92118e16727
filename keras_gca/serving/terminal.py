"""A chat with any agent in the terminal."""

import argparse
import contextlib
import datetime
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from keras_gca.engine import loading
from keras_gca.errors import UserError
from keras_gca.serving.exchange import Exchange, cut_mark, respond, without_controls
from keras_gca.serving.protocol import Answer, Chatting
from keras_gca.serving.transcripts import open_transcript

Reply = Callable[[list[str], int], list[Answer]]

PREPARING = "preparing the model for its first reply ..."
QUIT = "/quit"
HELP = """\
   /help         show this list
   /reset        start a new conversation
   /undo         take back the last message and its reply
   /verbose      show every answer, its scores, and unknown words, or stop showing them
   /save [FILE]  save the conversation in a new file
   /quit         end the chat, like Ctrl-D"""


def talk(
    agent: Chatting,
    reply: Reply,
    options: argparse.Namespace,
    path: Path,
    folder: Path,
    notice: str = "",
    warm_up: Callable[[], object] | None = None,
) -> int:
    """Chat in the terminal until the user ends the chat, or answer the messages of --say.

    Args:
        agent: The agent.
        reply: A function that answers a conversation, given its utterances and the number of the turn, starting from 0.
        options: The parsed options of `chat_command.add_options`.
        path: The path of the bot, for the greeting.
        folder: The folder in which the folder `transcripts` is created.
        notice: A text that is printed first.
        warm_up: A function that prepares the agent for its first reply. It runs while the user types the first line.

    Returns:
        The exit status.

    Raises:
        UserError: A message of --say has no words.
    """
    if options.say:
        return _say(agent, reply, options, notice)
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (line editing and recall, if the platform supports them)

    if notice:
        print(f"{notice}\n")
    print(f"{path} ({without_controls(agent.description)})")
    print("Type a line and press Enter; /help lists the commands, and Ctrl-D ends the chat.\n")
    with _transcript(options, folder) as transcript, warming_up(reply, warm_up) as ready:
        for said in _Chat(agent, ready, options.verbose, folder).run():
            if transcript is not None:
                transcript.write(said)
                transcript.flush()
    if transcript is not None:
        print(f"\ntranscript: {transcript.name}")
    return 0


@contextlib.contextmanager
def warming_up(reply: Reply, warm_up: Callable[[], object] | None) -> Iterator[Reply]:
    """If the user types messages in a terminal, use a separate thread to prepare the agent for its first reply.

    Args:
        reply: See `talk`.
        warm_up: See `talk`.

    Yields:
        A function that works like `reply`, but first waits until the agent is ready.
    """
    if warm_up is None or not sys.stdin.isatty():
        yield reply
        return
    thread = threading.Thread(target=warm_up)
    thread.start()

    def ready(history: list[str], turn: int) -> list[Answer]:
        with loading.saying(PREPARING) if thread.is_alive() else contextlib.nullcontext():
            thread.join()
        return reply(history, turn)

    try:
        yield ready
    finally:
        thread.join()  # Python must not exit while TensorFlow is running


def print_answers(answers: Sequence[Answer], generators: Sequence[str], width: int) -> None:
    """Print all answers to a conversation, with a star before the answer that a chat would show.

    Args:
        answers: The answers, starting with the chosen one.
        generators: The names of the generators, in the order in which their answers are printed.
        width: The width of the column of names.
    """
    for answer in sorted(answers, key=lambda answer: generators.index(answer.generator)):
        mark = "*" if answer is answers[0] else " "
        print(without_controls(f"   {mark} {answer.generator.replace('_', ' '):{width}} {answer.text}"))


class _Chat:
    """A conversation with a user in the terminal, with commands that start with a slash.

    Args:
        agent: The agent.
        reply: See `talk`.
        verbose: Whether to show every answer, its scores, and unknown words.
        folder: The folder in which /save creates a folder named `transcripts`.
    """

    def __init__(self, agent: Chatting, reply: Reply, verbose: bool, folder: Path):
        self._agent, self._reply, self._verbose, self._folder = agent, reply, verbose, folder
        self._exchanges: list[Exchange] = []
        self._commands: dict[str, Callable[[str], str]] = {
            "/help": self._help,
            "/reset": self._reset,
            "/undo": self._undo,
            "/verbose": self._switch,
            "/save": self._save,
        }

    def run(self) -> Iterator[str]:
        """Yield the text of each exchange for the transcript, and a remark for each /reset and /undo."""
        turn = 0
        for line in _user_lines():
            # The crisis check comes before the commands, because a message about a crisis may begin with a slash.
            if line.startswith("/") and self._agent.crisis_note(line) is None:
                yield self._command(line)
                continue
            yield self._answer(line, turn)
            turn += 1  # /undo and /reset do not reset the number, so that the same message can get a different answer

    def _answer(self, line: str, turn: int) -> str:
        history = [text for said in self._exchanges if said.answers for text in (said.line, said.answers[0].text)]
        exchange = _exchange(self._agent, self._reply, [*history, line], turn)
        if exchange.note is None and not exchange.answers:
            print("(there are no words to answer)")
            return ""
        self._exchanges.append(exchange)
        if exchange.note is not None:
            print(f"note> {exchange.note}")
            return exchange.transcript
        for remark in exchange.remarks:
            print(f"({remark})")
        print(f"bot> {exchange.answers[0].text}{cut_mark(exchange.answers[0])}")
        notes = _details(self._agent, exchange) if self._verbose else ""
        print(notes, end="")
        return exchange.transcript + notes

    def _command(self, line: str) -> str:
        name, _, rest = line.partition(" ")
        if name == QUIT:
            print(f"({QUIT} takes no argument)")
            return ""
        if name not in self._commands:
            print(f"({name} is not a command; the commands are:)\n{HELP}")
            return ""
        return self._commands[name](rest.strip())

    def _help(self, rest: str) -> str:
        print(HELP)
        return ""

    def _reset(self, rest: str) -> str:
        self._exchanges.clear()
        print("(a new conversation)")
        return "(a new conversation)\n"

    def _undo(self, rest: str) -> str:
        if not self._exchanges:
            print("(there is nothing to take back)")
            return ""
        line = self._exchanges.pop().line
        print(f"(taken back: {line})")
        return f"(taken back: {line})\n"

    def _switch(self, rest: str) -> str:
        self._verbose = not self._verbose
        print("(all answers and scores are shown)" if self._verbose else "(only replies are shown)")
        return ""

    def _save(self, rest: str) -> str:
        if not self._exchanges:
            print("(there is nothing to save yet)")
            return ""
        path = Path(rest).expanduser() if rest else _new_transcript(self._folder, "saved_")
        if path.exists():
            print(f"({path} already exists; choose another file)")
            return ""
        try:
            with open_transcript(path) as stream:
                stream.writelines(exchange.transcript for exchange in self._exchanges)
        except UserError as error:
            print(f"({error})")
        else:
            print(f"(saved: {path})")
        return ""


def _say(agent: Chatting, reply: Reply, options: argparse.Namespace, notice: str) -> int:
    """Answer the messages of --say, writing nothing but the replies to standard output."""
    if notice:
        print(notice, file=sys.stderr)
    history: list[str] = []
    with contextlib.ExitStack() as stack:
        transcript = stack.enter_context(_transcript(options, Path())) if options.transcript else None
        for turn, text in enumerate(options.say):
            with loading.saying(PREPARING) if turn == 0 else contextlib.nullcontext():
                exchange = _exchange(agent, reply, [*history, _without_controls(text)], turn)
            if exchange.note is None and not exchange.answers:
                raise UserError(f"--say {text}: the message has no words to answer")
            if exchange.answers:
                history += [exchange.line, exchange.answers[0].text]
            if options.json:
                print(json.dumps({"said": exchange.line} | exchange.as_json(agent), allow_nan=False), flush=True)
            elif exchange.note is not None:
                print(exchange.note, flush=True)
            else:
                print(f"{exchange.answers[0].text}{cut_mark(exchange.answers[0])}", flush=True)
                print(_details(agent, exchange) if options.verbose else "", end="")
            if transcript is not None:
                transcript.write(exchange.transcript)
    return 0


def _exchange(agent: Chatting, reply: Reply, history: list[str], turn: int) -> Exchange:
    return respond(agent, history, lambda utterances: reply(utterances, turn))


def _user_lines() -> Iterator[str]:
    """Yield the lines that the user types, without control characters, until the end of the input or /quit."""
    while True:
        try:
            line = _without_controls(input("you> "))
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if line == QUIT:
            return
        if line:
            yield line


def _without_controls(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _details(agent: Chatting, exchange: Exchange) -> str:
    """Describe all answers with their scores, starting with the chosen one, and list the words unknown to the model."""
    answers = exchange.answers
    text = "".join(
        f"   {mark} {answer.generator.replace('_', ' '):16} {agent.figures(answer)}  {answer.text}\n"
        for mark, answer in zip("*" + " " * len(answers), answers, strict=False)
    )
    unknown = ", ".join(exchange.unknown)
    return without_controls(text) + (f"     words that the bot does not know: {unknown}\n" if unknown else "")


def _new_transcript(folder: Path, prefix: str = "") -> Path:
    return folder / "transcripts" / f"{prefix}{datetime.datetime.now():%Y-%m-%d_%H-%M-%S}.txt"


@contextlib.contextmanager
def _transcript(options: argparse.Namespace, folder: Path) -> Iterator[TextIO | None]:
    if options.no_transcript:
        yield None
        return
    with open_transcript(options.transcript or _new_transcript(folder)) as stream:
        yield stream
