"""Measures generators after a change of subject, which is created by joining two held-out conversations.

Ludwig 2017, Section 5: "with Nu > 2 the machine cannot change the subject of the conversation when the human
interlocutor does it". Just after the joint, where the second conversation begins, the contexts of the human answers may
still include utterances from the first conversation. The perplexity of these answers is compared with their perplexity
without the first conversation.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_gca.agent import Agent
from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import Pairs, frame_answers
from keras_gca.data.vocabulary import BOS, EOS, PAD
from keras_gca.errors import UserError
from keras_gca.evaluation.tables import Table
from keras_gca.models.context_changes import THRESHOLD
from keras_gca.training.run_folder import GCARun

FILE = "subject_changes.json"  # written by `keras_gca.evaluate`
STUDIED = "studied_changes.json"  # written by `keras_gca.studies`
DISTANCES = ("1 utterance", "2 utterances", "3+ utterances")  # how much of the new subject is before the answer
JOINED, ALONE = "joined", "alone"


def evaluate_subject_changes(run: str | Path, seed: int = 0) -> dict[str, Any]:
    """Measure a run on its held-out conversations after each of them has been appended to another one.

    Args:
        run: The run folder.
        seed: The seed for choosing which conversations are joined.

    Returns:
        The metrics, as returned by `measure`.

    Raises:
        UserError: A file is missing or damaged, or the run has no held-out conversations that can be joined.
    """
    made = GCARun.open(run, "evaluate")
    agent, dataset = Agent.load(made.path), made.dataset()
    if agent.config.predict != "answer":
        raise UserError(
            f"{run}: this run was trained with --predict {agent.config.predict}; choose a run with --predict answer"
        )
    if not dataset.whole_conversations:
        raise UserError(f"{run}: single pairs are held out; choose a run that holds out complete conversations")
    return measure(agent, dataset, seed)


def measure(agent: Agent, dataset: Dataset, seed: int = 0) -> dict[str, Any]:
    """Measure an agent on pairs of joined conversations.

    Args:
        agent: The agent. Its contexts are limited by N_u or by its detector of context changes.
        dataset: The data of its training run, with complete held-out conversations.
        seed: The seed for choosing which conversations are joined.

    Returns:
        A dictionary for JSON:

        - "pairs": the number of answers at each distance from the joint (DISTANCES);
        - "perplexity": the perplexity of each generator at each distance, with the first conversation (JOINED) and
            without it (ALONE);
        - "detector": the share of joints ("joints") and of all other positions between two utterances ("elsewhere") at
            which the detector sees a change. This key is missing if the agent has no detector.

    Raises:
        UserError: Fewer than two conversations are held out.
    """
    conversations = conversations_of(dataset.held_out, len(agent.vocabulary))
    if len(conversations) < 2:
        raise UserError(f"{len(conversations)} conversation is held out; at least 2 are needed to join conversations")
    order = np.random.default_rng(seed).permutation(len(conversations))
    joints = [(conversations[a], conversations[b]) for a, b in zip(order, np.roll(order, 1), strict=True)]
    count, length = agent.config.context_utterances, agent.config.sentence_length
    rows = [
        (before, new, answer)
        for before, new in joints
        for answer in range(1, len(new))  # the utterance that begins the new subject is not an answer to the old one
    ]
    contexts = {
        JOINED: [[*before, *new[:answer]][-count:] for before, new, answer in rows],
        ALONE: [new[max(0, answer - count) : answer] for _, new, answer in rows],
    }
    answers = frame_answers([new[answer] for _, new, answer in rows], length)
    distance = np.minimum([answer for *_, answer in rows], len(DISTANCES)) - 1
    perplexity: dict[str, dict[str, dict[str, float]]] = {name: {} for name in agent.generators}
    for kind, of_kind in contexts.items():
        pairs = Pairs(agent.contexts_of(of_kind), answers, np.arange(len(rows), dtype=np.int32))
        for name in agent.generators:
            logs = agent.token_log_probabilities(pairs, name)
            perplexity[name][kind] = {
                title: float(np.exp(-np.nanmean(logs[distance == number], dtype=np.float64)))
                for number, title in enumerate(DISTANCES)
                if (distance == number).any()
            }
    numbers = {title: int((distance == number).sum()) for number, title in enumerate(DISTANCES)}
    figures: dict[str, Any] = {"pairs": numbers, "perplexity": perplexity}
    if agent.detector is not None:
        at_joints = [before[-1] for before, _ in joints], [new[0] for _, new in joints]
        successive = [pair for new in conversations for pair in itertools.pairwise(new)]
        elsewhere = [first for first, _ in successive], [second for _, second in successive]
        figures["detector"] = {
            where: float(np.mean(agent.detector.probabilities(first, second, length) > THRESHOLD))
            for where, (first, second) in (("joints", at_joints), ("elsewhere", elsewhere))
        }
    return figures


def conversations_of(pairs: Pairs, vocabulary_size: int) -> list[list[np.ndarray]]:
    """Return the utterances of complete conversations as word indices.

    The first utterance of a conversation is the context of its first pair. Each further utterance is an answer.

    Args:
        pairs: The pairs of complete conversations.
        vocabulary_size: s_v, the number of tokens in the vocabulary. Speaker tokens, whose indices are s_v or higher,
            are left out.
    """
    special = (PAD, BOS, EOS)
    conversations: dict[int, list[np.ndarray]] = {}
    for context, answer, number in zip(pairs.contexts, pairs.answers, pairs.conversation.tolist(), strict=True):
        utterances = conversations.setdefault(
            number, [context[~np.isin(context, special) & (context < vocabulary_size)]]
        )
        utterances.append(answer[~np.isin(answer, special)])
    return list(conversations.values())


def table(figures: Mapping[str, Mapping[str, Any]]) -> Table:
    """Make a table of perplexities.

    Args:
        figures: {title of a row: the metrics from `measure`, or their summary over several runs}.
    """
    header = "contexts of", "generator", "conversation", *(f"after {title}" for title in DISTANCES), "change seen"
    rows: list[Sequence[str | None]] = []
    for what, of_row in figures.items():
        for name, by_kind in of_row["perplexity"].items():
            for kind, by_distance in by_kind.items():
                cells = (f"{by_distance[title]:.2f}" if title in by_distance else None for title in DISTANCES)
                where = {JOINED: "joints", ALONE: "elsewhere"}[kind]
                seen = f"{of_row['detector'][where]:.1%}" if "detector" in of_row else None
                rows.append((what.replace("_", " "), name.replace("_", " "), kind, *cells, seen))
    caption = (
        "Perplexity of human answers after a change of subject, with each held-out conversation appended to another "
        "one (joined), and on its own (alone). The last column shows how often the detector sees a change: at the "
        "joints (joined), and between other utterances (alone)."
    )
    return Table(None, caption, header, rows, 3)
