"""`python -m gail_tf.experiments`: train and compare the systems of Table 2 and of the ablations."""

import argparse
import functools
import sys
from pathlib import Path

from gail_tf.base_models import known_models
from gail_tf.config import PRETRAINED, GAILConfig
from gail_tf.data.source import Source
from gail_tf.data.source_options import add_corpora
from gail_tf.evaluation.variants import COMPARABLE, EXPERIMENTS, SCALES
from glove.cost import TimeLimit
from glove.text_files import counted
from keras_gca.engine import command_line, loading, reporting
from keras_gca.errors import UserError, refuse_missing

DESCRIPTION = f"""\
Train the systems of an experiment with several seeds, and write tables that compare the systems. The experiments are:

{chr(10).join(f"  {name:15} {experiment.question}" for name, experiment in EXPERIMENTS.items())}
  {"all":15} all of these experiments

  python -m gail_tf.experiments table2 --data train.csv dialogues_train.txt
                                           train a small GPT-2 from scratch on 8,000 trajectories, on two CPU cores
  python -m gail_tf.experiments table2 --scale pretrained --data ... --tweets ...
                                           train adapters for {PRETRAINED}, on two CPU cores
  python -m gail_tf.experiments table2 --scale paper --gpt2 gpt2 --roberta roberta-base --data ... --tweets ...
                                           train with Table 1's settings, on a GPU or TPU
  python -m gail_tf.experiments all --scale tiny
                                           try all experiments on the embedded corpus in minutes
"""

EPILOG = """\
An experiment trains several variants, for example one with and one without human demonstrations. The training runs are
stored in DIR/VARIANT/seed_N, where DIR is the folder given by --runs. Finished runs are reused, and interrupted runs
are resumed. The settings of python -m gail_tf.train (see its --help) can also be given here. They apply to all training
runs, but do not change the settings that define a variant. All variants except gail_filtered and rl_seq2seq sample
their rollouts from the unfiltered distribution: --temperature 1 --top-p 1.

The experiment table2 writes the same files as python -m gail_tf.evaluate, to DIR/table2. Every other experiment writes
four files to DIR: EXPERIMENT.md and EXPERIMENT.json with the metrics, EXPERIMENT.png with plots of the metrics, and
EXPERIMENT_curves.png with the learning curves of imitation. With --scale pretrained, each run is measured as soon as it
is finished, and its metrics are written to a JSON file in DIR/EXPERIMENT_systems. notebooks/04_results.ipynb plots all
finished experiments.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 130 after an interruption."""
    options = make_parser().parse_args(arguments)
    settings = command_line.settings(options, GAILConfig)
    if "seed" in settings:
        raise UserError("--seed: an experiment trains with several seeds; use --seeds")
    command_line.refuse_repeated(options.seeds)
    if options.scale == "pretrained" and options.model is None:
        options.model = PRETRAINED
    if (options.scale in ("paper", "pretrained")) != (options.model is not None):
        raise UserError(
            "--model is required with --scale paper, optional with --scale pretrained, and not allowed with the other "
            "scales, which train a GPT-2 from scratch"
        )
    if options.variants is not None and options.experiment == "all":
        raise UserError("--variants replaces the variants of a single experiment; name that experiment instead of all")
    if options.output is not None:
        refuse_missing(options.output.absolute().parent)
    names = ("data", "tweets", "general", "model", "roberta", "glove", "format", "skip_bad_lines")
    source = Source(agreed=options.yes, **{name: getattr(options, name) for name in names})
    loading.set_up_tensorflow()
    from gail_tf.base_models.locate import locate
    from gail_tf.evaluation.experiments import Setup, not_started, run_experiment
    from keras_gca.evaluation import provenance

    for model in (options.encoder, options.model):
        if model is not None:
            locate(model, options.yes)  # if a model must be fetched, this asks the user before anything is trained
    further = options.encoder, options.grid, options.variants
    setup = Setup(options.runs, options.seeds, options.scale, settings, source, *further)
    chosen = list(EXPERIMENTS) if options.experiment == "all" else [options.experiment]
    if trainings := not_started(chosen, setup):
        reporting.say(
            f"{counted(len(trainings), 'training run')} to start; a long run begins by printing an estimate of its cost"
        )
    run = functools.partial(run_experiment, setup=setup, limit=TimeLimit(options.minutes))
    command = provenance.command_of("gail_tf.experiments", sys.argv[1:] if arguments is None else arguments)
    return provenance.run_all(chosen, run, options.output, command)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser for the command line."""
    parser = command_line.Parser(prog="python -m gail_tf.experiments", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument(
        "experiment",
        choices=[*EXPERIMENTS, "all"],
        metavar="EXPERIMENT",
        help="the experiment to run, or all for every experiment",
    )
    parser.add_argument("--scale", choices=SCALES, default="small", help="the size of the training runs [small]")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[0, 1, 2],
        metavar="N",
        help="random seeds; each variant is trained once with each seed [0 1 2]",
    )
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs/experiments"),
        metavar="DIR",
        help="folder for the training runs [runs/experiments]",
    )
    add_corpora(parser)
    parser.add_argument(
        "--model",
        "--gpt2",
        metavar="MODEL",
        help="the pretrained network for --scale paper or --scale pretrained: a folder or a name on the Hub (default "
        f"for --scale pretrained: {PRETRAINED})",
    )
    parser.add_argument(
        "--roberta",
        metavar="MODEL",
        help="the pretrained RoBERTa of TextGAIL's discriminator (default: a small RoBERTa with random weights)",
    )
    parser.add_argument(
        "--glove", type=Path, metavar="FILE", help="a file with word vectors, for RL-Seq2Seq and for similarities"
    )
    parser.add_argument(
        "--encoder",
        metavar="MODEL",
        help=f"measure MAUVE, relevance and similarity with this encoder: {known_models.ENCODER}, or a folder",
    )
    parser.add_argument("--yes", action="store_true", help="download the encoder and the network without asking")
    parser.add_argument(
        "--variants",
        choices=COMPARABLE,
        nargs="+",
        metavar="VARIANT",
        help="compare these variants, in this order, instead of the experiment's own. The names of variants, which are "
        f"also the names of their folders, are {', '.join(COMPARABLE)}",
    )
    parser.add_argument(
        "--grid",
        action="store_true",
        help="also compare each policy at its best point in a grid of temperatures and top-p values",
    )
    reporting.add_experiment(parser, "output")
    command_line.add_minutes(parser, "stop after this time, as after Ctrl-C; run the same command again to continue")
    command_line.add_bad_lines(parser)
    reporting.add_options(parser)
    command_line.add_settings(parser, GAILConfig)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "experiments"))
