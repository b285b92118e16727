"""`empathy-gail`, or `python -m gail_tf`, lists and runs the second paper's commands."""

import sys

from keras_gca.engine import commands

PROGRAM = "empathy-gail"
PURPOSE = "EmpathyGAIL: GPT-2 imitates empathetic experts by GAIL and PPO (arXiv 2105.13328). The commands:"

COMMANDS = {
    "train": "train an agent by maximum likelihood and then Algorithm 1, or train a baseline",
    "prepare": "convert trajectories of any number to token files, which training reads from disk",
    "chat": "chat with a trained agent, in the terminal or in the browser",
    "evaluate": "evaluate trained runs, and write Table 2, Figures 5 and 6, and Table 3",
    "experiments": "train the systems of Table 2 and the ablations with several seeds, and compare them",
    "quality_diversity": "compare policies, each at its best sampling settings",
    "pretrained": "download a known pretrained model to the cache folder, or list the known models",
    "export": "write a policy to a folder in the Hugging Face format",
}


def main(arguments: list[str] | None = None, called_as: str = PROGRAM) -> int:
    """Run the command, and return its exit status."""
    return commands.run("gail_tf", PROGRAM, called_as, PURPOSE, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main(called_as="python -m gail_tf"))
