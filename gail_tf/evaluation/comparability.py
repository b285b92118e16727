"""Checks that runs are comparable, and determines which system of Table 2 each run belongs to."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gail_tf.config import GAILConfig
from gail_tf.evaluation.selection import SELECTIONS
from gail_tf.imitation.phases import MAXIMUM_LIKELIHOOD
from gail_tf.training.run_folder import GAILRun
from keras_gca.errors import UserError
from keras_gca.invocation import hint
from keras_gca.settings import naming


def system_of(run: GAILRun, config: GAILConfig, policy: str) -> str:
    """Return the system of Table 2 that a run's policy belongs to.

    A policy trained by imitation belongs to the system named after its algorithm. TextGAIL has a separate system for
    each encoder of D, because the original TextGAIL uses a pretrained encoder. Policies trained only by maximum
    likelihood form one system for all algorithms except RL-Seq2Seq, whose policies form another. Each method of
    choosing a response with `--algorithm selection` is also a system.
    """
    if policy in SELECTIONS:
        return policy
    if policy != MAXIMUM_LIKELIHOOD:
        if config.algorithm != "textgail" or run.source().get("roberta") is not None:
            return config.algorithm
        encoder = config.judge.discriminator_encoder
        return f"textgail_{'random' if encoder == 'roberta' else encoder}"
    return "seq2seq_mle" if config.algorithm == "rl_seq2seq" else "mle"


def refuse_incomparable(runs: Sequence[GAILRun], named: Mapping[Path, str] | None = None) -> None:
    """Check that runs can be compared in one table.

    Args:
        runs: The runs.
        named: A mapping from run folders to names of systems, for runs whose algorithm does not determine their system.

    Raises:
        UserError: A run stopped before the end of maximum likelihood training, the runs use different data, or two runs
            of the same algorithm have the same seed or differ in a setting other than the seed.
    """
    configs = [run.config() for run in runs]
    systems = [(named or {}).get(run.path, config.algorithm) for run, config in zip(runs, configs, strict=True)]
    for place, (run, config) in enumerate(zip(runs, configs, strict=True)):
        done, epochs = phases_of(run).count(MAXIMUM_LIKELIHOOD), config.likelihood.mle_epochs
        if done < epochs:
            raise UserError(
                f"{run.path}: the run stopped before the end of maximum likelihood training ({done} of {epochs} "
                f"epochs); resume it with {hint('gail_tf.train', '--resume', run.path)}"
            )
        for other, of_other, system in zip(runs[:place], configs, systems, strict=False):
            _refuse_other_data(other, of_other, run, config)
            if system == systems[place]:
                _refuse_other_settings(other, of_other, run, config)


def _refuse_other_data(first: GAILRun, of_first: GAILConfig, other: GAILRun, of_other: GAILConfig) -> None:
    facts = [
        {
            name: ", ".join(sorted(Path(file).name for file in run.source().get(name) or []))
            for name in ("data", "tweets")
        }
        | {name: getattr(config.data, name) for name in ("turns", "splits", "max_trajectories")}
        for run, config in ((first, of_first), (other, of_other))
    ]
    for name, there in facts[0].items():
        if facts[1][name] != there:
            raise UserError(
                f"{other.path}: the {naming([name])} of this run ({facts[1][name] or 'not given'}) differs from the "
                f"{naming([name])} of {first.path} ({there or 'not given'}); choose runs with the same data"
            )


def _refuse_other_settings(first: GAILRun, of_first: GAILConfig, other: GAILRun, of_other: GAILConfig) -> None:
    values = of_other.to_values()
    for name, there in of_first.to_values().items():
        here = values[name]
        if name not in ("seed", "checkpoint_minutes") and here != there:
            raise UserError(
                f"{other.path}: --{name.replace('_', '-')} is {here}, but in {first.path} it is {there}; runs of one "
                "algorithm are averaged, so they may differ only in the seed"
            )
    if of_first.seed == of_other.seed:
        raise UserError(
            f"{other.path}: this run has the same algorithm and seed ({of_first.seed}) as {first.path}; runs of one "
            "algorithm are averaged, so each of them needs a different seed"
        )


def phases_of(run: GAILRun) -> list[str]:
    """Return the phase of each row in a run's log."""
    return [row["phase"] for row in run.read_log()]
