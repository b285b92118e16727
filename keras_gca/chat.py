"""`python -m keras_gca.chat`: chat with a trained model, in the terminal or in the browser."""

import dataclasses
import functools
import sys
from collections.abc import Callable
from pathlib import Path

from keras_gca.engine import command_line, loading
from keras_gca.errors import UserError
from keras_gca.serving import chat_command, terminal
from keras_gca.serving.protocol import Answer, Decodings

DESCRIPTION = """\
Chat with a trained agent. Each of its generators (teacher forcing, adversarial) answers, and the discriminator chooses
the best answer (Eq. 10). Empty lines are ignored; /help lists the commands; Ctrl-D, Ctrl-C or /quit ends the chat.

  python -m keras_gca.chat                      the latest run in runs/, or the shipped bot if there is none
  python -m keras_gca.chat --shipped            the shipped bot, which was trained on the embedded corpus
  python -m keras_gca.chat runs/NAME            the run in runs/NAME
  python -m keras_gca.chat bot.h5 --verbose     a bot file, with both answers and their scores
  python -m keras_gca.chat --web                in the browser, with the discriminator's probability for every word
  python -m keras_gca.chat --say "Hello!" --json    one reply for a script, as a line of JSON
  python -m keras_gca.chat --original DIR       the author's own files: vocabulary_movie and my_model_weights*.h5

This is a research program. If a message mentions self-harm or danger, the chat replies with a note and runs no model.
"""

EXAMPLES = ("Hello! How are you?", "What do you do for a living?", "I'd like a cup of tea, please.")
SHIPPED = Path(__file__).parent / "data" / "shipped" / "bot.h5"


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = make_parser().parse_args(arguments)
    chat_command.check(options)
    options.context = options.context or ("author" if options.original and not options.web else "paper")
    if options.utterances and options.context == "author":
        raise UserError(
            "--utterances applies only to --context paper; --context author always uses one or two utterances"
        )
    if options.web and options.context == "author":
        raise UserError("--context author works only in the terminal; with --web, use --context paper")
    if options.bot and options.original:
        raise UserError(f"give either a bot ({options.bot}) or --original, not both")
    if options.shipped and options.original:
        raise UserError("--shipped already chooses a bot; leave out --original")
    by_beam = options.temperature is None and options.beam is None and not options.greedy
    if options.greedy and (options.temperature is not None or options.beam is not None):
        raise UserError("--greedy cannot be combined with --temperature or --beam")
    if options.original:
        path, name, notice = chat_command.named(options.original)
    else:
        path, name, notice = chat_command.bot_of("keras_gca", options, SHIPPED)
    listening = chat_command.listen(options, path)
    with loading.quiet_imports(f"TensorFlow, and then {path}"):
        from keras_gca.agent import Agent
        from keras_gca.models.decoding_settings import Decoding

        if options.original or options.context == "author":  # these imports are slow
            from keras_gca.original import agent as original

    decoding = Decoding(options.temperature, options.top_k, options.top_p, options.beam)
    agent = original.load(path) if options.original else Agent.load(path, options.agreed)
    keywords = agent.usual_decoding.keywords
    decoding = dataclasses.replace(decoding, keywords=keywords)
    if not options.original and (by_beam or options.beam is not None):
        decoding = dataclasses.replace(agent.usual_decoding, beam=options.beam or agent.usual_decoding.beam)
    if options.persona is not None:
        agent.speak_as(options.persona)
    agent.notes_crises, agent.crisis_lines = not options.no_crisis_note, options.crisis_line
    if options.original and isinstance(agent, original.OriginalAgent) and options.verbose and not options.say:
        print("\n".join(agent.report))
    if listening is not None:
        usual = f"a beam search of width {decoding.beam}" if decoding.beam else "the most likely token at every step"
        is_random = decoding.temperature is not None
        decodings = Decodings(
            decoding,
            f"drawing words at temperature {decoding.temperature:g}" if decoding.temperature is not None else usual,
            is_random,
            lambda temperature: Decoding(temperature, options.top_k, options.top_p, keywords=keywords),
        )
        return chat_command.serve(agent, decodings, options, name, options.utterances, listening, notice, EXAMPLES)
    warm_up: Callable[[], object] | None = None
    if options.context == "author":
        reply = original.replies_by_his_rule(agent, decoding, options.seed)
    else:

        def reply(history: list[str], turn: int) -> list[Answer]:
            return agent.answers(history, options.utterances, decoding, options.seed + turn)

        warm_up = functools.partial(reply, list(EXAMPLES[:1]), 0)
    folder = path if path.is_dir() and not options.original else Path()
    return terminal.talk(agent, reply, options, path, folder, notice, warm_up)


def make_parser() -> command_line.Parser:
    """Create the parser for the command's options."""
    parser = command_line.Parser(prog="python -m keras_gca.chat", description=DESCRIPTION)
    chat_command.add_options(parser)
    parser.add_argument(
        "--original",
        type=Path,
        metavar="DIR",
        help="chat with the files of the paper's author, by the rules of his program: --context author is the default; "
        "the answer with the higher score is chosen, unless the more probable answer has a probability above 0.9, "
        "in which case the more probable answer is chosen",
    )
    parser.add_argument(
        "--context",
        choices=("paper", "author"),
        help="the context of a reply. paper (the default without --original): the last N_u utterances. author: "
        "the user's line, preceded by the last reply if the probability of that reply (without EOS) exceeded "
        "0.2, as in the author's program",
    )
    parser.add_argument(
        "--utterances",
        type=command_line.at_least_one,
        metavar="N",
        help="N_u, the number of utterances in the context (default: the number used in training)",
    )
    parser.add_argument(
        "--persona", metavar="NAME", help="answer as this speaker of the corpus; needs a run with --persona-size"
    )
    parser.add_argument(
        "--greedy",
        action="store_true",
        help="choose the most likely token at every step (Algorithm 1) [default with --original]",
    )
    parser.add_argument("--temperature", type=float, metavar="X", help="sample at this temperature")
    parser.add_argument("--top-k", type=int, metavar="N", help="sample from the N most likely tokens")
    parser.add_argument(
        "--top-p",
        type=float,
        default=1.0,
        metavar="X",
        help="sample from the smallest set of most likely tokens whose total probability reaches X",
    )
    parser.add_argument(
        "--beam",
        type=int,
        metavar="N",
        help="generate answers by beam search with this width [10, or 20 for a bot that ranks in both directions]",
    )
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "chat"))
