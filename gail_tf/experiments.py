"""`python -m gail_tf.experiments`: the second paper's Table 2, and ablations, from corpora to tables."""

import argparse
import sys
from pathlib import Path

from gail_tf.config import GAILConfig
from gail_tf.data.source import Source
from gail_tf.evaluation.variants import EXPERIMENTS, SCALES
from keras_gca.engine import command_line, reporting
from keras_gca.errors import UserError

DESCRIPTION = f"""\
Trains what an experiment compares, over several seeds, and makes its tables:

{chr(10).join(f"  {name:15} {each.question}" for name, each in EXPERIMENTS.items())}
  {"all":15} all of these

  python -m gail_tf.experiments table2 --data train.csv dialogues_train.txt
                                           two CPU cores: a small GPT-2 from scratch, 8,000 trajectories
  python -m gail_tf.experiments table2 --scale paper --gpt2 gpt2 --roberta roberta-base --data ... --tweets ...
                                           Table 1's settings, for a GPU or TPU
  python -m gail_tf.experiments all --scale tiny
                                           the embedded corpus, minutes, to see what it prints
"""

EPILOG = """\
Trainings go to --runs/VARIANT/seed_N; one that is there already is used again or gone on with. Every other setting (see
python -m gail_tf.train --help) is given to all of them, but what makes a variant stays. table2 writes what python -m
gail_tf.evaluate writes to --runs/table2. The others write --runs/EXPERIMENT.md and EXPERIMENT.json, EXPERIMENT.png, a
picture of the same, and EXPERIMENT_curves.png, how the variants that imitate learned. notebooks/04_results.ipynb draws
what is there.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, or 130 after an interruption."""
    options = _parser().parse_args(arguments)
    settings = command_line.settings(options, GAILConfig)
    if "seed" in settings:
        raise UserError("--seed: an experiment takes several, --seeds")
    if (options.scale == "paper") != (options.gpt2 is not None):
        raise UserError("--gpt2 belongs to --scale paper, which needs one; the others train a GPT-2 from scratch")
    names = ("data", "tweets", "general", "gpt2", "roberta", "glove")
    source = Source(**{name: getattr(options, name) for name in names})
    command_line.set_up_tensorflow()
    from gail_tf.evaluation.experiments import Setup, run_experiment

    setup = Setup(options.runs, options.seeds, options.scale, settings, source)
    chosen = list(EXPERIMENTS) if options.experiment == "all" else [options.experiment]
    return 0 if all(run_experiment(name, setup) for name in chosen) else 130


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(prog="python -m gail_tf.experiments", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("experiment", choices=[*EXPERIMENTS, "all"], metavar="EXPERIMENT", help="one of the above")
    parser.add_argument("--scale", choices=SCALES, default="small", help="of all trainings [small]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="N", help="[0 1 2]")
    parser.add_argument("--runs", type=Path, default=Path("runs/experiments"), metavar="DIR", help="[runs/experiments]")
    parser.add_argument("--data", type=Path, nargs="+", default=[], metavar="FILE", help="as for gail_tf.train")
    parser.add_argument("--tweets", type=Path, nargs="+", default=[], metavar="FILE", help="as for gail_tf.train")
    parser.add_argument("--general", type=Path, nargs="+", default=[], metavar="FILE", help="as for gail_tf.train")
    parser.add_argument("--gpt2", metavar="MODEL", help="the real GPT-2 of --scale paper: a folder or a hub name")
    parser.add_argument(
        "--roberta", metavar="MODEL", help="TextGAIL's real RoBERTa; a small one from scratch if not given"
    )
    parser.add_argument("--glove", type=Path, metavar="FILE", help="word vectors, for RL-Seq2Seq and similarities")
    reporting.add_options(parser)
    command_line.add_settings(parser, GAILConfig)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "experiments"))
