"""Expert trajectories: (history, prompt, response) of conversations and tweets (EmpathyGAIL, Sections 4.1, 4.2)."""

import csv
import hashlib
import html
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from gail_tf.data.spelling import as_written
from glove.text_files import BadLines, counted, text_lines
from keras_gca.data.conversations import WRONG_FIELDS, Conversation, detect_format, read_conversations
from keras_gca.errors import UserError

TURNS = ("disjoint", "staggered")
FRACTIONS = (0.7, 0.2, 0.1)  # Section 4.2: train, test, validation


@dataclass(frozen=True)
class Trajectory:
    """What an expert said, and after what: the state (history, prompt) and the action (response) of the paper.

    history: all earlier utterances of the conversation, oldest first; empty at its first turn and for tweets.
    emotion: EmpatheticDialogues' label of the conversation (one of 32), or DailyDialog's label of the prompt (one of 6,
             None for "no emotion"); None where the corpus has no labels.
    source: the name of the corpus' format, as in `keras_gca.data.conversations`, or "tweets".
    conversation: its number among all that were read together. turn: from 1 on.
    """

    history: tuple[str, ...]
    prompt: str
    response: str
    emotion: str | None = None
    source: str = ""
    conversation: int = 0
    turn: int = 1


@dataclass(frozen=True)
class Split:
    """Trajectories in the order in which they were read; no conversation has some in two parts."""

    train: tuple[Trajectory, ...]
    test: tuple[Trajectory, ...]
    validation: tuple[Trajectory, ...]


def read_trajectories(
    conversations: Sequence[str | os.PathLike] = (),
    tweets: Sequence[str | os.PathLike] = (),
    turns: str = "disjoint",
    bad: BadLines | None = None,
) -> list[Trajectory]:
    """Read corpora and make trajectories of them; without any file, of the embedded corpus.

    conversations: files of any format of `keras_gca.data.conversations`. tweets: files as `read_tweets` describes them.
    turns: see `conversation_trajectories`. bad: what becomes of bad lines; None: the first one is an error.

    Raises UserError naming file and line where a file is missing or damaged.
    """
    if not conversations and not tweets:
        with resources.as_file(resources.files("gail_tf.data") / "corpus") as folder:
            return read_trajectories([folder / "conversations.csv"], [folder / "uplifting.txt"], turns)
    trajectories: list[Trajectory] = []
    number = 0
    for path in map(Path, conversations):
        for conversation in read_conversations(path, bad=bad):
            trajectories += conversation_trajectories(conversation, turns, detect_format(path), number)
            number += 1
    for path in map(Path, tweets):
        for tweet in read_tweets(path, bad):
            trajectories.append(Trajectory((), tweet, tweet, source="tweets", conversation=number))
            number += 1
    return trajectories


def conversation_trajectories(
    conversation: Conversation, turns: str = "disjoint", source: str = "", number: int = 0
) -> list[Trajectory]:
    """The trajectories of one conversation.

    turns: "disjoint" is the paper's text: a turn is a prompt and a response, the next turn begins after it, and the
        history is all earlier turns; a last utterance without a response is in none. With "staggered", every utterance
        after the first is the response to the one before it.
    """
    if turns not in TURNS:
        raise UserError(f"turns = {turns!r}; choose from {', '.join(TURNS)}")
    utterances = [as_written(utterance) for utterance in conversation.utterances]
    labels = conversation.emotions or (conversation.emotion,) * len(utterances)
    prompts = range(0, len(utterances) - 1, 2 if turns == "disjoint" else 1)
    return [
        Trajectory(tuple(utterances[:i]), utterances[i], utterances[i + 1], labels[i], source, number, turn)
        for turn, i in enumerate(prompts, start=1)
    ]


