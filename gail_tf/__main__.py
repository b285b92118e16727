"""`empathy-gail`, or `python -m gail_tf`: lists the second paper's commands, and runs them."""

import sys

from keras_gca.engine import commands

PURPOSE = "EmpathyGAIL: GPT-2 imitates empathetic experts by GAIL and PPO (arXiv 2105.13328). The commands:"

COMMANDS = {
    "train": "train an agent by maximum likelihood, then by Algorithm 1; baselines too",
    "chat": "chat with a trained agent, in the terminal or in the browser",
    "evaluate": "make Table 2, Figures 5 and 6 and Table 3 of trained runs",
    "experiments": "train what Table 2 and the ablations compare, over several seeds, and make their tables",
    "quality_diversity": "quality against diversity of responses, over the temperature",
    "export": "write a policy as a Hugging Face folder",
}


def main(arguments: list[str] | None = None, called_as: str = "empathy-gail") -> int:
    """Run the command; returns the exit status."""
    return commands.run("gail_tf", called_as, PURPOSE, COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main(called_as="python -m gail_tf"))
