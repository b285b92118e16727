"""`python -m keras_gca.export`: write an agent in formats that Keras and TensorFlow load without this project."""

import sys
from pathlib import Path

from keras_gca.data.source import EMBEDDED
from keras_gca.engine import command_line, loading
from keras_gca.sharing import hub
from keras_gca.sharing.card import CARD, Card, facts_of

DESCRIPTION = """\
Write a trained agent as a folder that other programs can use:

  GENERATOR.keras   each generator as the network of Figure 1, for keras.models.load_model: it maps (context, answer)
                    to the probabilities of the next token
  saved_model/      a TensorFlow SavedModel, whose signature takes contexts as text and returns replies as text
  bot.h5            the agent itself, for `Agent.load` and `python -m keras_gca.chat`
  README.md         a model card: data, seed, settings, metrics, and limits

The SavedModel decodes greedily, and the discriminator chooses among the answers, as in `Agent.reply`. The utterances of
a context are separated by line breaks. A program must import tensorflow_text before it loads the SavedModel:

  model = tf.saved_model.load("DIR/saved_model")
  model.signatures["serving_default"](tf.constant(["Hello!", "How are you?\\nFine.\\nGood."]))["reply"]

Unlike this project's chats, these files do not check whether a message mentions self-harm or danger.
If you agree, --push publishes the folder on the Hugging Face Hub under the account that is logged in with
`hf auth login`. Afterwards, `python -m keras_gca.chat OWNER/NAME` opens the agent from the Hub.
"""


SUMMARY = (
    "A neural conversational model that answers a short context token by token, and a discriminator that chooses among "
    "its answers. The method is that of O. Ludwig, *End-to-end Adversarial Learning for Generative Conversational "
    "Agents*, 2017 (arXiv 1711.10122)."
)
USAGE = """
import tensorflow as tf
import tensorflow_text  # registers the operations that normalise text

reply = tf.saved_model.load("saved_model").signatures["serving_default"]
print(reply(tf.constant(["Hello!", "How are you?\\nFine.\\nGood."]))["reply"])  # one utterance per line
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    options = make_parser().parse_args(arguments)
    with loading.quiet_imports():
        from keras_gca.agent import Agent

    if options.push:
        hub.refuse_bad_name(options.push)
    agent = Agent.load(options.run, options.agreed)
    source, evaluation = facts_of(options.run)
    written = agent.export(options.folder)
    networks = {
        f"{name}.keras": f"the network of the paper's Figure 1 with the weights of the generator `{name}`, for Keras; "
        "tokens are word indices, and bot.h5 contains the words"
        for name in agent.generators
    }
    card = Card(
        title=f"A generative conversational agent ({agent.description})",
        library="keras",
        summary=SUMMARY,
        usage=USAGE,
        files={
            **networks,
            "saved_model": "a TensorFlow SavedModel that takes contexts and returns replies, both as text",
            "bot.h5": "the complete agent with its discriminator, for `keras_gca.Agent.load`",
        },
        source=source,
        embedded=EMBEDDED,
        settings=agent.config.to_values(),
        metrics=evaluation,
        limits=["The SavedModel decodes greedily, whereas a chat with a `keras_gca.Agent` uses beam search."],
    )
    card.write(options.folder)
    for name in [*written, CARD]:
        print(f"wrote {options.folder / name}")
    if options.push:
        print(f"published {hub.push(options.folder, options.push, options.private, options.agreed)}")
    return 0


def make_parser() -> command_line.Parser:
    """Make the parser of the command's options."""
    parser = command_line.Parser(prog="python -m keras_gca.export", description=DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, a bot.h5, or a name on the Hub")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder to create")
    hub.add_push_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "export"))
