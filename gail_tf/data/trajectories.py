"""Expert trajectories (history, prompt, response) from conversations and tweets (Sections 4.1 and 4.2)."""

import hashlib
import html
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from gail_tf.data.spelling import as_written, plain_words
from glove.text_files import BadLines, counted
from keras_gca.corpora import binary, tables
from keras_gca.corpora.conversation import Reading
from keras_gca.corpora.json_text import json_lines
from keras_gca.data.conversations import PARTS, WRONG_FIELDS, Conversation, read_corpus
from keras_gca.errors import UserError

TURNS = ("disjoint", "staggered")
EMBEDDED = ("conversations.csv", "listening.csv")  # the conversations in the package
SEPARATORS = {".csv": ",", ".tsv": "\t"}  # of the columns of tables of tweets
WANTED = (
    "a table (.csv or .tsv) with a column `text`, JSON lines (.jsonl) with a `text`, or a text file with one tweet per "
    "line is expected"
)
FRACTIONS = (0.7, 0.2, 0.1)  # Section 4.2: train, test, validation


@dataclass(frozen=True)
class Trajectory:
    """An expert's response, together with the prompt that it answers and the history before the prompt.

    In the paper's terms, the history and the prompt are the state, and the response is the action.

    Attributes:
        history: All utterances of the conversation before the prompt, oldest first. Empty for tweets and for the first
            turn of a conversation.
        prompt: The utterance to answer.
        response: The expert's response.
        emotion: The emotion of the conversation (EmpatheticDialogues, 32 labels) or of the prompt (DailyDialog, 6
            labels). None if DailyDialog's label is "no emotion", or if the corpus has no labels.
        source: The name of the corpus format in `keras_gca.data.conversations`, or "tweets".
        conversation: The index of the conversation among all those read by the same call of `read_trajectories`.
        turn: The number of the turn, counted from 1.
        part: The official split of the conversation (train, validation or test), as defined by the authors of the
            corpus. None if official splits are not used, and after `split` has divided the trajectories.
    """

    history: tuple[str, ...]
    prompt: str
    response: str
    emotion: str | None = None
    source: str = ""
    conversation: int = 0
    turn: int = 1
    part: str | None = None


@dataclass(frozen=True)
class Split:
    """Trajectories in three splits, each in input order. No conversation is in more than one split."""

    train: tuple[Trajectory, ...]
    test: tuple[Trajectory, ...]
    validation: tuple[Trajectory, ...]


def read_trajectories(
    conversations: Sequence[str | os.PathLike] = (),
    tweets: Sequence[str | os.PathLike] = (),
    turns: str = "disjoint",
    bad: BadLines | None = None,
    format: str | None = None,
    splits: str = "random",
) -> list[Trajectory]:
    """Read trajectories from files, or from the embedded corpus if no file is given.

    Args:
        conversations: Files in any format that `keras_gca.data.conversations` supports.
        tweets: Files in the formats that `read_tweets` supports.
        turns: See `conversation_trajectories`.
        bad: The handler of bad lines. If None, the first bad line raises an error.
        format: The format of all conversation files, one of `FORMATS`. If None, the format is detected for each file.
        splits: With "official", each trajectory belongs to the split (train, validation or test) that the authors of
            the corpus chose for its conversation. Tweets have no official splits.

    Raises:
        UserError: A file is missing or damaged, or `splits` is "official" but a file has no official splits. The
            message names the file and the line.
    """
    if splits == "official" and not conversations:
        raise UserError(
            "--splits official: a corpus with train, validation and test splits is expected; give one with --data"
        )
    if not conversations and not tweets:
        with resources.as_file(resources.files("gail_tf.data") / "corpus") as folder:
            embedded = read_trajectories([folder / name for name in EMBEDDED], [folder / "uplifting.txt"], turns)
        if bad is not None:
            size = counted(embedded[-1].conversation + 1, "conversation or sentence", "conversations and sentences")
            bad.notes.append(f"the embedded corpus: {size}")
        return embedded
    trajectories: list[Trajectory] = []
    number = 0
    for path in map(Path, conversations):
        corpus = read_corpus(path, format, bad, splits)
        for conversation in corpus.conversations:
            trajectories += conversation_trajectories(conversation, turns, corpus.format, number)
            number += 1
    for path in map(Path, tweets):
        for tweet in read_tweets(path, bad):
            trajectories.append(Trajectory((), tweet, tweet, source="tweets", conversation=number))
            number += 1
    return trajectories


