"""Measures the effect of a run's speaker embeddings (`--persona-size`, Li et al. 2016).

The metrics answer three questions. Does a speaker's embedding make the speaker's own answers more probable? Does a
speaker give similar answers to differently worded versions of a question? Do different speakers answer the same
question differently?
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_gca.agent import Agent
from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import Pairs, with_speakers, without_speakers
from keras_gca.data.vocabulary import PAD
from keras_gca.errors import UserError
from keras_gca.evaluation.tables import Table
from keras_gca.training.run_folder import GCARun

FILE = "personas.json"  # written by `keras_gca.evaluate`
STUDIED = "studied_personas.json"  # written by `keras_gca.studies`
OWN, NOBODY, OTHER = "own", "nobody", "another"  # whose embedding is used to score a speaker's answers
MOST = 20  # the maximum number of speakers who are asked; those with the most answers are chosen
# Each row has several wordings of one question.
QUESTIONS = (
    ("What is your name?", "Who are you?", "May I ask your name?", "What do people call you?"),
    ("Where do you live?", "Where is your home?", "What town do you live in?", "Where are you from?"),
    ("What do you do for a living?", "What is your job?", "Where do you work?", "What work do you do?"),
    ("Do you have a family?", "Tell me about your family.", "Are you married?", "Who do you live with?"),
    ("What do you like doing?", "What are your hobbies?", "What do you do in your free time?", "What do you enjoy?"),
)


def evaluate_personas(run: str | Path) -> dict[str, Any]:
    """Measure the effect of a run's speaker embeddings.

    Args:
        run: The run folder.

    Returns:
        The metrics, as `measure` returns them.

    Raises:
        UserError: A file is missing or damaged, or the run has no speaker embeddings.
    """
    made = GCARun.open(run, "evaluate")
    agent = Agent.load(made.path)
    if not agent.vocabulary.speakers:
        raise UserError(f"{run}: the run has no speakers; choose a run that was trained with --persona-size")
    return measure(agent, made.dataset())


def measure(agent: Agent, dataset: Dataset) -> dict[str, Any]:
    """Measure the effect of an agent's speaker embeddings.

    Args:
        agent: The agent.
        dataset: The data of its training run.

    Returns:
        A dictionary for JSON. Overlaps are computed by `overlap`.

        - "answers": the number of held-out answers by named speakers;
        - "perplexity": for each generator, the perplexity of these answers with the embedding of their OWN speaker, of
            an unnamed speaker (NOBODY), and of the next speaker (OTHER);
        - "same speaker": for each generator, the mean overlap of a speaker's greedy answers to two wordings of a
            question;
        - "nobody": the same overlap for an unnamed speaker;
        - "other speakers": for each generator, the mean overlap of two speakers' answers to the same wording.

    Raises:
        UserError: No held-out answer is by a named speaker.
    """
    vocabulary = agent.vocabulary
    named = dataset.held_out[np.max(dataset.held_out.contexts, axis=1) > len(vocabulary)]
    if not len(named):
        raise UserError("no held-out answer is by a named speaker")
    figures: dict[str, Any] = {"answers": len(named), "perplexity": {}}
    of_kind = {kind: _spoken_by(kind, named, agent) for kind in (OWN, NOBODY, OTHER)}
    for name in agent.generators:
        logs = {kind: agent.token_log_probabilities(pairs, name) for kind, pairs in of_kind.items()}
        figures["perplexity"][name] = {
            kind: float(np.exp(-np.nanmean(values, dtype=np.float64))) for kind, values in logs.items()
        }
    asked = vocabulary.speakers[:MOST]
    for name in agent.generators:
        nobody, *speakers = [_answers(agent, name, speaker) for speaker in (None, *asked)]
        figures.setdefault("same speaker", {})[name] = float(np.mean([_in_wordings(one) for one in speakers]))
        figures.setdefault("nobody", {})[name] = _in_wordings(nobody)
        flat = [[answer for wordings in one for answer in wordings] for one in speakers]
        others = _mean_overlap(both for pair in itertools.combinations(flat, 2) for both in zip(*pair, strict=True))
        figures.setdefault("other speakers", {})[name] = others
    return figures


def overlap(first: Sequence[int], second: Sequence[int]) -> float:
    """Compute the Jaccard index of the sets of words in two answers, or return 1 if both answers are empty."""
    union = set(first) | set(second)
    return len(set(first) & set(second)) / len(union) if union else 1.0


def _mean_overlap(pairs: Iterable[tuple[Sequence[int], Sequence[int]]]) -> float:
    values = [overlap(*pair) for pair in pairs]
    return float(np.mean(values)) if values else float("nan")


def _in_wordings(answers: Sequence[Sequence[Sequence[int]]]) -> float:
    """Compute the mean overlap of a speaker's answers to different wordings of the same question."""
    return _mean_overlap(pair for wordings in answers for pair in itertools.combinations(wordings, 2))


def _answers(agent: Agent, generator: str, speaker: str | None) -> list[list[list[int]]]:
    """Let a speaker answer every wording of every question, and return the answers as word indices."""
    before, agent.persona = agent.persona, speaker
    contexts = agent.encode_contexts([[wording] for wordings in QUESTIONS for wording in wordings])
    agent.persona = before
    rows = iter(agent.decode(generator, contexts).answers)
    words = [[agent.vocabulary.encode(agent.vocabulary.decode(next(rows))).tolist() for _ in of] for of in QUESTIONS]
    return words


def _spoken_by(kind: str, pairs: Pairs, agent: Agent) -> Pairs:
    """Attribute every answer to its own speaker (OWN), an unnamed one (NOBODY), or the next speaker (OTHER)."""
    size, count = len(agent.vocabulary), len(agent.vocabulary.speakers)
    own = np.max(pairs.contexts, axis=1)
    speakers = {OWN: own, NOBODY: np.full_like(own, PAD), OTHER: size + 1 + (own - size) % count}[kind]
    contexts = with_speakers(without_speakers(pairs.contexts, size), speakers)
    return Pairs(contexts, pairs.answers, pairs.conversation)


def table(figures: Mapping[str, Mapping[str, Any]]) -> Table:
    """Make a table of the metrics of speaker embeddings.

    Args:
        figures: {title of a row: the metrics from `measure`, or their summary over several runs}.
    """
    scored = (f"perplexity, {kind}" for kind in (OWN, NOBODY, OTHER))
    header = "run", "generator", "answers", *scored, "same", "nobody", "others"
    rows = []
    for what, of_row in figures.items():
        for name, by_kind in of_row["perplexity"].items():
            overlaps = (f"{of_row[key][name]:.3f}" for key in ("same speaker", "nobody", "other speakers"))
            perplexities = (f"{by_kind[kind]:.2f}" for kind in (OWN, NOBODY, OTHER))
            names = what.replace("_", " "), name.replace("_", " ")
            rows.append((*names, f"{of_row['answers']:.0f}", *perplexities, *overlaps))
    caption = (
        "Perplexity of the held-out answers by named speakers (and the number of these answers), with the embedding of "
        "their own speaker, of an unnamed speaker (nobody), and of another speaker. The overlap (Jaccard index) "
        "compares two greedy answers: one speaker's answers to two wordings of a question (same), an unnamed speaker's "
        "answers to two wordings (nobody), or two speakers' answers to the same wording (others)."
    )
    return Table(None, caption, header, rows, 2)
