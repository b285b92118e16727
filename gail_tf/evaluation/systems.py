"""The systems that Table 2 compares, with means over seeds and paired tests.

A system, for example TextGAIL, has one run for each seed.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gail_tf.evaluation import metrics
from gail_tf.evaluation.comparability import system_of
from gail_tf.evaluation.measure import RunEvaluation
from gail_tf.evaluation.results_file import OWN_VECTORS, PolicyEvaluation
from gail_tf.evaluation.selection import SELECTIONS
from gail_tf.imitation import curves
from gail_tf.imitation.phases import IMITATION
from keras_gca.evaluation.paired_tests import Comparison, PairedTest, compare_seeds, with_correction
from keras_gca.evaluation.reply_metrics import bleu
from keras_gca.evaluation.statistics import Summary, summarise

# The names of systems in Table 2, and of variants in other tables.
NAMES = {
    "mle": "maximum likelihood",
    "start_of_imitation": "likelihood, the start of all others",
    "seq2seq_mle": "Seq2Seq + MLE",
    "rl_seq2seq": "RL-Seq2Seq",
    "textgail": "TextGAIL",
    "textgail_random": "TextGAIL, D a RoBERTa with random weights",
    "textgail_frozen": "TextGAIL, D on the frozen reference",
    "textgail_adapters": "TextGAIL, D a copy of the policy's network with adapters",
    "textgail_trainable": "TextGAIL, D a copy of the policy's network",
    "trpo": "GAIL with TRPO",
    "gail": "EmpathyGAIL",
    "gail_filtered": "EmpathyGAIL, filtered rollouts",
    "gail_permuted": "EmpathyGAIL, rewards permuted",
    "gail_zero": "EmpathyGAIL, rewards 0",
    "mle_without_sentiment": "maximum likelihood, without sentiment",
    "no_sentiment": "EmpathyGAIL, without sentiment",
    "mle_with_sentiment_history": "maximum likelihood, with sentiment history",
    "sentiment_history": "EmpathyGAIL, with sentiment history",
    "mle_with_profiles": "maximum likelihood, with profiles",
    "profiles": "EmpathyGAIL, with profiles",
    "extra_likelihood": "extra likelihood",
    "iqlearn": "IQ-Learn",
    "selection_at_random": "selection at random",
    "selection_by_likelihood": "selection of the likeliest",
    "selection_by_odds": "selection by D's odds",
}

HUMAN = "human"


class Measured(NamedTuple):
    """The results of one policy, together with the results of the run that trained it."""

    run: RunEvaluation
    policy: PolicyEvaluation

    @property
    def name(self) -> str:
        """The name of the policy in its run."""
        return next(name for name, policy in self.run.policies.items() if policy is self.policy)

    @property
    def imitates(self) -> bool:
        """Whether the policy was trained by imitation, not only by maximum likelihood."""
        return self.run.policies.get(IMITATION) is self.policy


Systems = dict[str, list[Measured]]  # for each system, by its key in NAMES, a list with one policy for each seed


def systems(evaluations: Sequence[RunEvaluation], named: Mapping[Path, str] | None = None) -> tuple[Systems, list[str]]:
    """Group the policies of several runs by the systems that Table 2 compares.

    If several runs with the same seed have a policy trained only by maximum likelihood, only the first of these
    policies is included.

    Args:
        evaluations: The results of the runs.
        named: A mapping from run folders to names of systems, for runs whose algorithm does not determine their system.

    Returns:
        The systems in the order of Table 2, and remarks about policies that are left out and about imitation that
        stopped early.
    """
    by_system: Systems = {}
    remarks = []
    for evaluation in evaluations:
        updates = evaluation.config.rollout.updates
        if IMITATION in evaluation.policies and evaluation.updates < updates:
            remarks.append(f"{evaluation.run.path}: imitation stopped after {evaluation.updates} of {updates} updates")
        for name, policy in evaluation.policies.items():
            system = (named or {}).get(evaluation.run.path) or system_of(evaluation.run, evaluation.config, name)
            same = [other.run for other in by_system.get(system, []) if other.run.config.seed == evaluation.config.seed]
            if same:
                remarks.append(
                    f"{evaluation.run.path}: the policy trained only by maximum likelihood is left out, because "
                    f"{same[0].run.path} already has one with seed {evaluation.config.seed}"
                )
            else:
                by_system.setdefault(system, []).append(Measured(evaluation, policy))
    order = [*NAMES, *(name for name in by_system if name not in NAMES)]
    return {name: by_system[name] for name in order if name in by_system}, remarks


def paired_tests(by_system: Systems, seed: int = 0) -> list[PairedTest]:
    """Compare each pair of systems by paired tests over conversations, and over seeds if there are several.

    Only runs with the same seed and the same test trajectories are compared. Tweets are left out, unless all test
    trajectories are tweets.

    Args:
        by_system: The systems.
        seed: The seed for the sign flips and the bootstrap.
    """
    rows: list[tuple[tuple[str, str], int | None, str, Comparison]] = []
    for pair in itertools.combinations(by_system, 2):
        differences: dict[str, list[float]] = {}
        for a, b in itertools.product(*(by_system[system] for system in pair)):
            if a.run.config.seed == b.run.config.seed and a.run.test == b.run.test:
                for figure, comparison in _compared(a, b, seed).items():
                    rows.append((pair, a.run.config.seed, figure, comparison))
                    differences.setdefault(figure, []).append(comparison.difference)
        for figure, of_seeds in differences.items():
            if len(of_seeds) > 1:
                rows.append((pair, None, figure, compare_seeds(of_seeds, [0.0] * len(of_seeds), seed)))
    return with_correction(rows)


def _compared(a: Measured, b: Measured, seed: int) -> dict[str, Comparison]:
    """Compare two policies on the same test trajectories. Return a mapping from metrics to comparisons."""
    parts = metrics.parts(a.run.test)
    rows = parts[metrics.ALL] if metrics.ALL in parts else parts[metrics.TWEETS]
    conversations = np.array([trajectory.conversation for trajectory in a.run.test])
    first, second = (metrics.Likelihoods(*(array[rows] for array in x.policy.likelihoods)) for x in (a, b))
    tests: dict[str, Comparison | None] = {}
    if not {a.name, b.name} & set(SELECTIONS):  # the probability that a response is chosen is not known
        tests["nats a word"] = metrics.compare_likelihoods(first, second, conversations[rows], seed)
    answered = np.isin(a.policy.rows, rows)
    of = conversations[a.policy.rows[answered]]
    for figure, scores in a.policy.scores.items():
        other = b.policy.scores[figure]
        tests[figure] = metrics.compare(scores[answered], other[answered], np.ones(len(of)), of, seed)
    return {figure: comparison for figure, comparison in tests.items() if comparison is not None}


# Tables


def summary(measured: Sequence[Measured], part: str, figure: str) -> Summary | None:
    """Return the mean and standard deviation of a metric over a system's runs, or None if no run has the metric."""
    estimates = [one.policy.figures.get(part, {}).get(figure) for one in measured]
    values = [estimate.value for estimate in estimates if estimate is not None and not math.isnan(estimate.value)]
    return summarise(values) if values else None


