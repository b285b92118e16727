"""Lets generators talk to themselves, and measures the length of the conversations and the diversity of the answers.

Following Section 5 of Li et al. 2016, "Deep Reinforcement Learning for Dialogue Generation", a conversation ends when
an agent gives a dull response or repeats itself. An agent repeats itself if two of its successive utterances share more
than 80 percent of their words. Diversity is the distinct-1 and distinct-2 of answers to human contexts.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_gca.agent import Agent
from keras_gca.data.dataset import Dataset
from keras_gca.data.dull_responses import encoded
from keras_gca.data.vocabulary import BOS, EOS, PAD
from keras_gca.errors import UserError
from keras_gca.evaluation import reply_metrics
from keras_gca.evaluation.tables import Table
from keras_gca.models.decoding_settings import GREEDY
from keras_gca.training.run_folder import GCARun
from keras_gca.training.simulation import Openings, Simulated, openings, simulate

FILE = "simulated_conversations.json"  # of `keras_gca.evaluate`
STUDIED = "studied_conversations.json"  # of `keras_gca.studies`
MOST_MESSAGES, MOST_TURNS = 1000, 7  # as in the paper: 1,000 messages, and fewer than 8 turns
REPETITION = 0.8  # the share of common words above which an utterance repeats another one
BATCH = 128
HUMAN = "human"
ENDS = ("dull", "repeated", "limit")  # why a conversation ends
SHOWN = (
    "turns",
    "dull",
    "repeated",
    "distinct-1",
    "distinct-2",
    "distinct-1 at equal counts",
    "distinct-2 at equal counts",
    "tokens",
    "perplexity",
)


def evaluate_conversations(run: str | Path, seed: int = 0) -> dict[str, Any]:
    """Measure the generators of a run on messages from its held-out conversations.

    Args:
        run: The run folder.
        seed: The seed for choosing the messages.

    Returns:
        The metrics, as returned by `measure`.

    Raises:
        UserError: A file is missing or damaged, or the run does not predict answers.
    """
    made = GCARun.open(run, "evaluate")
    agent = Agent.load(made.path)
    if agent.config.predict != "answer":
        raise UserError(
            f"{run}: this run was trained with --predict {agent.config.predict}; choose a run with --predict answer"
        )
    return measure(agent, made.dataset(), seed)


def measure(agent: Agent, dataset: Dataset, seed: int = 0) -> dict[str, Any]:
    """Measure the generators of an agent.

    Answers are greedy (Algorithm 1). All generators start from the same human contexts.

    Args:
        agent: The agent.
        dataset: The data of its training run.
        seed: The seed for choosing the contexts.

    Returns:
        A dictionary for JSON. "messages" is the number of conversations, and "systems" holds the metrics of each
        generator. "turns" is the mean number of turns before the turn that ends a conversation, at most MOST_TURNS. The
        keys in ENDS hold the share of conversations that end in each way. distinct-n and "tokens" are computed from the
        first answer of each conversation. The system HUMAN has only distinct-n and "tokens", computed from the held-out
        answers.

    Raises:
        UserError: Every dull response contains a word that is not in the vocabulary.
    """
    config, held_out = agent.config, dataset.held_out
    phrases = phrases_of(agent)
    begun = openings(held_out, min(len(held_out), MOST_MESSAGES), seed, config, len(agent.vocabulary))
    systems: dict[str, dict[str, float]] = {}
    replies = {HUMAN: [agent.vocabulary.decode(row[1:]) for row in held_out.answers]}
    perplexities = agent.perplexities(held_out)
    for name in agent.generators:
        starts = range(0, len(begun.contexts), BATCH)
        parts = [_simulated(agent, name, begun.some(np.arange(len(begun.contexts))[i : i + BATCH])) for i in starts]
        ended = [end for part in parts for end in ends_of(part, phrases)]
        answers = np.concatenate([part.pairs.answers[: len(part.said)] for part in parts])
        replies[name] = [agent.vocabulary.decode(row[1:]) for row in answers]
        systems[name] = {"turns": float(np.mean([turns for turns, _ in ended]))}
        systems[name] |= {end: float(np.mean([why == end for _, why in ended])) for end in ENDS}
        systems[name]["perplexity"] = perplexities[name]
    for n in (1, 2):
        _, equal = reply_metrics.equal_distinct(replies, n)
        for name, said in replies.items():
            metrics = {f"distinct-{n}": reply_metrics.distinct(said, n), f"distinct-{n} at equal counts": equal[name]}
            systems.setdefault(name, {}).update(metrics | {"tokens": reply_metrics.mean_length(said)})
    return {"messages": len(begun.contexts), "systems": systems}


def _simulated(agent: Agent, generator: str, begun: Openings) -> Simulated:
    """Let a generator talk to itself for MOST_TURNS turns."""

    def answered(contexts: np.ndarray, turn: int) -> np.ndarray:
        return agent.decode(generator, contexts, GREEDY).answers

    return simulate(answered, begun, MOST_TURNS, agent.config.hierarchical)


def phrases_of(agent: Agent) -> list[list[int]]:
    """Return the phrases that mark a dull response: the known dull responses without their final full stop.

    Raises:
        UserError: Every dull response contains a word that is not in the vocabulary.
    """
    phrases = [response[:-1].tolist() for response in encoded(agent.vocabulary, agent.config.contractions)]
    if not phrases:
        raise UserError("every dull response contains a word that is not in the vocabulary; use an English corpus")
    return phrases


def ends_of(simulated: Simulated, phrases: Sequence[Sequence[int]]) -> list[tuple[int, str]]:
    """Find the end of each conversation.

    Args:
        simulated: The conversations.
        phrases: The phrases that mark a dull response.

    Returns:
        For each conversation, the number of turns before the turn that ends it, and one of ENDS.
    """
    special = (PAD, BOS, EOS)
    begun = simulated.said.shape[1] - simulated.length
    ends = []
    for rows in simulated.said:
        said = [row[~np.isin(row, special)].tolist() for row in rows]
        end = simulated.length, "limit"
        for turn, words in enumerate(said[begun:]):
            earlier = begun + turn - 2  # the utterance before of the same agent
            if is_dull(words, phrases):
                end = turn, "dull"
            elif earlier >= 0 and overlap(words, said[earlier]) > REPETITION:
                end = turn, "repeated"
            else:
                continue
            break
        ends.append(end)
    return ends


def is_dull(words: Sequence[int], phrases: Sequence[Sequence[int]]) -> bool:
    """Return whether an utterance contains any of the phrases, all given as word indices."""
    words = list(words)
    return any(
        words[start : start + len(phrase)] == list(phrase)
        for phrase in phrases
        for start in range(len(words) - len(phrase) + 1)
    )


def overlap(first: Sequence[int], second: Sequence[int]) -> float:
    """Compute the number of words that two utterances share, divided by the length of the longer utterance.

    A short utterance therefore has a low overlap with a much longer utterance that contains it. A word that occurs j
    times in one utterance and k times in the other counts min(j, k) times.

    Returns:
        A number from 0 to 1, or 0 if both utterances are empty.
    """
    both = sum(min(first.count(word), second.count(word)) for word in set(first))
    longer = max(len(first), len(second))
    return both / longer if longer else 0.0


def table(figures: Mapping[str, Mapping[str, Any]]) -> Table:
    """Make a table with a row for each generator, and one for the human answers.

    Args:
        figures: {title of a row: the metrics from `measure`, or their summary over several runs}.
    """
    rows = [
        (
            what.replace("_", " "),
            name.replace("_", " "),
            *(f"{metrics[key]:.3g}" if key in metrics else None for key in SHOWN),
        )
        for what, of_row in figures.items()
        for name, metrics in of_row["systems"].items()
    ]
    caption = (
        "Greedy conversations of each generator with itself, starting from held-out messages. turns: the turns before "
        f"a dull response or a repetition, at most {MOST_TURNS}. dull, repeated: the shares of conversations that end "
        "this way. distinct-n, tokens: of the first answers. perplexity: of the held-out answers."
    )
    return Table(None, caption, ("run", "answers of", *SHOWN), rows, 2)
