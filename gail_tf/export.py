"""`python -m gail_tf.export`: a policy as a Hugging Face folder, which transformers loads like any GPT-2."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from keras_gca.engine import command_line
from keras_gca.errors import UserError

if TYPE_CHECKING:  # these import TensorFlow, for which `--help` must not wait
    from gail_tf.data.tokenizer import Tokenizer
    from gail_tf.policies.language_model_policy import Policy

DESCRIPTION = """\
Writes a trained policy as config.json, model.safetensors and the tokenizer's files, which transformers loads like any
GPT-2: AutoModelForCausalLM.from_pretrained("DIR"). Adapters are merged; a policy of --trainable head is no GPT-2.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = _parser().parse_args(arguments)
    with command_line.quiet_imports():
        from gail_tf.agent import GAILAgent

    agent = GAILAgent.load(options.run)
    name = options.policy or agent.generators[-1]
    if name not in agent.generators:
        raise UserError(f"--policy {name}: {options.run} has {' and '.join(agent.generators)}")
    export(agent.policies[name], agent.tokenizer, options.folder)
    print(f"wrote {options.folder}: the policy after {name.replace('_', ' ')}")
    return 0


def export(policy: "Policy", tokenizer: "Tokenizer", folder: str | os.PathLike) -> None:
    """Write config.json, model.safetensors and the tokenizer's files; makes the folder.

    Adapters are merged into the weights that they adapt. Raises UserError for a `head` policy, for a tokenizer that is
    not the policy's, and where the folder holds a model already.
    """
    from gail_tf.models.hugging_face import write_gpt2
    from gail_tf.policies.language_model_policy import Policy

    if not isinstance(policy, Policy):
        raise UserError("the LSTMs of RL-Seq2Seq are no GPT-2; export a policy of another algorithm")
    if policy.trainable == "head":
        raise UserError("a head on a frozen GPT-2 is no GPT-2 and has no such folder; export a full or lora policy")
    config = policy.gpt2.config
    if (len(tokenizer), tokenizer.end) != (config.vocab_size, config.eos_token_id):
        raise UserError(
            f"a tokenizer of {len(tokenizer)} tokens whose end is {tokenizer.end}, where the policy has"
            f" {config.vocab_size} and {config.eos_token_id}"
        )
    if Path(folder).exists() and (not Path(folder).is_dir() or any(Path(folder).iterdir())):
        raise UserError(f"{folder}: not an empty folder; name a new one")
    tokenizer.save(folder)
    write_gpt2(Path(folder), policy.gpt2)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(prog="python -m gail_tf.export", description=DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder or a bot.h5")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder to make")
    parser.add_argument("--policy", metavar="NAME", help="imitation (if it is there) or maximum_likelihood")
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "export"))
