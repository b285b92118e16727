"""Measures how well responses match a user's profile, and how much a profile reveals about a response.

The policy answers the same prompts several times: once without a wish, and once for each possible wish, such as "ask
yes" (the value "yes" for the property "ask"). The rules of `data/listening.py`, which also compute the profiles for
training, decide whether a response fulfils a wish. The share of responses that do is reported.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from gail_tf.agent import GAILAgent
from gail_tf.data.batches import Batch
from gail_tf.data.listening import VALUES, Profile, profile_of
from gail_tf.evaluation import estimate, metrics, systems
from gail_tf.evaluation.responses import respond_to
from gail_tf.evaluation.results_file import Options
from gail_tf.imitation.maximum_likelihood import Perplexity
from gail_tf.training.run_folder import GAILRun
from glove.cost import TimeLimit
from keras_gca.engine import reporting
from keras_gca.engine.training_loop import progress
from keras_gca.evaluation.paired_tests import Comparison, PairedTest, compare_seeds, with_correction
from keras_gca.evaluation.statistics import summarise
from keras_gca.evaluation.tables import Table

WISHES = tuple((name, value) for name, values in VALUES.items() for value in values)
RESPONSES = 200  # the maximum number of prompts that are answered for each wish
WITHOUT, WITH, HUMAN = "without a wish", "with the wish", "human"
# The human responses' perplexity is measured without a profile, and with each response's own profile as the wish.
PERPLEXITY = "perplexity a token"

# For each variant, a list with one item for each run. An item maps each wish (such as "ask yes") to the shares WITHOUT,
# WITH and HUMAN, and PERPLEXITY to the perplexities WITHOUT and WITH.
Wishes = dict[str, list[dict[str, dict[str, float]]]]


def measure(
    runs: Mapping[str, Sequence[GAILRun]], how: Options, limit: TimeLimit | None = None, batch_size: int = 32
) -> Wishes | None:
    """Measure the last policy of each run on the run's test conversations.

    Args:
        runs: The runs of each variant. Runs that were trained without profiles are left out.
        how: How responses are sampled.
        limit: The time limit after which no further run is measured, or None.
        batch_size: The number of trajectories in a batch.

    Returns:
        The shares and perplexities, or None if time runs out before all runs are measured.

    Raises:
        UserError: A run is not finished.
    """
    measured: Wishes = {}
    for variant, of_variant in runs.items():
        for run in of_variant:
            if run.config().data.listener_profile == "off":
                continue
            if limit is not None and limit.is_over:
                return None
            measured.setdefault(variant, []).append(_measure_run(run, how, batch_size))
    return measured


def share(responses: Sequence[str], wish: tuple[str, str]) -> float:
    """Return the share of responses that fulfil a wish.

    Args:
        responses: The responses.
        wish: The name of a property, and the desired value.
    """
    name, value = wish
    return float(np.mean([getattr(profile_of(response), name) == value for response in responses]))


def table(measured: Wishes) -> Table:
    """Make a table of the shares and perplexities, with means and standard deviations over runs."""
    kinds = WITHOUT, WITH, HUMAN
    rows = []
    for variant, runs in measured.items():
        for wish in runs[0]:
            values = [[run[wish][kind] for run in runs if kind in run[wish]] for kind in kinds]
            cells = [f"{summarise(of_runs):.3g}" if of_runs else "" for of_runs in values]
            rows.append([systems.name(variant), wish, *cells])
    caption = (
        "Share of responses that fulfil a wish according to the rules of data/listening.py: the policy's responses "
        "without a wish, its responses with only this wish, and human responses. The perplexity of the human responses "
        "is measured without a profile, and with each response's own profile as the wish."
    )
    return Table(None, caption, ["variant", "wish", *kinds], rows, 2)


def paired_tests(measured: Wishes) -> list[PairedTest]:
    """For each wish, test whether the shares with and without the wish differ. The shares are paired by seed.

    With a single seed, return an empty list.
    """
    rows: list[tuple[tuple[str, str], int | None, str, Comparison]] = []
    for variant, runs in measured.items():
        title = systems.name(variant)
        pair = f"{title} {WITHOUT}", f"{title} {WITH}"
        for wish in runs[0] if len(runs) > 1 else ():
            if wish != PERPLEXITY:
                without, given = ([run[wish][kind] for run in runs] for kind in (WITHOUT, WITH))
                rows.append((pair, None, wish, compare_seeds(without, given)))
    return with_correction(rows)


def _measure_run(run: GAILRun, how: Options, batch_size: int) -> dict[str, dict[str, float]]:
    """Measure the last policy of a run; see `measure`."""
    agent, test = GAILAgent.load(run.path), run.data().test
    parts = metrics.parts(test)
    rows = parts[metrics.ALL] if metrics.ALL in parts else parts[metrics.TWEETS]
    asked = [test[row] for row in rows[metrics.spread(len(rows), RESPONSES)]]
    name = agent.generators[-1]
    policy, everything = agent.policies[name], np.arange(len(asked))
    sampling = how.sampling(agent.config.data.response_tokens)
    plain = agent.encode(asked)
    reporting.say_cost(estimate.of_grid(agent.config, policy, plain, plain, 1 + len(WISHES), batch_size))

    def respond(batch: Batch) -> list[str]:
        return respond_to(policy, agent.tokenizer, batch, everything, how.seed, sampling, batch_size, bar.update)

    with progress(total=(1 + len(WISHES)) * len(asked), desc=f"{run.path}, {name}: wishes") as bar:
        without = respond(plain)
        human = [trajectory.response for trajectory in asked]
        found = {}
        for wish in WISHES:
            given = respond(agent.encode(asked, [Profile(**dict([wish]))] * len(asked)))
            of_kinds = {WITHOUT: without, WITH: given, HUMAN: human}
            found[" ".join(wish)] = {kind: share(texts, wish) for kind, texts in of_kinds.items()}
    known = agent.encode(asked, [profile_of(text) for text in human])
    measure_of = Perplexity(policy)
    found[PERPLEXITY] = {
        kind: float(np.exp(measure_of.losses(batch, batch_size).sum() / batch.response_lengths.sum()))
        for kind, batch in ((WITHOUT, plain), (WITH, known))
    }
    return found
