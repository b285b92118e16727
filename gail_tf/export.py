"""`python -m gail_tf.export`: write a trained policy as a folder that Hugging Face's transformers can load."""

import argparse
import sys
from pathlib import Path

from keras_gca.engine import command_line

DESCRIPTION = """\
Write a trained policy as a folder with config.json, model.safetensors and the tokenizer's files. transformers loads it
like any GPT-2 or Llama: AutoModelForCausalLM.from_pretrained("DIR"). Adapters are merged into the weights. A policy
that was trained with --trainable head has a network that transformers does not know, so it cannot be exported.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    options = _parser().parse_args(arguments)
    with command_line.quiet_imports():
        from gail_tf.agent import GAILAgent

    name = GAILAgent.load(options.run).export(options.folder, options.policy)
    print(f"wrote {options.folder}: the policy after {name.replace('_', ' ')}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(prog="python -m gail_tf.export", description=DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder or a bot.h5")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder to create")
    parser.add_argument("--policy", metavar="NAME", help="imitation or maximum_likelihood; the last one if not given")
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "export"))
