"""`python -m keras_gca.export`: write an agent for Keras and TensorFlow, which load it without this project."""

import sys
from pathlib import Path

from keras_gca.engine import command_line

DESCRIPTION = """\
Write a trained agent as a folder that other programs can use:

  GENERATOR.keras   Figure 1 of each generator, for keras.models.load_model: (context, answer) -> p of the next token
  saved_model/      a TensorFlow SavedModel: its signature takes contexts as text, and gives replies as text
  bot.h5            the agent itself, for `Agent.load` and `python -m keras_gca.chat`

The SavedModel answers greedily, and the discriminator chooses, as `Agent.reply` does. The utterances of a context are
separated by line breaks. A program that loads it must have imported tensorflow_text:

  model = tf.saved_model.load("DIR/saved_model")
  model.signatures["serving_default"](tf.constant(["Hello!", "How are you?\\nFine.\\nGood."]))["reply"]

What is written does not check whether a message speaks of self-harm or danger, as the chats of this project do.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    options = _parser().parse_args(arguments)
    with command_line.quiet_imports():
        from keras_gca.agent import Agent

    for name in Agent.load(options.run).export(options.folder):
        print(f"wrote {options.folder / name}")
    return 0


def _parser() -> command_line.Parser:
    parser = command_line.Parser(prog="python -m keras_gca.export", description=DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder or a bot.h5")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder to create")
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "export"))
