"""`empathy-gail`, or `python -m gail_tf`: list the second paper's commands, and run them."""

import sys

from keras_gca.engine import commands

PROGRAM = "empathy-gail"
PURPOSE = "EmpathyGAIL: GPT-2 imitates empathetic experts by GAIL and PPO (arXiv 2105.13328). The commands:"

COMMANDS = {
    "train": "train an agent by maximum likelihood and then by Algorithm 1, or train a baseline",
    "prepare": "prepare trajectories of any number as token files, on which train trains",
    "chat": "chat with a trained agent, in the terminal or in the browser",
    "evaluate": "compute Table 2, Figures 5 and 6 and Table 3 from trained runs",
    "experiments": "train the systems of Table 2 and of the ablations with several seeds, and compare them",
    "quality_diversity": "compare policies, each at its best point in a grid of sampling settings",
    "pretrained": "fetch a known pretrained model into the cache folder, or list the known models",
    "export": "write a policy to a folder in the Hugging Face format",
}


def main(arguments: list[str] | None = None, called_as: str = PROGRAM) -> int:
    """Run the command; return the exit status."""
    return commands.run("gail_tf", PROGRAM, called_as, PURPOSE, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main(called_as="python -m gail_tf"))
