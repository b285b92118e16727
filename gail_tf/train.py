"""`python -m gail_tf.train`: EmpathyGAIL from a corpus to an agent that chats."""

import dataclasses
import sys
from pathlib import Path

from gail_tf.config import FROM_SCRATCH, PRESETS, TOTALS, GAILConfig
from gail_tf.data.source import Source
from keras_gca.engine import command_line, reporting
from keras_gca.errors import UserError
from keras_gca.storage.config_file import read_source

DESCRIPTION = """\
Train an empathetic conversational agent by generative adversarial imitation: GPT-2 learns the experts' responses by
maximum likelihood, then a discriminator learns to tell its responses from theirs, and PPO makes GPT-2 deceive it.

  python -m gail_tf.train                              an embedded corpus and a small GPT-2 from scratch, offline
  python -m gail_tf.train --preset paper --gpt2 gpt2 --data train.csv dialogues_train.txt --tweets tweets.csv
                                                       the paper's settings, on a real GPT-2 (a folder or a hub name)
  python -m gail_tf.train --resume RUN                 go on with an interrupted run
  python -m gail_tf.train --resume RUN --updates 90    train a run further, to 90 updates in all
  python -m gail_tf.train --config RUN/config.json     a new run with another run's settings
  python -m gail_tf.train --strategy mirrored          on all GPUs of this machine
"""

EPILOG = """\
Corpora: EmpatheticDialogues (CSV), DailyDialog, and the other formats of keras_gca/data/conversations.py; tweets as CSV
with a column `text`, or one a line. What is logged is explained in docs/metrics.md.
Ctrl-C stops after the current step or update; the run can be resumed, and chats with what it has learned so far.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, or 130 after an interruption."""
    options = _parser().parse_args(arguments)
    changes = command_line.settings(options, GAILConfig)
    given = {field.name: getattr(options, field.name) for field in dataclasses.fields(Source)}
    if options.resume is not None:
        others = ("preset", "config", *given, "run")
        command_line.refuse_settings_of_resume(options, others, changes, TOTALS)
    elif options.preset == "paper" and options.gpt2 is None and changes.get("algorithm") != "rl_seq2seq":
        raise UserError("--preset paper fine-tunes a real GPT-2: name its folder, or a model of the hub, by --gpt2")
    elif options.gpt2 is not None and (useless := [name for name in FROM_SCRATCH if name in changes]):
        names = ", ".join(f"--{name.replace('_', '-')}" for name in useless)
        raise UserError(f"{names}: of a GPT-2 from scratch, and --gpt2 is trained already; leave one out")
    source, config = Source(**given), command_line.chosen_settings(options, GAILConfig)
    _refuse_misfits(source, config, options.preset)
    if options.config is not None:
        _refuse_from_scratch(options.config, source, config)
    run = command_line.new_run(options, "gail_")
    read = source.read(config.data.turns) if options.resume is None else None
    strategy = command_line.set_up_tensorflow(options)
    from gail_tf.training import pipeline

    if options.resume is not None:
        session = pipeline.resume(options.resume, strategy, **changes)
    else:
        session = pipeline.train_agent(config, source, run, strategy, read)
    return 0 if session.training.finished else 130


def _refuse_from_scratch(file: Path, source: Source, config: GAILConfig) -> None:
    """Raises UserError where a run's settings are for a pretrained network, and none is given."""
    before = read_source(file)
    if before.get("gpt2") and source.gpt2 is None and config.algorithm != "rl_seq2seq":
        raise UserError(f"{file}: its run began with the GPT-2 {before['gpt2']}; name that, or another one, by --gpt2")
    if before.get("roberta") and source.roberta is None and config.judge.discriminator_encoder == "roberta":
        raise UserError(f"{file}: its D began as the RoBERTa {before['roberta']}; name that, or another, by --roberta")


def _refuse_misfits(source: Source, config: GAILConfig, preset: str | None) -> None:
    """Raises UserError where a file is given that the settings do not use, or is missing that they need."""
    reads_text, seq2seq = config.judge.discriminator_encoder == "roberta", config.algorithm == "rl_seq2seq"
    if source.roberta is not None and not reads_text:
        raise UserError("--roberta: D reads by another encoder; --discriminator-encoder roberta is expected")
    if preset == "paper" and reads_text and source.roberta is None:
        raise UserError("--preset paper takes a real RoBERTa: name its folder, or a model of the hub, by --roberta")
    if seq2seq and source.gpt2 is not None:
        raise UserError("--gpt2: --algorithm rl_seq2seq has two LSTMs in its place; leave it out")
    if source.glove and not seq2seq:
        raise UserError("--glove: word vectors are read by --algorithm rl_seq2seq alone; leave it out")


def _parser() -> command_line.Parser:
    parser = command_line.Parser(prog="python -m gail_tf.train", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument(
        "--preset", choices=PRESETS, help="paper: Table 1, on a real GPT-2; default: offline; tiny: seconds"
    )
    command_line.add_config(parser)
    parser.add_argument(
        "--data", type=Path, nargs="+", default=[], metavar="FILE", help="conversations instead of the embedded ones"
    )
    parser.add_argument("--tweets", type=Path, nargs="+", default=[], metavar="FILE", help="tweets, with --data")
    parser.add_argument(
        "--general",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="conversations to pretrain a GPT-2 from scratch on; the first paper's corpus if not given",
    )
    parser.add_argument(
        "--gpt2", metavar="MODEL", help="a Hugging Face folder, or a name on the hub; from scratch if not given"
    )
    parser.add_argument(
        "--roberta",
        metavar="MODEL",
        help="D's RoBERTa, with --algorithm textgail: a Hugging Face folder, or a name on the hub; a small one from "
        "scratch if not given",
    )
    parser.add_argument(
        "--glove",
        type=Path,
        metavar="FILE",
        help="word vectors, for --algorithm rl_seq2seq; fitted to the prompts if not given",
    )
    parser.add_argument("--run", type=Path, metavar="DIR", help="the run folder to make; in runs/ if not given")
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="go on with this run, with its own settings; a new total may be given, to train it further, by "
        f"{command_line.naming(TOTALS)}",
    )
    command_line.add_bad_lines(parser)
    command_line.add_devices(parser)
    reporting.add_options(parser)
    command_line.add_settings(parser, GAILConfig)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "train"))
