"""`python -m gail_tf.export`: write a trained policy to a folder that Hugging Face's transformers can load."""

import argparse
import sys
from pathlib import Path

from keras_gca.engine import command_line, loading
from keras_gca.sharing import hub
from keras_gca.sharing.card import Card, facts_of

DESCRIPTION = """\
Write a trained policy to a folder with config.json, model.safetensors and the tokenizer's files. transformers loads the
folder like any GPT-2 or Llama: AutoModelForCausalLM.from_pretrained("DIR"). Adapters are merged into the weights. A
policy that was trained with --trainable head cannot be exported, because transformers does not support its layers.

The folder also contains the complete agent as bot.h5, and a model card with the data, seed, settings, metrics and
limitations. With --push, the folder is published on the Hugging Face Hub after you agree, in the account that you
logged in to with `hf auth login`. `python -m gail_tf.chat OWNER/NAME` then chats with the published agent. Unlike this
project's chat commands, the exported policy does not check whether a message mentions self-harm or danger.
"""


SUMMARY = (
    "A language model trained on empathetic conversations by maximum likelihood, and possibly by adversarial "
    "imitation, following P. Muthukumar et al., *Generative Adversarial Imitation Learning for Empathy-based AI*, 2021 "
    "(arXiv 2105.13328)."
)
USAGE = """
from transformers import AutoModelForCausalLM, AutoTokenizer

model, tokenizer = (kind.from_pretrained("path/to/this/folder") for kind in (AutoModelForCausalLM, AutoTokenizer))
prompt = tokenizer.apply_chat_template(
    [{"role": "user", "content": "I got the job!"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
)
tokens = model.generate(**prompt, max_new_tokens=40)[0, prompt["input_ids"].shape[1] :]
print(tokenizer.decode(tokens, skip_special_tokens=True))
"""

SENTIMENT = (
    "In training, a control token with the sentiment of each utterance, such as `<|positive|>`, preceded the "
    "utterance. The code above leaves these tokens out; a `gail_tf.GAILAgent` adds them."
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = make_parser().parse_args(arguments)
    with loading.quiet_imports():
        from gail_tf.agent import GAILAgent

    if options.push:
        hub.refuse_bad_name(options.push)
    agent = GAILAgent.load(options.run, options.agreed)
    source, evaluation = facts_of(options.run)
    name = agent.export(options.folder, options.policy)
    agent.save(options.folder / hub.BOT)
    words = name.replace("_", " ")
    measured = evaluation.get("policies", {}).get(name, {})
    card = Card(
        title=f"An empathetic conversational policy trained by {words}",
        library="transformers",
        summary=SUMMARY,
        usage=USAGE,
        files={
            "model.safetensors": f"the weights of the policy trained by {words}",
            "config.json": "the dimensions of the policy's network",
            "tokenizer.json": "the policy's tokenizer",
            "generation_config.json": "tokens that end or cannot occur in a response",
            hub.BOT: "the complete agent with its discriminator, for `gail_tf.GAILAgent.load`",
        },
        source=source,
        embedded="the corpus that is included in Keras conversational agents",
        settings=agent.config.to_values(),
        metrics=measured.get("figures", {}),
        limits=[
            "The exported policy generates one response. A `gail_tf.GAILAgent` generates several responses, and its "
            "discriminator chooses one of them.",
            *([SENTIMENT] if agent.config.data.sentiment == "on" else []),
        ],
    )
    card.write(options.folder)
    print(f"wrote {options.folder}: the policy trained by {words}")
    if options.push:
        print(f"published {hub.push(options.folder, options.push, options.private, options.agreed)}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Make the parser for the command line."""
    parser = command_line.Parser(prog="python -m gail_tf.export", description=DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, a bot.h5 or a name on the Hub")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder to create")
    parser.add_argument(
        "--policy",
        metavar="NAME",
        help="the policy to export: maximum_likelihood or imitation (default: the last policy of the run)",
    )
    hub.add_push_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "export"))
