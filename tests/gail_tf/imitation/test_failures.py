import dataclasses

import pytest

from gail_tf.imitation.failures import METRICS, REMEDIES, Failure, Limits, watch
from keras_gca.errors import UserError

HEALTHY = {
    "accuracy_expert": 0.7,
    "accuracy_generated": 0.8,
    "kl_per_token": 0.1,
    "most_common_share": 0.02,
    "repeated": 0.05,
    "response_length": 12.0,
    "expert_length": 13.0,
}


def names(history, **limits):
    return [failure.name for failure in watch(history, Limits(**limits))]


def then(**figures):
    """Return a history of ten healthy updates and five with the given metrics."""
    return [HEALTHY] * 10 + [HEALTHY | figures] * 5


def test_a_healthy_training():
    assert set(HEALTHY) == set(METRICS)
    assert watch([HEALTHY] * 20) == []
    assert watch([]) == []


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"accuracy_expert": 0.99, "accuracy_generated": 0.98}, "discriminator_wins"),
        ({"kl_per_token": 0.6}, "kl_runs_away"),
        ({"kl_per_token": float("inf")}, "kl_runs_away"),
        ({"most_common_share": 0.3}, "one_reply_to_all"),
        ({"repeated": 0.6}, "one_reply_to_all"),
        ({"response_length": 20.0}, "length_drifts"),
        ({"response_length": 8.0}, "length_drifts"),
    ],
)
def test_each_failure_is_seen_and_has_remedies(figures, expected):
    (failure,) = watch(then(**figures))
    assert failure.name == expected
    assert failure.remedies is REMEDIES[expected]
    assert failure.remedies


@pytest.mark.parametrize(
    "figures",
    [
        {"accuracy_expert": 0.99},  # D takes nearly all responses for experts', so it does not win
        {"accuracy_generated": 0.99},
        {"kl_per_token": 0.5},
        {"response_length": 19.0},  # 13 * 1.5 = 19.5
    ],
)
def test_what_is_within_the_limits_is_no_failure(figures):
    assert watch(then(**figures)) == []


def test_several_at_the_same_time():
    assert names(then(kl_per_token=3.0, most_common_share=0.9)) == ["kl_runs_away", "one_reply_to_all"]


def test_a_single_bad_update_is_no_failure():
    bad = HEALTHY | {"kl_per_token": 9.0}
    assert names([HEALTHY] * 5 + [bad]) == []
    assert names([HEALTHY] * 5 + [bad] * 2) == []
    assert names([HEALTHY] * 5 + [bad] * 3) == ["kl_runs_away"]  # the median of five
    assert names([HEALTHY] * 5 + [bad], window=1) == ["kl_runs_away"]


def test_a_failure_that_is_over_is_no_more_reported():
    assert names(then(repeated=0.9) + [HEALTHY] * 5) == []


def test_figures_may_be_missing():
    only_d = {"accuracy_expert": 0.99, "accuracy_generated": 0.99}
    assert names([only_d] * 5) == ["discriminator_wins"]
    assert names([only_d] * 4) == []
    assert names([{"accuracy_expert": 0.99}] * 5) == []
    assert names([{"accuracy_generated": 0.99}] * 5) == []
    assert names([{"response_length": 90.0}] * 5) == []
    assert names([HEALTHY | {"kl_per_token": float("nan")}] * 5) == []
    # If rows with and without a metric alternate, only the rows with it count.
    assert names([only_d, {"kl_per_token": 2.0}] * 5) == ["discriminator_wins", "kl_runs_away"]


def test_the_line_for_people():
    (failure,) = watch(then(kl_per_token=0.75))
    assert str(failure) == (
        "the policy drifts away from the reference: its KL is 0.75 nats per token (limit 0.5); "
        "remedies: --kl-penalty, --kl-stop, --generator-learning-rate"
    )
    for name in REMEDIES:
        assert "\n" not in str(Failure(name, "so it is"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": 0}, "window is 0 updates; at least 1"),
        ({"accuracy": 1.0}, "the limit accuracy is 1.0; a number between 0 and 1"),
        ({"repeated": 0.0}, "the limit repeated is 0.0; a number between 0 and 1"),
        ({"kl_per_token": -1.0}, "the limit kl_per_token is -1.0; a number above 0"),
        ({"length_factor": 1.0}, "the limit length_factor is 1.0; a number above 1"),
    ],
)
def test_impossible_limits(changes, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(Limits(), **changes)
