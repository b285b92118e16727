"""Context/answer pairs that are read from token files when a batch needs them.

`TokenPairs` takes the place of `Pairs` for corpora that do not fit into memory. `engine/shard_order.py` determines the
order of an epoch. With a single shard, the order is exactly the same as for pairs in memory.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from keras_gca.data.pairs import PREDICTED, Pairs
from keras_gca.data.token_folder import FIRST, TRAINING, Shard, TokenFolder
from keras_gca.data.vocabulary import BOS, EOS, PAD, SPECIAL_TOKENS
from keras_gca.engine.batching import plan
from keras_gca.engine.shard_order import OPEN_SHARDS, Epoch, Lane, entropy

SHARDS_OF_A_LANE = 8  # with fewer shards for each process, the processes would have too different numbers of pairs
SAMPLE = 20_000  # the most held-out pairs that are measured, and the pairs from which costs are estimated


class _PairIndex(NamedTuple):
    """The positions of the n pairs in a shard that have the same role.

    Attributes:
        shard: The arrays of the shard.
        answer: The index of each answer's utterance, an int32 array of shape (n,).
        context: The index of the first utterance of each context, an int32 array of shape (n,).
        conversation: The index of each pair's conversation in the shard, an int32 array of shape (n,).
    """

    shard: Shard
    answer: np.ndarray
    context: np.ndarray
    conversation: np.ndarray


class TokenPairs:
    """The pairs with a given role in a folder of token files.

    Args:
        folder: The folder.
        sentence_length: s_s, the maximum number of tokens in a context or a partial answer.
        context_utterances: N_u, the number of utterances in a context.
        predict: See `Config.predict`.
        role: TRAINING, VALIDATION or TEST.
        lane: The part of the shards from which this process makes its batches. Batches are made from all shards if
            `lane` is None or if there are fewer than SHARDS_OF_A_LANE shards for each process.
    """

    def __init__(
        self,
        folder: TokenFolder,
        sentence_length: int,
        context_utterances: int = 2,
        predict: str = "answer",
        role: int = TRAINING,
        lane: Lane | None = None,
    ):
        self.folder = folder
        self._length, self._utterances, self._predict, self._role = sentence_length, context_utterances, predict, role
        counts = [facts.pairs(role) for facts in folder.shards]
        self._numbers = [number for number, count in enumerate(counts) if count]
        # If there are only a few shards, every process reads all of them, and makes the same batches.
        divided = lane is not None and len(self._numbers) >= SHARDS_OF_A_LANE * lane.count
        self.lane = lane if lane is not None and divided else Lane()
        self._begins = np.cumsum([0, *counts])  # the number of the first pair of each shard
        self._conversations = np.cumsum([0, *(facts.conversations for facts in folder.shards)])
        self._index = lru_cache(OPEN_SHARDS)(self._make_index)

    def __len__(self) -> int:
        return int(self._begins[-1])

    def __getitem__(self, selection: slice | np.ndarray) -> Pairs:
        """Read the selected pairs into memory, in the order of the selection."""
        if isinstance(selection, slice):
            selection = np.arange(*selection.indices(len(self)))
        rows = np.flatnonzero(selection) if selection.dtype == bool else np.asarray(selection, np.int64)
        contexts = np.full((len(rows), self._length), PAD, np.int32)
        answers = np.full((len(rows), self._length + 1), PAD, np.int32)
        conversation = np.zeros(len(rows), np.int32)
        owner = np.searchsorted(self._begins, rows, side="right") - 1
        for number in np.unique(owner):
            here = owner == number
            index = self._index(int(number))
            chosen = rows[here] - self._begins[number]
            contexts[here], answers[here] = self._read(index, chosen)
            conversation[here] = index.conversation[chosen] + self._conversations[number]
        return PREDICTED[self._predict](Pairs(contexts, answers, conversation), False)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Read all pairs into memory; see `Pairs.arrays`."""
        return self[:].arrays()

    @property
    def contexts(self) -> np.ndarray:
        """The contexts of all pairs, in memory: an int32 array of shape (n, s_s)."""
        return self[:].contexts

    @property
    def answers(self) -> np.ndarray:
        """The answers of all pairs, in memory: an int32 array of shape (n, s_s + 1)."""
        return self[:].answers

    @property
    def conversation(self) -> np.ndarray:
        """The index of each pair's conversation, an int32 array of shape (n,)."""
        parts = [self._index(number).conversation + self._conversations[number] for number in self._numbers]
        return np.concatenate(parts).astype(np.int32)

    @property
    def tokens(self) -> int:
        """The number of target tokens: every token after BOS, including EOS."""
        return sum(int(self._lengths(number)[1].sum()) - self._begins_of(number)[1] for number in self._numbers)

    @property
    def in_memory(self) -> int:
        """The number of pairs held in memory."""
        return 0

    def some(self) -> Pairs:
        """Return a fixed sample of at most SAMPLE evenly spread pairs, which does not grow with the corpus."""
        count = min(len(self), SAMPLE)
        return self[np.linspace(0, len(self) - 1, count).astype(np.int64)]

    def some_conversations(self) -> Pairs:
        """Return the pairs of evenly spread whole conversations: all pairs, or about SAMPLE if there are more."""
        conversation, share = self.conversation, min(1.0, SAMPLE / len(self))
        _, index = np.unique(conversation, return_inverse=True)
        chosen = ((index + 1) * share).astype(np.int64) > (index * share).astype(np.int64)
        return self[chosen]

    def drawn(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Draw the indices of at most `count` different pairs. With one shard, the result is that of `Pairs.drawn`."""
        if len(self._numbers) == 1:
            return random.permutation(len(self))[:count]
        return random.choice(len(self), min(count, len(self)), replace=False)

    def verify(self) -> None:
        """Verify the checksums of the shards that this process reads.

        Raises:
            UserError: A file is damaged.
        """
        for number in self._numbers[self.lane.index :: self.lane.count]:
            self.folder.verify(number)

    def plan(self, batch_size: int, seed: int | None) -> "Epoch":
        """Plan the batches of one epoch; see `Epoch`."""
        return Epoch(self, self._numbers, batch_size, seed, self.lane)

    def documents(self, tokens: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return training text from evenly spread shards, for fitting word vectors.

        Args:
            tokens: The text ends with the conversation that reaches this number of tokens.

        Returns:
            For each shard, two arrays of shape (t,): the int64 index of each word, counted from 0, or -1 for an
            unknown word; and the index of each token's conversation. As with pairs in memory, the text consists of the
            first utterance of each conversation and the answers of the training pairs.
        """
        made: list[tuple[np.ndarray, np.ndarray]] = []
        total = 0
        mean = sum(self.folder.shards[number].tokens for number in self._numbers) / len(self._numbers)
        wanted = min(len(self._numbers), max(1, int(-(-tokens // mean))))
        for number in np.array(self._numbers)[np.linspace(0, len(self._numbers) - 1, wanted).astype(int)]:
            if total >= tokens:
                break
            shard = self.folder.shard(int(number))
            conversation = np.cumsum(shard.roles == FIRST) - 1
            trained = np.zeros(conversation[-1] + 1, bool)
            trained[conversation[shard.roles == self._role]] = True
            used = ((shard.roles == FIRST) | (shard.roles == self._role)) & trained[conversation]
            lengths: np.ndarray = np.diff(shard.offsets.astype(np.int64))
            kept = np.repeat(used, lengths)
            words = shard.tokens[kept].astype(np.int64) - len(SPECIAL_TOKENS)
            owner = np.repeat(conversation, lengths)[kept]
            if total + len(words) > tokens:
                ends = np.flatnonzero(np.diff(owner, append=-1)) + 1
                end = ends[np.searchsorted(ends, tokens - total)]
                words, owner = words[:end], owner[:end]
            made.append((np.maximum(words, -1), owner))
            total += len(words)
        return made

    def _make_index(self, number: int) -> _PairIndex:
        shard = self.folder.shard(number)
        first = shard.roles == FIRST
        utterances = np.arange(len(first), dtype=np.int32)
        begins = np.maximum.accumulate(np.where(first, utterances, 0))  # of the conversation of each utterance
        answer = np.flatnonzero(shard.roles == self._role).astype(np.int32)
        context = np.maximum(begins[answer], answer - min(self._utterances, len(first)))
        return _PairIndex(shard, answer, context, (np.cumsum(first, dtype=np.int32) - 1)[answer])

    def _begins_of(self, number: int) -> tuple[int, int]:
        """Return the index of a shard's first pair, and the number of its pairs."""
        begin, end = self._begins[number : number + 2]
        return int(begin), int(end - begin)

    def _lengths(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the lengths in tokens of a shard's contexts, and of its answers including BOS and EOS."""
        shard, answer, context, _ = self._index(number)
        offsets = shard.offsets.astype(np.int64)
        before = np.minimum(offsets[answer] - offsets[context], self._length)
        words = offsets[answer + 1] - offsets[answer]
        if self._predict == "context":
            return np.minimum(words, self._length), np.minimum(before + 2, self._length + 1)
        framed = np.minimum(words + 2, self._length + 1)
        return (np.zeros_like(before) if self._predict == "unconditional" else before), framed

    def _read(self, index: _PairIndex, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read contexts of shape (n, s_s) and answers of shape (n, s_s + 1) from one shard."""
        shard, length = index.shard, self._length
        answer = index.answer[chosen]
        begin = shard.offsets[index.context[chosen]].astype(np.int64)[:, None]
        middle, end = (shard.offsets[answer + i].astype(np.int64)[:, None] for i in (0, 1))
        place = middle - length + np.arange(length)
        contexts = np.where(place >= begin, shard.tokens[np.maximum(place, begin)], PAD)
        place = middle + np.arange(length + 1) - 1
        answers = np.where(place < end, shard.tokens[np.clip(place, middle, end - 1)], PAD)
        answers[place == end] = EOS
        answers[:, 0] = BOS
        return contexts, answers

    def rows_of(self, number: int) -> int:
        """Return the number of pairs in a shard."""
        return self._begins_of(number)[1]

    def shard_batches(self, number: int, batch_size: int, seed: int | None) -> list[np.ndarray]:
        """Plan the batches of one shard: the indices of each batch's pairs."""
        contexts, answers = self._lengths(number)
        begin, _ = self._begins_of(number)
        return [begin + rows for rows in plan(contexts, batch_size, entropy(seed, number), answers)]