def notes(by_system: Systems) -> list[str]:
    """Return the notes to print below the tables."""
    measured = [one for every in by_system.values() for one in every]
    options = measured[0].run.options
    cut = np.concatenate([one.policy.likelihoods.cut for one in measured])
    _, signature = bleu(["a"], ["a"])
    vectors = Path(options.glove).name if options.glove else OWN_VECTORS
    features = (
        "The features for MAUVE come from the run's own GPT-2 after maximum likelihood training. Compare MAUVE only "
        "between runs with the same GPT-2."
    )
    if options.encoder is not None:
        features = (
            f"The features for MAUVE come from {Path(options.encoder).name}, which was not used to train any system. "
            "In the column for the human responses, MAUVE compares them with human responses to other trajectories. No "
            "system can be expected to exceed this value. Relevance is the cosine similarity between a response and "
            "its context. Similarity is the cosine similarity between a response and the human response. The mean for "
            "pairs from different conversations is subtracted from both, so the value expected by chance is 0."
        )
    return [
        "Perplexity is exp(total negative log-likelihood of the human responses / number of their tokens). END, "
        "which marks the end of a response, counts as a token. Perplexity per word divides by the number of words and "
        "ENDs instead, so models with different tokenizers can be compared. "
        f"{cut.mean():.1%} of the human responses are longer than the models' limit and are truncated.",
        f"Responses to {len(measured[0].policy.rows):,} of {len(measured[0].run.test):,} test trajectories are sampled "
        f"with temperature {options.temperature:g}, top-p {options.top_p:g} and seed {options.seed}.",
        f'BLEU is computed by sacreBLEU ({signature}). It ranges from 0 to 100, and higher is better. The "BLEU error" '
        "in the paper's Table 2 is a different metric: lower is better, some values exceed 100, and the definition "
        "that the paper cites does not yield these values. The two metrics cannot be compared.",
        "BLEU-1 to BLEU-4 are means of NLTK's BLEU for single responses (words in lower case, smoothing method 1).",
        f'The similarities named "vectors" are computed from word vectors ({vectors}). {features}',
        "Tweets are reported separately, because they are not conversations: the prompt and the response of a tweet "
        "are the same text.",
    ]