def read_tweets(path: str | os.PathLike, bad: BadLines | None = None) -> list[str]:
    """Tweets as text: a CSV file (.csv) with a column `text`, or one tweet a line in any other file.

    bad: what becomes of bad lines; None: the first one is an error.

    Links are left out, `&amp;` and the like are resolved, and tweets that are nothing but a link are passed over.
    Raises UserError where the file is missing, has no such column, is not UTF-8 or holds no tweet.
    """
    path, bad = Path(path), bad or BadLines(error=UserError)
    texts = _csv_texts(path, bad) if path.suffix.lower() == ".csv" else (line for _, line in text_lines(path, bad))
    tweets = [as_written(re.sub(r"https?://\S+", " ", html.unescape(text))) for text in texts]
    if not any(tweets):
        raise UserError(f"{path}: holds no tweet; a CSV file with a column `text`, or one tweet a line, is expected")
    return [tweet for tweet in tweets if tweet]


def _csv_texts(path: Path, bad: BadLines) -> Iterator[str]:
    number = 1

    def lines() -> Iterator[str]:
        nonlocal number
        for number, line in text_lines(path, bad):  # noqa: B007  (what is said below names the line)
            yield line

    reader = csv.reader(lines(), strict=True)
    header: list[str] | None = None
    while True:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            bad.report(f"{path}:{number}", "not CSV", f"not CSV ({error})")
            continue
        if header is None:
            header = row
            if "text" not in header:
                break
        elif row and len(row) != len(header):  # no row: an empty line
            message = f"{len(row)} fields where the first line has {len(header)}"
            bad.report(f"{path}:{number}", WRONG_FIELDS, message)
        elif row:
            yield row[header.index("text")]
    if "text" not in (header or ()):
        raise UserError(f"{path}:1: the first line names no column `text`")


def count_trajectories(conversations: Iterable[Conversation], turns: str = "disjoint") -> int:
    """How many trajectories conversations give, without making them."""
    if turns not in TURNS:
        raise UserError(f"turns = {turns!r}; choose from {', '.join(TURNS)}")
    lengths = (len(conversation.utterances) for conversation in conversations)
    return sum(length // 2 if turns == "disjoint" else max(length - 1, 0) for length in lengths)


def split(trajectories: Sequence[Trajectory], seed: int, fractions: tuple[float, float, float] = FRACTIONS) -> Split:
    """Divide by conversation into train, test and validation (Section 4.2: 70, 20 and 10 %).

    Where a conversation goes follows from its first two utterances and the seed: conversations that open alike (but for
    case and punctuation) stay together. Two equal trajectories open alike, so none stands in two parts; within a
    part, repetitions are kept. Neither the order of the conversations nor the platform matters.

    Raises UserError where there are too few conversations for every part to get one.
    """
    groups: dict[bytes, set[int]] = defaultdict(set)
    places = [_place(trajectory, seed) for trajectory in trajectories]
    for trajectory, place in zip(trajectories, places, strict=True):
        groups[place].add(trajectory.conversation)

    total = sum(map(len, groups.values()))
    part_of, done = {}, 0
    for place in sorted(groups):
        # A group goes where its middle falls, so that sizes err by half a group at most.
        middle = (done + len(groups[place]) / 2) / total
        part_of[place] = 0 if middle < fractions[0] else 1 if middle < fractions[0] + fractions[1] else 2
        done += len(groups[place])
    parts: tuple[list[Trajectory], ...] = ([], [], [])
    for trajectory, place in zip(trajectories, places, strict=True):
        parts[part_of[place]].append(trajectory)
    if not all(parts):
        few = counted(total, "conversation is", "conversations are")
        raise UserError(f"{few} too few to be divided into train, test and validation")
    return Split(*map(tuple, parts))


def _place(trajectory: Trajectory, seed: int) -> bytes:
    """Where a trajectory's conversation stands in the order drawn by seed: a hash of its first two utterances."""
    opening = (*trajectory.history, trajectory.prompt, trajectory.response)[:2]
    words = [" ".join(re.findall(r"\w+", utterance.casefold())) for utterance in opening]
    return hashlib.blake2b("\n".join((str(seed), *words)).encode(), digest_size=16).digest()
