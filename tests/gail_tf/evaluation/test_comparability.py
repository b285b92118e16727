"""The systems to which runs belong, and the conditions under which runs may be compared."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from gail_tf.config import GAILConfig
from gail_tf.evaluation import comparability, systems, tables
from keras_gca.errors import UserError


def a_run(path="a", roberta=None, **changes):
    config = GAILConfig.preset("tiny", **changes)
    source = {"roberta": roberta, "data": [], "tweets": []}
    log = [{"phase": "maximum_likelihood"}] * config.likelihood.mle_epochs
    return SimpleNamespace(
        path=Path(path), config=lambda: config, source=lambda: source, read_log=lambda: log, settings=config
    )


@pytest.mark.parametrize(
    ("roberta", "changes", "name"),
    [
        ("roberta-base", {}, "TextGAIL"),
        (None, {}, "TextGAIL, D a RoBERTa with random weights"),
        (None, {"discriminator_encoder": "adapters"}, "TextGAIL, D a copy of the policy's network with adapters"),
        (None, {"discriminator_encoder": "frozen"}, "TextGAIL, D on the frozen reference"),
    ],
)
def test_a_row_of_textgail_says_with_which_network_d_reads(roberta, changes, name):
    run = a_run(roberta=roberta, algorithm="textgail", **changes)
    system = comparability.system_of(run, run.settings, "imitation")
    assert systems.name(system) == name
    assert tables.in_paper(system) == "textgail"
    assert comparability.system_of(run, run.settings, "maximum_likelihood") == "mle"


def test_each_choice_among_responses_is_a_system():
    run = a_run(algorithm="selection")
    assert comparability.system_of(run, run.settings, "selection_by_odds") == "selection_by_odds"
    assert systems.name("selection_by_odds") == "selection by D's odds"
    assert systems.name("reference_kl_weak") == "reference kl weak"


def test_runs_with_other_test_conversations_are_not_compared():
    runs = [a_run("a"), a_run("b", algorithm="textgail", max_trajectories=90)]
    message = r"^b: the --max-trajectories of this run \(90\) differs from the --max-trajectories of a \(150\)"
    with pytest.raises(UserError, match=message):
        comparability.refuse_incomparable(runs)
    with pytest.raises(UserError, match=r"^b: the --splits of this run \(official\) differs from"):
        comparability.refuse_incomparable([a_run("a"), a_run("b", algorithm="textgail", splits="official")])


def test_runs_of_one_algorithm_may_differ_if_their_systems_are_named():
    runs = [a_run("a"), a_run("b", reward_control="permuted")]
    with pytest.raises(UserError, match=r"^b: --reward-control is permuted, but in a it is none; runs of one"):
        comparability.refuse_incomparable(runs)
    comparability.refuse_incomparable(runs, {Path("b"): "gail_permuted"})