def name(system: str) -> str:
    """Return the name of a system or of a variant, for tables and plots."""
    return NAMES.get(system, system.replace("_", " "))


def parts_of(by_system: Systems) -> list[str]:
    """Return the parts of the test set for which at least one system has metrics, in the order used in the tables."""
    present = {part for measured in by_system.values() for one in measured for part in one.policy.figures}
    return [part for part in (*metrics.TURNS, metrics.ALL, metrics.TWEETS) if part in present]


def finer_parts_of(by_system: Systems) -> list[str]:
    """Return the finer parts for which a system has metrics; see `finer_parts.finer_parts`."""
    present = {part: None for measured in by_system.values() for one in measured for part in one.policy.figures}
    return [part for part in present if part not in (*metrics.TURNS, metrics.ALL, metrics.TWEETS)]


def kind_of_bars(by_system: Systems) -> str:
    """Return the part of a table's caption that explains its intervals or standard deviations."""
    runs = {len(measured) for measured in by_system.values()}
    if runs == {1}:
        return ", with 95 % intervals over conversations"
    counted = f"{min(runs)} to {max(runs)}" if len(runs) > 1 else str(*runs)
    return f", mean ± standard deviation over {counted} seeds"


def cell_of(measured: Sequence[Measured], part: str, figure: str, form: str = ".2f") -> str:
    """Format a metric for a table cell. The cell is empty if no run has the metric."""
    value = summary(measured, part, figure)
    if value is None:
        return ""
    if value.runs > 1:
        return f"{value:{form}}"
    interval = interval_of(measured, part, figure, value)
    return f"{value:{form}}" if interval is None else f"{value:{form}} [{interval[0]:{form}}, {interval[1]:{form}}]"


def histories(by_system: Systems) -> dict[str, list[curves.History]]:
    """Read the logs of each system's imitation runs, for `learning_curves.compare`."""
    logs: dict[str, list[curves.History]] = {
        name(key): [one.run.run.read_log() for one in runs if one.imitates] for key, runs in by_system.items()
    }
    return {system: of_runs for system, of_runs in logs.items() if of_runs}


def interval_of(measured: Sequence[Measured], part: str, figure: str, value: Summary) -> tuple[float, float] | None:
    """Return a metric's interval, computed from the runs' values or, for a single run, by the bootstrap.

    Args:
        measured: The runs of a system.
        part: The part of the test set.
        figure: The name of the metric.
        value: The result of `summary` for this metric.

    Returns:
        The two ends, or None if there is no interval.
    """
    if value.runs > 1:
        low, high = value.low, value.high
    else:
        estimates = (one.policy.figures.get(part, {}).get(figure) for one in measured)
        low, high = next((estimate.low, estimate.high) for estimate in estimates if estimate is not None)
    return None if low is None or high is None else (low, high)
