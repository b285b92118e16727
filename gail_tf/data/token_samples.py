"""Reads trajectories and running text from token files when a batch needs them.

For corpora that do not fit into memory, `TokenSamples` takes the place of `Samples`, and `TokenText` takes the place of
`samples.running_text`. `engine/shard_order.py` determines the order of an epoch, which is exactly the order of the rows
in memory if there is a single shard.
"""

import itertools
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from gail_tf.data.batches import Batch, encode_utterances, pad_rows, take
from gail_tf.data.frames import Form, Utterance, forms_of, frames_of, in_frames
from gail_tf.data.layouts import ROLES
from gail_tf.data.samples import Samples, number_of_scores, scores_of_compounds, with_controls
from gail_tf.data.token_folder import TokenFolder
from gail_tf.data.token_shard import DECIMALS, GENERAL, TRAIN, Shard
from gail_tf.data.trajectories import Trajectory
from gail_tf.setting_groups import DataSettings
from keras_gca.engine.batching import plan
from keras_gca.engine.shard_order import OPEN_SHARDS, Epoch, entropy

SAMPLE = 1000  # the maximum number of rows for estimating costs


class _Rows:
    """The base class of `TokenSamples` and `TokenText`: rows in the shards of a folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: TokenFolder):
        self.folder, self.tokenizer = folder, folder.tokenizer
        self.shard = lru_cache(OPEN_SHARDS)(folder.shard)
        self._forms = forms_of(self.tokenizer.layout)
        self._begins = np.zeros(1, np.int64)  # the index of each shard's first row, and the number of all rows

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self._begins[-1])

    def plan(self, size: int, seed: int) -> Epoch:
        """Plan the batches of one epoch; see `Epoch`."""
        numbers = [number for number in range(len(self.folder.shards)) if self.rows_of(number)]
        return Epoch(self, numbers, size, seed)

    def rows_of(self, number: int) -> int:
        """Return the number of rows in a shard."""
        return int(self._begins[number + 1] - self._begins[number])

    def shard_batches(self, number: int, batch_size: int, seed: int | None) -> list[np.ndarray]:
        """Plan the batches of one shard: the indices of each batch's rows."""
        first, second = self._lengths(number)
        return [self._begins[number] + rows for rows in plan(first, batch_size, entropy(seed, number), second)]

    def spread(self) -> np.ndarray:
        """Return the indices of at most SAMPLE evenly spread rows."""
        return np.linspace(0, self.rows - 1, min(self.rows, SAMPLE)).astype(np.int64)

    def _lengths(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the lengths of a shard's conditions and of its responses, two integer arrays of shape (n,)."""
        raise NotImplementedError

    def _place(self, row: int) -> tuple[int, int]:
        """Return the number of the shard that contains a row, and the index of the row in this shard."""
        number = int(np.searchsorted(self._begins, row, side="right")) - 1
        return number, int(row - self._begins[number])

    def _utterances(self, shard: Shard, begin: int, end: int) -> list[Utterance]:
        """Read the utterances from index `begin` up to, but not including, index `end`, without control tokens."""
        count = len(self._forms)
        offsets = shard.token_offsets[count * begin : count * end + 1].tolist()
        ids = [shard.tokens[one:other].tolist() for one, other in itertools.pairwise(offsets)]
        encoded = [dict(zip(self._forms, ids[i : i + count], strict=True)) for i in range(0, len(ids), count)]
        return [
            Utterance(text, encoded=by_form) for text, by_form in zip(shard.texts(begin, end), encoded, strict=True)
        ]

    def _counts(self, shard: Shard, form: Form) -> np.ndarray:
        """Return the number of tokens of each utterance in a form, an int64 array of shape (u,)."""
        lengths = np.diff(shard.token_offsets.astype(np.int64))
        return lengths[self._forms.index(form) :: len(self._forms)]


class _Index(NamedTuple):
    """The positions and lengths of the n trajectories in a shard, in int64 arrays of shape (n,).

    Attributes:
        answer: The index of each response's utterance.
        conversation: The index of each trajectory's conversation in the shard.
        first: The index of the first utterance of each conversation.
        oldest: The index of the oldest utterance that fits into each condition.
        condition: The length of each condition in tokens.
        response: The length of each response in tokens.
    """

    answer: np.ndarray
    conversation: np.ndarray
    first: np.ndarray
    oldest: np.ndarray
    condition: np.ndarray
    response: np.ndarray


class TokenSamples(_Rows):
    """The trajectories of one part of a folder. The object takes the place of `Samples` and of `Samples.batch`.

    Args:
        folder: The folder.
        settings: The settings of the training run.
        part: TRAIN, TEST or VALIDATION.
    """

    def __init__(self, folder: TokenFolder, settings: DataSettings, part: int = TRAIN):
        super().__init__(folder)
        self._settings, self._part = settings, part
        self._frames = frames_of(self.tokenizer, settings.condition_tokens)
        self._index = lru_cache(OPEN_SHARDS)(self._make_index)
        self._begins = np.cumsum([0, *(facts.count(part) for facts in folder.shards)])
        self._conversations = np.cumsum([0, *(facts.conversations for facts in folder.shards)])

    def __len__(self) -> int:
        return self.rows

    @property
    def batch(self) -> "TokenSamples":
        """The encoded conditions and responses, which are read when they are used."""
        return self

    def taken(
        self, rows: Sequence[int] | np.ndarray, size: int | None = None, response_width: int | None = None
    ) -> Batch:
        """Read rows into memory; see `batches.take`."""
        return take(self._encode(self._read(rows)), np.arange(len(rows)), size, response_width)

    def some(self) -> Batch:
        """Read evenly spread rows into memory."""
        return self.taken(self.spread())

    def at(self, rows: np.ndarray) -> Samples:
        """Read trajectories into memory; see `Samples.at`."""
        with_history = self._settings.sentiment_history == "on"
        scores = np.zeros((len(rows), number_of_scores(with_history)), np.float32)
        for number, row in enumerate(rows):
            shard, index, place = self._found(row)
            compounds = _compounds(shard, int(index.first[place]), int(index.answer[place]))
            scores[number] = scores_of_compounds(compounds, with_history)
        batch = self._encode(self._read(rows))
        return Samples.of_batch(self.tokenizer, batch, scores, [self.trajectory(row) for row in rows])

    def trajectory(self, row: int) -> Trajectory:
        """Read a trajectory as text."""
        shard, index, place = self._found(row)
        answer, first = int(index.answer[place]), int(index.first[place])
        *history, prompt, response = shard.texts(first, answer + 1)
        conversation, emotion = int(index.conversation[place]), int(shard.emotions[answer - 1])
        return Trajectory(
            tuple(history),
            prompt,
            response,
            None if emotion < 0 else self.folder.emotions[emotion],
            self.folder.formats[shard.sources[conversation]],
            int(self._conversations[self._place(row)[0]]) + conversation,
            (answer - first + 1) // 2 if self._settings.turns == "disjoint" else answer - first,
        )

    def _found(self, row: int) -> tuple[Shard, _Index, int]:
        """Return the shard of a trajectory, the shard's index, and the position of the trajectory in this index."""
        number, place = self._place(row)
        return self.shard(number), self._index(number), place

    def _read(self, rows: Sequence[int] | np.ndarray) -> list["_Spoken"]:
        """Read trajectories for `_encode`, without old utterances that do not fit into the condition."""
        settings, made = self._settings, []
        for row in rows:
            shard, index, place = self._found(row)
            answer, oldest = int(index.answer[place]), int(index.oldest[place])
            *said, response = self._utterances(shard, oldest, answer + 1)
            # The course of the sentiment also depends on utterances that do not fit.
            with_history = settings.sentiment_history == "on"
            compounds = _compounds(shard, int(index.first[place]) if with_history else oldest, answer)
            controlled = with_controls(said, compounds, settings.sentiment == "on", with_history)
            made.append(_Spoken(controlled, response))
        return made

    def _encode(self, spoken: Sequence["_Spoken"]) -> Batch:
        limits = self._settings.condition_tokens, self._settings.response_tokens
        contexts, responses = [one.context for one in spoken], [one.response for one in spoken]
        return encode_utterances(self.tokenizer, contexts, responses, *limits, widths=self._widths)

    def _lengths(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        index = self._index(number)
        return index.condition, index.response

    @cached_property
    def _widths(self) -> tuple[int, int]:
        """The lengths of the longest condition and response, which are the widths of all arrays, as in memory."""
        longest = np.zeros(2, int)
        for number in range(len(self.folder.shards)):
            lengths = self._lengths(number)
            longest = np.maximum(longest, [each.max(initial=0) for each in lengths])
        return int(longest[0]), int(longest[1])

    def _make_index(self, number: int) -> _Index:
        shard = self.shard(number)
        answer, conversation = shard.responses(self._part, self._settings.turns)
        first = shard.begins.astype(np.int64)[conversation]
        oldest, condition = self._conditions(shard, answer - 1, first)
        words = self._counts(shard, self._frames.response)[answer]
        response = np.minimum(words + 1, self._settings.response_tokens)
        return _Index(answer, conversation, first, oldest, condition, response)

    def _conditions(self, shard: Shard, prompt: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute the extents of conditions without encoding them; see `batches.encode_batch`.

        Args:
            shard: The shard.
            prompt: The index of each prompt's utterance, an int64 array of shape (n,).
            first: The index of the first utterance of each conversation, an int64 array of shape (n,).

        Returns:
            Two int64 arrays of shape (n,): the index of the oldest utterance that fits into each condition, and the
            length of each condition in tokens.
        """
        frames, with_sentiment = self._frames, self._settings.sentiment == "on"
        history = 2 * ((prompt - first >= 2) & (self._settings.sentiment_history == "on"))
        utterances = np.arange(len(shard.scores))
        of_role = [
            frames.apart[role] + 1 + self._counts(shard, frames.said) + frames.after
            if with_sentiment
            else frames.opened[role] + self._counts(shard, frames.framed[role]) + frames.after
            for role in range(2)
        ]
        oldest, condition = np.zeros((2, len(prompt)), np.int64)
        for parity in range(2):  # of the prompts' indices; it determines the roles of the utterances before them
            chosen = prompt % 2 == parity
            lengths = np.where(utterances % 2 == parity, *of_role)
            before = np.concatenate([[0], np.cumsum(lengths)])
            asked = prompt[chosen]
            kept = lengths[asked] + history[chosen]
            frame = frames.apart[0] + with_sentiment + history[chosen]
            said = self._counts(shard, frames.said)[asked]
            cut = frame + np.minimum(said, frames.room - frame - frames.after) + frames.after
            kept = np.where(kept <= frames.room, kept, cut)
            fits = np.searchsorted(before, before[asked] + kept - frames.room)
            oldest[chosen] = np.clip(fits, first[chosen], asked)
            condition[chosen] = frames.around + kept + before[asked] - before[oldest[chosen]]
        return oldest, condition


class _Spoken(NamedTuple):
    """The utterances of a trajectory to encode: those of the condition, and the response."""

    context: list[Utterance]
    response: Utterance


class TokenText(_Rows):
    """The general conversations and the training text of a folder, in pieces like those of `samples.running_text`.

    Args:
        folder: The folder.
        length: The maximum number of tokens in a piece.
    """

    def __init__(self, folder: TokenFolder, length: int):
        super().__init__(folder)
        self._length, self._frames = length, frames_of(self.tokenizer, 0)
        self._index = lru_cache(OPEN_SHARDS)(self._make_index)
        pieces = (int(self._index(number)[1].max(initial=0)) for number in range(len(folder.shards)))
        self._begins = np.cumsum([0, *pieces])

    def taken(
        self, rows: Sequence[int] | np.ndarray, size: int | None = None, response_width: int | None = None
    ) -> Batch:
        """Read pieces into memory; see `batches.take`."""
        end, read = self.tokenizer.end, [self._piece(row) for row in rows]
        condition = np.full((len(read), 1), end, np.int32)
        response, mask = pad_rows(read, self._length, end, on_left=False)
        batch = Batch(condition, np.ones_like(condition, bool), response, mask)
        return take(batch, np.arange(len(read)), size, response_width)

    def some(self) -> Batch:
        """Read evenly spread pieces into memory."""
        return self.taken(self.spread())

    def _piece(self, row: int) -> list[int]:
        number, place = self._place(row)
        shard, (used, ends, _) = self.shard(number), self._index(number)
        which = int(np.searchsorted(ends, place, side="right"))
        conversation = int(used[which])
        said = self._utterances(shard, int(shard.begins[conversation]), int(shard.begins[conversation + 1]))
        [framed] = in_frames(self.tokenizer, [said], last=ROLES[1])
        tokens = [*self.tokenizer.encode_frame(self.tokenizer.layout.begin), *(i for ids in framed for i in ids)]
        start = self._length * (place - int(ends[which - 1] if which else 0))
        return tokens[start : start + self._length]

    def _lengths(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        _, ends, totals = self._index(number)
        pieces = np.diff(ends, prepend=0)
        lengths = np.full(int(pieces.sum()), self._length)
        last = ends[pieces > 0] - 1
        lengths[last] = (totals - self._length * (pieces - 1))[pieces > 0]
        return np.ones_like(lengths), lengths

    def _make_index(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find the general conversations and the training conversations of a shard.

        Returns:
            Three int64 arrays of shape (c,): the index of each conversation, the number of pieces in the shard up to
            the end of the conversation, and the number of its tokens.
        """
        shard, frames = self.shard(number), self._frames
        conversation, _ = shard.owners()
        ends = shard.begins.astype(np.int64)[1:][conversation]
        role = (ends - 1 - np.arange(len(conversation)) + 1) % 2  # the last utterance is the assistant's
        of_role = (frames.opened[i] + self._counts(shard, frames.framed[i]) + frames.after for i in range(2))
        lengths = np.where(role == 0, *of_role)
        totals = np.bincount(conversation, lengths, len(shard.parts)).astype(np.int64) + frames.begin
        used = np.flatnonzero((shard.parts == GENERAL) | (shard.parts == TRAIN))
        pieces = -(-totals[used] // self._length)
        return used, np.cumsum(pieces), totals[used]


class TokenTrajectories(Sequence[Trajectory]):
    """Trajectories that are read from token files one at a time.

    Args:
        samples: The samples from which the trajectories are read.
    """

    def __init__(self, samples: TokenSamples):
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, row: int) -> Trajectory:  # type: ignore[override]  # without slices
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        return self._samples.trajectory(row % len(self))


def _compounds(shard: Shard, begin: int, end: int) -> list[float]:
    """Return the compound scores of the utterances from index `begin` up to, but not including, index `end`."""
    return [score / DECIMALS for score in shard.scores[begin:end].tolist()]
