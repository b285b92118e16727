"""Reads and writes RUN/evaluation.json, which is sufficient for making tables and plots without a model."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gail_tf.evaluation.metrics import Likelihoods
from gail_tf.policies.sampling import Sampling
from gail_tf.training.run_folder import GAILRun
from keras_gca.evaluation.statistics import Estimate
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text

FORMAT = "gail_tf evaluation 1"
OWN_VECTORS = "fitted to the training text"
FILE = "evaluation.json"

# For each part of the test trajectories, its metrics by the names of gail_tf.evaluation.metrics
Figures = dict[str, dict[str, Estimate]]


@dataclass(frozen=True)
class Options:
    """How responses are sampled and measured. Only evaluations with equal options are comparable.

    Args:
        temperature: See `Sampling`.
        top_p: See `Sampling`.
        seed: See `LanguagePolicy.sample`.
        max_responses: The maximum number of test trajectories to answer. They are evenly spread over the test set.
        glove: A file with word vectors. If None, word vectors are fitted to the run's training text.
        encoder: The independent encoder, in any form that `locate` accepts. If None, MAUVE uses features of the run's
            own network, and the other measures that need an encoder are left out.

    Raises:
        UserError: `temperature` or `top_p` is out of range.
    """

    temperature: float = 0.9
    top_p: float = 0.9
    seed: int = 0
    max_responses: int = 1000
    glove: str | None = None
    encoder: str | None = None

    def __post_init__(self) -> None:
        self.sampling(1)

    def sampling(self, response_tokens: int) -> Sampling:
        """Return the settings for sampling responses of at most `response_tokens` tokens."""
        return Sampling(response_tokens, self.top_p, self.temperature)


@dataclass(frozen=True)
class PolicyEvaluation:
    """The results of one policy on a run's test trajectories.

    Attributes:
        likelihoods: The likelihoods of all human responses under the policy.
        rows: The indices of the m answered test trajectories, as an int64 array of shape (m,).
        responses: The policy's m responses.
        scores: A dictionary of scores of the responses, as float64 arrays of shape (m,); see `metrics.response_scores`.
        figures: The metrics of each part of the test set.
    """

    likelihoods: Likelihoods
    rows: np.ndarray
    responses: list[str]
    scores: dict[str, np.ndarray]
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        """Return the results as JSON values."""
        return _plain(vars(self) | {"likelihoods": self.likelihoods._asdict()})

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "PolicyEvaluation":
        """Restore results from the values that `to_json` returned."""
        likelihoods = Likelihoods(**{name: np.array(array) for name, array in values["likelihoods"].items()})
        scores = {name: np.array(array) for name, array in values["scores"].items()}
        rows = np.array(values["rows"], np.int64)
        return cls(likelihoods, rows, values["responses"], scores, _figures(values["figures"]))


class Stored(NamedTuple):
    """The content of RUN/evaluation.json.

    Attributes:
        generators: The names of all policies of the run.
        policies: The results of the measured policies, by name.
        human: The metrics of the human responses.
    """

    generators: list[str]
    policies: dict[str, PolicyEvaluation]
    human: Figures


def options_of(run: GAILRun) -> Options:
    """Return the options of a run's last evaluation, or the defaults if the run has not been evaluated.

    With these options, `read` returns the results of that evaluation.
    """
    try:
        return Options(**json_files.read(run.path / FILE)["options"])
    except (OSError, ValueError, KeyError, TypeError):
        return Options()


def read(run: GAILRun, options: Options) -> Stored | None:
    """Read RUN/evaluation.json. Return None if it is missing, damaged, older than the bot, or has other options."""
    path = run.path / FILE
    try:
        if path.stat().st_mtime < run.bot.stat().st_mtime:
            return None
        values = json_files.read(path)
        if values["format"] != FORMAT or Options(**values["options"]) != options:
            return None
        policies = {name: PolicyEvaluation.from_json(policy) for name, policy in values["policies"].items()}
        return Stored(values["generators"], policies, _figures(values["human"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the file cannot be used, so the run is measured again


def write(run: GAILRun, options: Options, stored: Stored) -> None:
    """Write RUN/evaluation.json."""
    values = {
        "format": FORMAT,
        "options": dataclasses.asdict(options),
        "vectors": options.glove or OWN_VECTORS,
        "generators": stored.generators,
        "policies": {name: policy.to_json() for name, policy in stored.policies.items()},
        "human": _plain(stored.human),
    }
    write_text(run.path / FILE, json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")


def _figures(values: dict[str, dict[str, list]]) -> Figures:
    """Restore metrics from JSON values. A value of None becomes NaN. If both ends are None, there is no interval."""
    return {
        part: {name: Estimate(np.nan if value is None else value, *ends) for name, (value, *ends) in figures.items()}
        for part, figures in values.items()
    }


def _plain(value: Any) -> Any:
    """Convert arrays and numbers, which may be nested, to JSON values. NaN becomes None, because JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    return None if isinstance(value, float) and np.isnan(value) else value
