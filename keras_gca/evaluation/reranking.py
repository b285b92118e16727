"""Reranks N-best lists by maximum mutual information.

Li et al. 2016, "A Diversity-Promoting Objective Function for Neural Conversation Models", use beam search to find an
N-best list of answers y to a context x, and choose the answer with the highest score. They define two forms of the
score:

    anti-language model   log p(y|x) - lambda * log U(y) + gamma * N
    bidirectional         (1 - lambda) * log p(y|x) + lambda * log p(x|y) + gamma * N

N is the number of tokens in y, and U(y) is the probability of the first k words of y without a context. lambda and
gamma are weights. p(y) and p(x|y) come from separate networks of the same architecture, trained with `--predict
unconditional` and `--predict context`, respectively. In array shapes, n is the number of contexts, and s_s is the
maximum number of tokens in an answer.

In the table of results, the row "beam search" ranks answers by log p(y|x) per token. The reranked rows use log p(y|x)
with a bonus for each token, so they also differ from "beam search" in how strongly they prefer long answers. The row
"likelihood, lambda 0" differs from the other reranked rows only in lambda.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glove import cost
from keras_gca.agent import Agent
from keras_gca.data import pairs as transformations
from keras_gca.data.pairs import Pairs
from keras_gca.data.text import detokenise
from keras_gca.engine import reporting
from keras_gca.errors import UserError
from keras_gca.evaluation import estimate, judges, reply_metrics
from keras_gca.evaluation.replies import reply_figures
from keras_gca.evaluation.tables import Table
from keras_gca.evaluation.variants import LENGTH_BONUSES, Reranking
from keras_gca.models import bidirectional as score
from keras_gca.storage.atomic import write_text
from keras_gca.training.run_folder import GCARun

FILE = "mmi.json"  # written by `keras_gca.mmi`
STUDIED = "studied_mmi.json"  # written by `keras_gca.studies`
BATCH = 64
DEFAULT = Reranking()
BONUS = "gamma"
SHOWN = ("distinct-1", "distinct-2", "tokens", "repeated", "most frequent", "entropy, bits", "BLEU")


def rerank(
    run: str | Path, language_model: str | Path, backward: str | Path, how: Reranking = DEFAULT, file: str = FILE
) -> dict[str, dict[str, Any]]:
    """Rerank the N-best lists for a run's held-out contexts, and write the metrics to a JSON file in the run's folder.

    The metrics are computed on the test set (`judges.parts`). If gamma is not given, it is chosen on the validation
    set.

    Args:
        run: The run folder of p(y|x).
        language_model: The run folder of p(y).
        backward: The run folder of p(x|y).
        how: The reranking settings.
        file: The name of the JSON file.

    Returns:
        The metrics, as `measure` returns them.

    Raises:
        UserError: A run is missing or damaged, or does not match the other runs.
    """
    made = GCARun.open(run)
    agent = Agent.load(made.path)
    generator = how.generator or agent.generators[0]
    if generator not in agent.generators:
        raise UserError(
            f"--generator {generator}: {made.path} has no such generator; it has {' and '.join(agent.generators)}"
        )
    alone = _other_network(language_model, "--language-model", "unconditional", agent, made.path)
    reverse = _other_network(backward, "--backward", "context", agent, made.path)
    validation, test = judges.parts(made.dataset(), agent.config.seed)
    read = [test] if how.length_bonus is not None else [validation, test]
    reporting.say_cost(cost.in_turn([estimate.of_reranking(agent, pairs, how.candidates) for pairs in read]))
    lists = [candidates(agent, generator, alone, reverse, pairs, how.candidates) for pairs in read]
    bonus: float | Mapping[str, float]
    if how.length_bonus is None:
        bonus = best_bonuses(agent, lists[0], validation, how.weights, how.words)
    else:
        bonus = how.length_bonus
    figures = measure(agent, lists[-1], test, how.weights, how.words, bonus)
    write_text(made.path / file, json.dumps(figures, indent=2) + "\n")
    return figures


def _other_network(path: str | Path, option: str, predict: str, agent: Agent, run: Path) -> Agent:
    """Load the network of p(y) or p(x|y), and check that it matches the run to be reranked."""
    other = Agent.load(path)
    if other.config.predict != predict:
        trained = other.config.predict
        raise UserError(
            f"{option} {path}: this run was trained with --predict {trained}, but --predict {predict} is needed"
        )
    if other.vocabulary.tokens != agent.vocabulary.tokens:
        raise UserError(f"{option} {path}: its vocabulary differs from that of {run}; train both runs on the same data")
    return other


def table(figures: dict[str, dict[str, Any]], caption: str = "") -> Table:
    """Make a table with a row for each way of choosing answers.

    Args:
        figures: The metrics from `rerank`, or the same structure with a `Summary` in place of each number.
        caption: The caption of the table.
    """
    rows = [
        (name, f"{metrics[BONUS]:.3g}" if BONUS in metrics else None, *(f"{metrics[title]:.3g}" for title in SHOWN))
        for name, metrics in figures.items()
    ]
    return Table(None, caption, ("replies", BONUS, *SHOWN), rows)


def candidates(
    agent: Agent, generator: str, language_model: Agent, backward: Agent, pairs: Pairs, width: int
) -> dict[str, np.ndarray]:
    """Find an N-best list of answers to the context of each pair, and compute three log-probabilities per candidate.

    Args:
        agent: The agent of p(y|x).
        generator: One of its generators.
        language_model: The agent of p(y).
        backward: The agent of p(x|y).
        pairs: n pairs.
        width: The number of candidates for each context.

    Returns:
        A dictionary:

        - "answers", shape (n, width, s_s + 1) and dtype int32: the candidates, in order of decreasing
            log p(y|x) per token;
        - "forward", shape (n, width) and dtype float32: log p(y|x);
        - "backward", shape (n, width) and dtype float32: log p(x|y);
        - "alone", shape (n, width, s_s) and dtype float32: the log-probability of each token of y without a context,
            with NaN after the end.
    """
    parts = []
    for start in range(0, len(pairs), BATCH):
        contexts = pairs.contexts[start : start + BATCH]
        lists = agent.n_best(generator, contexts, width)
        rows = lists.answers.reshape(-1, lists.answers.shape[-1])
        # The networks of p(y) and p(x|y) have no embeddings of speakers.
        words = (
            transformations.without_speakers(contexts, len(agent.vocabulary))
            if agent.config.names_speakers
            else contexts
        )
        flat = Pairs(np.repeat(words, width, axis=0), rows, np.zeros(len(rows), np.int32))
        shape = lists.answers.shape[:2]
        alone = language_model.token_log_probabilities(transformations.unconditional(flat))
        parts.append(
            {
                "answers": lists.answers,
                "forward": lists.log_probabilities,
                "backward": score.log_p_of_contexts(
                    backward.token_log_probabilities, words, lists.answers, backward.config.hierarchical
                ),
                "alone": alone.reshape(*shape, -1),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def anti_language_model(choices: dict[str, np.ndarray], weight: float, words: int, length_bonus: float) -> np.ndarray:
    """Compute log p(y|x) - weight * log U(y) + length_bonus * N, as an array of shape (n, width).

    U(y) is the probability of the first `words` tokens of y without a context.
    """
    penalty = np.nansum(choices["alone"][..., :words], axis=-1)
    return choices["forward"] - weight * penalty + length_bonus * _tokens(choices)


def bidirectional(choices: dict[str, np.ndarray], weight: float, length_bonus: float) -> np.ndarray:
    """Compute (1 - weight) * log p(y|x) + weight * log p(x|y) + length_bonus * N, as an array of shape (n, width)."""
    both = score.bidirectional(choices["forward"], choices["backward"], weight)
    return both + length_bonus * _tokens(choices)


def _tokens(choices: dict[str, np.ndarray]) -> np.ndarray:
    return np.sum(~np.isnan(choices["alone"]), axis=-1)


def choose(choices: dict[str, np.ndarray], weight: float, words: int, bonus: float) -> dict[str, np.ndarray]:
    """Choose the candidate with the highest score for each context, once with each form of the score.

    Args:
        choices: The candidates, as returned by `candidates`.
        weight: lambda, the weight of the second network. If it is 0, both forms choose the same answers, which are
            returned only once.
        words: k, the number of words of an answer from which U is computed.
        bonus: gamma, the bonus for each token.

    Returns:
        {name of the form, with lambda: the chosen answers, an int32 array of shape (n, s_s + 1)}.
    """
    scores = {"likelihood": anti_language_model(choices, 0.0, words, bonus)}
    if weight:
        scores = {
            "anti-language model": anti_language_model(choices, weight, words, bonus),
            "bidirectional": bidirectional(choices, weight, bonus),
        }
    best = {name: np.argmax(of_form, axis=1) for name, of_form in scores.items()}
    return {f"{name}, lambda {weight:g}": choices["answers"][np.arange(len(rows)), rows] for name, rows in best.items()}


def best_bonuses(
    agent: Agent, choices: dict[str, np.ndarray], pairs: Pairs, weights: Sequence[float], words: int
) -> dict[str, float]:
    """Choose gamma for each form of the score and each lambda: the value in LENGTH_BONUSES with the highest BLEU.

    Args:
        agent: The agent of p(y|x).
        choices: The candidates for the contexts of `pairs`, as returned by `candidates`.
        pairs: The validation pairs.
        weights: The values of lambda.
        words: k, the number of words of an answer from which U is computed.

    Returns:
        {name of the form, with lambda: gamma}. If several values are equally good, the smallest one is chosen.
    """

    def texts(answers: np.ndarray) -> list[str]:
        vocabulary = agent.vocabulary
        return [detokenise(vocabulary.decode(row[1:]), vocabulary.surfaces) for row in answers]

    human, best = texts(pairs.answers), dict[str, float]()
    for weight in weights:
        scores: dict[str, dict[float, float]] = {}
        for bonus in LENGTH_BONUSES:
            for name, answers in choose(choices, weight, words, bonus).items():
                scores.setdefault(name, {})[bonus] = reply_metrics.bleu(texts(answers), human)[0]
        best |= {name: max(of_form, key=lambda bonus: of_form[bonus]) for name, of_form in scores.items()}
    return best


def measure(
    agent: Agent,
    choices: dict[str, np.ndarray],
    pairs: Pairs,
    weights: Sequence[float],
    words: int,
    length_bonus: float | Mapping[str, float],
) -> dict[str, dict[str, Any]]:
    """Compute the metrics of the human replies, of plain beam search, and of both forms of reranking.

    Args:
        agent: The agent of p(y|x).
        choices: The candidates, as returned by `candidates`.
        pairs: The contexts with their human answers.
        weights: The values of lambda.
        words: k, the number of words of an answer from which U is computed.
        length_bonus: gamma, either one value for all systems, or one value per form and lambda (`best_bonuses`).

    Returns:
        {system: {metric: value}}; see `replies.reply_figures`. Reranked systems also have BONUS, the value of gamma.
    """
    chosen, bonuses = {"human": pairs.answers, "beam search": choices["answers"][:, 0]}, {}
    for weight in weights:
        for name in choose(choices, weight, words, 0.0):
            bonuses[name] = length_bonus[name] if isinstance(length_bonus, Mapping) else length_bonus
            chosen[name] = choose(choices, weight, words, bonuses[name])[name]
    figures = reply_figures(agent, chosen)
    return {name: of | ({BONUS: bonuses[name]} if name in bonuses else {}) for name, of in figures.items()}
