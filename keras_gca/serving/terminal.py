"""A chat in the terminal, with any agent."""

import argparse
import contextlib
import datetime
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from keras_gca.serving.protocol import Answer, Chatting


def talk(
    agent: Chatting,
    reply: Callable[[list[str], int], list[Answer]],
    options: argparse.Namespace,
    path: Path,
    folder: Path,
    notice: str = "",
) -> int:
    """Chat in the terminal until the user ends it.

    Args:
        agent: The agent.
        reply: A function that answers a conversation, given its utterances and the number of the turn, from 0.
        options: The parsed options of `chat_command.add_options`.
        path: The path of the bot, for the greeting.
        folder: The folder in which `transcripts` is made.
        notice: A text that is printed first.

    Returns:
        The exit status.
    """
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


def print_answers(answers: Sequence[Answer], generators: Sequence[str], width: int) -> None:
    """Print all answers to one conversation, with a star before the one that a chat would give.

    Args:
        answers: The answers, the chosen one first.
        generators: The names of the generators, in the order in which their answers are printed.
        width: The width of the column of names.
    """
    for answer in sorted(answers, key=lambda answer: generators.index(answer.generator)):
        mark = "*" if answer is answers[0] else " "
        print(f"   {mark} {answer.generator.replace('_', ' '):{width}} {answer.text}")


def _exchanges(agent: Chatting, reply: Callable[[list[str], int], list[Answer]], verbose: bool) -> Iterator[str]:
    """Yield each line of the user with its answer, for the transcript."""
    history: list[str] = []
    for turn, line in enumerate(_user_lines()):
        note = agent.crisis_note(line)
        if note is not None:
            print(f"note> {note}")
            yield f"you> {line}\nnote> {note}\n"
            continue
        words = len(agent.tokenise([line])[0])
        if not words:
            print("(there are no words to answer)")
            continue
        if words > agent.longest:
            print(f"(only the last {agent.longest} of {words} words are read)")
        history.append(line)
        answers = reply(history, turn)
        history.append(answers[0].text)
        print(f"bot> {answers[0].text}")
        notes = _details(agent, line, answers) if verbose else ""
        print(notes, end="")
        yield f"you> {line}\nbot> {answers[0].text}\n{notes}"


def _user_lines() -> Iterator[str]:
    """Yield the lines that the user types, without control characters, until the end of input or /quit."""
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


def _details(agent: Chatting, line: str, answers: list[Answer]) -> str:
    """Describe all answers with their scores, the chosen one first, and the words that the model does not know."""
    text = "".join(
        f"   {mark} {answer.generator.replace('_', ' '):16} {agent.figures(answer)}  {answer.text}\n"
        for mark, answer in zip("*" + " " * len(answers), answers, strict=False)
    )
    unknown = agent.unknown_words(line)
    return text + (f"     words that the bot does not know: {', '.join(unknown)}\n" if unknown else "")


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