def conversation_trajectories(
    conversation: Conversation, turns: str = "disjoint", source: str = "", number: int = 0
) -> list[Trajectory]:
    """Divide a conversation into trajectories.

    Args:
        conversation: The conversation.
        turns: With "disjoint", as in the paper, each pair of utterances is a prompt and its response. A final prompt
            without a response is dropped. With "staggered", every utterance except the first is a response to the
            utterance before it. In both cases, the history consists of all utterances before the prompt.
        source: The name of the corpus format.
        number: The index of the conversation.

    Raises:
        UserError: `turns` is unknown.
    """
    if turns not in TURNS:
        raise UserError(f"turns is {turns!r}; choose from {', '.join(TURNS)}")
    utterances = [as_written(utterance) for utterance in conversation.utterances]
    labels = conversation.emotions or (conversation.emotion,) * len(utterances)
    prompts = range(0, len(utterances) - 1, 2 if turns == "disjoint" else 1)
    return [
        Trajectory(
            tuple(utterances[:i]), utterances[i], utterances[i + 1], labels[i], source, number, turn, conversation.part
        )
        for turn, i in enumerate(prompts, start=1)
    ]


def read_tweets(path: str | os.PathLike, bad: BadLines | None = None) -> list[str]:
    """Read the texts of tweets.

    Links are removed, HTML entities such as `&amp;` are resolved, and tweets that contain only links are skipped.

    Args:
        path: A table (.csv or .tsv) with a column `text`, JSON lines (.jsonl or .ndjson) of objects with a `text`, or
            any other file with one tweet per line.
        bad: The handler of bad lines. If None, the first bad line raises an error.

    Raises:
        UserError: The file is missing, is one JSON value, contains no tweets, lacks the column `text`, or has a bad
            line.
    """
    return list(stream_tweets(path, bad or BadLines(error=UserError)))


def stream_tweets(path: str | os.PathLike, bad: BadLines) -> Iterator[str]:
    """Yield the texts of tweets one by one; see `read_tweets`."""
    path = Path(path)
    if kind := binary.kind_of(path):
        raise UserError(f"{path}: the file looks like {kind}, which cannot be read; {WANTED}")
    suffix = path.suffix.lower()
    if suffix == ".json":
        raise UserError(f"{path}: a file of one JSON value cannot be read as tweets; {WANTED}")
    if suffix in SEPARATORS:
        texts = _column(path, bad, SEPARATORS[suffix])
    elif suffix in (".jsonl", ".ndjson"):
        texts = _json_texts(path, bad)
    else:
        texts = (line for _, line in Reading(bad).lines(path))
    empty = True
    for text in texts:
        if tweet := as_written(re.sub(r"https?://\S+", " ", html.unescape(text))):
            empty = False
            yield tweet
    if empty:
        raise UserError(f"{path}: the file contains no tweets; {WANTED}")


def _json_texts(path: Path, bad: BadLines) -> Iterator[str]:
    wanted = 'an object such as {"text": "..."} is expected'
    for number, value in json_lines(path, wanted, Reading(bad)):
        if isinstance(value, dict) and isinstance(value.get("text"), str):
            yield value["text"]
        else:
            bad.report(f"{path}:{number}", "with other JSON", f"the line has no text; {wanted}")


