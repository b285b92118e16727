"""`gca` or `python -m keras_gca`: list and run the commands of the first paper."""

import sys

from keras_gca.engine import commands

PROGRAM = "gca"
PURPOSE = "Generative conversational agents with end-to-end adversarial training (Ludwig 2017). The commands:"

COMMANDS = {
    "train": "train an agent on a corpus with Algorithm 2, and save it as a bot",
    "watch": "watch a training run of either paper in the browser: curves, samples, replies",
    "prepare": "convert a corpus of any size to token files, which training reads from disk",
    "inspect": "show how a corpus is read, without training on it",
    "chat": "chat with a trained agent, in the terminal or in the browser",
    "evaluate": "evaluate trained agents on held-out conversations: perplexity, replies, Table 1",
    "survey": "hold the human evaluation (Tables 1 and 2): make, serve or print a survey; count votes",
    "studies": "train variants of the method, each with several seeds, and compare them",
    "mmi": "rerank the replies of a run by maximum mutual information",
    "quality_diversity": "compare generators, each at the best sampling settings found by a grid search",
    "export": "export an agent for Keras and TensorFlow, including a SavedModel that replies to text",
    "figures": "draw Figures 1 and 2 of the paper from the Keras models",
}


def main(arguments: list[str] | None = None, called_as: str = PROGRAM) -> int:
    """Run the command and return its exit status."""
    return commands.run("keras_gca", PROGRAM, called_as, PURPOSE, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main(called_as="python -m keras_gca"))
