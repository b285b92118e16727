"""`python -m gail_tf.chat`: chat with a trained agent in the terminal or in the browser."""

import argparse
import dataclasses
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gail_tf.data.calibration import FILE, profile_of_answers, questions
from keras_gca.engine import command_line, loading
from keras_gca.errors import UserError
from keras_gca.serving import chat_command, terminal
from keras_gca.serving.calibration import Answers, AnswersFile, Calibration, Question, ask, described, line_of_user
from keras_gca.serving.protocol import Decodings

if TYPE_CHECKING:
    from gail_tf.policies.replying import Replying
    from keras_gca.serving.protocol import Answer

DESCRIPTION = """\
Chat with a trained agent. Two policies, one trained by maximum likelihood and one by imitation, respond to the
conversation so far, and the discriminator chooses the best response. /help lists the commands; Ctrl-D, Ctrl-C or /quit
ends the chat.

  python -m gail_tf.chat                       the latest run in runs/, or the shipped bot if there is none
  python -m gail_tf.chat --shipped             the shipped bot: adapters of the pretrained network SmolLM2-135M
  python -m gail_tf.chat RUN --candidates 4    draw four responses from each policy; the discriminator chooses one
  python -m gail_tf.chat RUN --web             chat in the browser
  python -m gail_tf.chat RUN --calibrate       first answer seven questions about what helps you
  python -m gail_tf.chat RUN --say "Hello!" --json    print one reply as a line of JSON, for scripts

Your answers to the questions of --calibrate are stored in a file on this computer (see --profile), and apply to later
chats until you delete the file with --delete-profile. The bot must have been trained with --listener-profile on.

This is a research program. Messages that mention self-harm or danger are answered with a note, before any model runs.
"""

SHIPPED = Path(__file__).parent / "data" / "shipped" / "bot.h5"
EXAMPLES = ("I lost my job last week.", "My sister is getting married!", "I have an exam tomorrow and I am nervous.")


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    options = make_parser().parse_args(arguments)
    chat_command.check(options)
    if options.calibrate and options.say:
        raise UserError("--calibrate asks questions, so it does not work with --say; leave out one of them")
    path, name, notice = chat_command.bot_of("gail_tf", options, SHIPPED)
    folder = path if path.is_dir() else Path()
    asked = questions()
    file = AnswersFile(options.profile or folder / FILE, asked)
    if options.delete_profile:
        file.delete()
        print(f"deleted: {file.path}")
        return 0
    if options.profile is not None and not options.profile.exists() and not (options.calibrate or options.web):
        raise UserError(f"{options.profile}: no such file; --calibrate asks the questions and writes it")
    listening = chat_command.listen(options, path)
    with loading.quiet_imports(f"TensorFlow, and then {path}"):
        from gail_tf.agent import GAILAgent
        from gail_tf.policies.replying import Replying

    replying = Replying(options.temperature, options.top_p, options.candidates)
    agent = GAILAgent.load(path, options.agreed)
    if agent.bot.base is not None:
        loading.skip_graph_optimisation()
    agent.notes_crises, agent.crisis_lines = not options.no_crisis_note, options.crisis_line
    if options.calibrate or options.profile is not None:
        agent.refuse_wishes()
    if options.calibrate and listening is None:
        print(f"{notice}\n")
        notice = ""
        calibrate(file, asked, agent.crisis_note)
    own: AnswersFile | None = file if agent.takes_wishes else None
    if listening is not None:
        from keras_gca.serving.access import is_loopback

        # Others who can reach the page must not read, use or replace the profile of this computer's user.
        own = own if is_loopback(options.host) else None
    answers = {} if own is None else own.read()
    replying = with_answers(replying, answers)
    if listening is not None:
        drawing = f"drawing words at temperature {replying.temperature:g}"
        decodings = Decodings(
            replying,
            drawing if replying.temperature else "taking the likeliest token at every step",
            replying.temperature > 0,
            lambda temperature: dataclasses.replace(replying, temperature=temperature),
        )
        calibration = Calibration(asked, with_answers, own, options.calibrate) if agent.takes_wishes else None
        return chat_command.serve(
            agent, decodings, options, name, options.history, listening, notice, EXAMPLES, calibration
        )

    if answers:
        notice = f"{notice}\nYour profile applies: {described(answers)} ({file.path})".lstrip()

    def reply(history: list[str], turn: int) -> "list[Answer]":
        return agent.answers(history, options.history, replying, options.seed + turn)

    return terminal.talk(agent, reply, options, path, folder, notice, functools.partial(reply, list(EXAMPLES[:1]), 0))


def calibrate(file: AnswersFile, asked: Sequence[Question], crisis_note: Callable[[str], str | None]) -> None:
    """Ask the user the calibration questions at the terminal, and store the answers in a file.

    Args:
        file: The file, which is left unchanged if the user stops early or if an answer indicates a crisis.
        asked: The questions.
        crisis_note: See `GAILAgent.crisis_note`.
    """
    answers = ask(asked, crisis_note, line_of_user)
    if answers is not None:
        file.write(answers)
        print(
            f"\nsaved in {file.path}, which only you can read; --delete-profile deletes it\n"
            "nothing leaves this computer"
        )
    print()


def with_answers(replying: "Replying", answers: Answers) -> "Replying":
    """Return a copy of the reply settings with the profile derived from the calibration answers."""
    return dataclasses.replace(replying, profile=profile_of_answers(answers))


def make_parser() -> argparse.ArgumentParser:
    """Make the command's argument parser."""
    parser = command_line.Parser(prog="python -m gail_tf.chat", description=DESCRIPTION)
    chat_command.add_options(parser)
    parser.add_argument(
        "--history",
        type=command_line.at_least_one,
        metavar="N",
        help="number of utterances that the agent reads, including the latest message (default: all that "
        "fit, as in the paper)",
    )
    parser.add_argument(
        "--candidates",
        type=command_line.at_least_one,
        default=1,
        metavar="N",
        help="number of responses to draw from each policy [1]",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=0.9,
        metavar="X",
        help="sampling temperature; 0 takes the likeliest token [0.9]",
    )
    parser.add_argument(
        "--top-p",
        type=float,
        default=0.9,
        metavar="X",
        help="nucleus sampling: draw from the likeliest tokens that together have this probability [0.9]",
    )
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="first ask what helps you; with --web, the page opens with these questions",
    )
    parser.add_argument(
        "--profile",
        type=Path,
        metavar="FILE",
        help=f"the file that stores the answers to --calibrate (default: {FILE} in the run folder)",
    )
    parser.add_argument("--delete-profile", action="store_true", help="delete the file given by --profile, and exit")
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "chat"))