def _column(path: Path, bad: BadLines, separator: str) -> Iterator[str]:
    rows = tables.rows(path, Reading(bad), separator)
    _, header = next(rows, (1, []))
    if "text" not in header:
        there = f"; its columns are {', '.join(header[:12])}" if header else ""
        raise UserError(f"{path}:1: the first line has no column `text`{there}")
    for number, row in rows:
        if len(row) == len(header):
            yield row[header.index("text")]
        else:
            message = f"{counted(len(row), 'field')}; {len(header)} are expected, as on the first line"
            bad.report(f"{path}:{number}", WRONG_FIELDS, message)


def count_trajectories(conversations: Iterable[Conversation], turns: str = "disjoint") -> int:
    """Count the trajectories of conversations without creating them. Raise UserError if `turns` is unknown."""
    if turns not in TURNS:
        raise UserError(f"turns is {turns!r}; choose from {', '.join(TURNS)}")
    lengths = (len(conversation.utterances) for conversation in conversations)
    return sum(length // 2 if turns == "disjoint" else max(length - 1, 0) for length in lengths)


def split(trajectories: Sequence[Trajectory], seed: int, fractions: tuple[float, float, float] = FRACTIONS) -> Split:
    """Divide trajectories by conversation into train, test and validation splits (Section 4.2: 70, 20 and 10 %).

    Conversations are sorted by a hash of the seed and their first two utterances, and then divided into three splits.
    The result does not depend on the platform or on the order of the input. Conversations whose first two utterances
    differ at most in case and punctuation are put into the same split, so the same trajectory never occurs in two
    splits. Duplicates within a split are kept.

    Trajectories with an official split stay in that split. Only the remaining trajectories are divided.

    Args:
        trajectories: The trajectories.
        seed: The seed of the hash.
        fractions: The fractions of conversations for training, test and validation.

    Raises:
        UserError: There are too few conversations for three splits, or an official split is empty.
    """
    official: dict[str, list[Trajectory]] = defaultdict(list)
    for trajectory in trajectories:
        if trajectory.part is not None:
            official[trajectory.part].append(replace(trajectory, part=None))
    if official:
        others = [trajectory for trajectory in trajectories if trajectory.part is None]
        divided = split(others, seed, fractions) if others else Split((), (), ())
        if empty := [part for part in PARTS if part not in official]:
            raise UserError(f"--splits official: no trajectories are left for {' and '.join(empty)}")
        return Split(*((*official[part], *getattr(divided, part)) for part in ("train", "test", "validation")))
    groups: dict[bytes, set[int]] = defaultdict(set)
    places = [_place(trajectory, seed) for trajectory in trajectories]
    for trajectory, place in zip(trajectories, places, strict=True):
        groups[place].add(trajectory.conversation)

    total = sum(map(len, groups.values()))
    part_of, done = {}, 0
    for place in sorted(groups):
        # The middle of a group decides its split, so that the size of a split deviates by at most half a group.
        middle = (done + len(groups[place]) / 2) / total
        part_of[place] = 0 if middle < fractions[0] else 1 if middle < fractions[0] + fractions[1] else 2
        done += len(groups[place])
    parts: tuple[list[Trajectory], ...] = ([], [], [])
    for trajectory, place in zip(trajectories, places, strict=True):
        parts[part_of[place]].append(trajectory)
    if not all(parts):
        raise too_few(total)
    return Split(*map(tuple, parts))


def too_few(conversations: int) -> UserError:
    """Return the UserError for a number of conversations that is too small for three splits."""
    few = counted(conversations, "conversation is", "conversations are")
    return UserError(
        f"{few} too few to be divided into train, test and validation (in plain text, an empty line ends a "
        "conversation)"
    )


def _place(trajectory: Trajectory, seed: int) -> bytes:
    return place_of((*trajectory.history, trajectory.prompt, trajectory.response)[:2], seed)


def place_of(opening: Sequence[str], seed: int) -> bytes:
    """Return the hash by which conversations are sorted, computed from the seed and the first two utterances."""
    words = [" ".join(plain_words(utterance)) for utterance in opening]
    return hashlib.blake2b("\n".join((str(seed), *words)).encode(), digest_size=16).digest()
