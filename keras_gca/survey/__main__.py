"""`python -m keras_gca.survey make | serve | print | import | tabulate` runs the human evaluation of Section 5."""

import argparse
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glove.text_files import BadLines, counted
from keras_gca import invocation
from keras_gca.data.conversations import FORMATS, read_conversations
from keras_gca.data.source import EMBEDDED
from keras_gca.engine import command_line, loading, reporting
from keras_gca.errors import UserError
from keras_gca.survey.questionnaire import DIALOGUES, LINES, Survey
from keras_gca.survey.votes import MARKS_PER_MINUTE, Votes

if TYPE_CHECKING:  # the module imports TensorFlow, and `--help` must not wait for that
    from keras_gca.agent import Agent

DESCRIPTION = """\
The human evaluation of Ludwig 2017, Section 5. Volunteers read lines of dialogue, each with two machine-generated
answers, and mark the better answer (Figure 3). The votes are summarised in Tables 1 and 2 and by the Jaccard index of
Eq. 11.

  python -m keras_gca.survey make runs/NAME             two models answer held-out lines: survey.json
  python -m keras_gca.survey serve survey.json          volunteers vote in their browsers: votes.sqlite
  python -m keras_gca.survey tabulate survey.json       Tables 1 and 2, Eq. 11, agreement, test, intervals

If you do not want to run a server, `print` writes the form as a printable page and as CSV, and `import` reads CSV forms
that have been filled in.
"""

MAKE = """\
Make a survey from held-out lines of dialogue and two models' answers to them (Algorithm 1). The order of the two
answers is random for each line. Lines that both models answer identically are left out. If the held-out conversations
are short, a dialogue of the survey consists of several conversations.

  python -m keras_gca.survey make runs/NAME                     teacher forcing versus adversarial learning
  python -m keras_gca.survey make runs/A runs/B                 the adversarial generators of two runs
  python -m keras_gca.survey make runs/A runs/B --models teacher_forcing adversarial

The lines come from the held-out conversations of the first run. Make sure that the second run was not trained on them.
The discriminator of the first run judges all answers (Eq. 9 and 10).
"""

SERVE = """\
Serve the form as a web page. Volunteers get personal links, so they can stop and continue later. Votes are stored
immediately. Ctrl-C ends the server; when you start it again, it continues with the same votes.

By default, the form can be opened only on this computer. To share it on your local network, use --host 0.0.0.0 and give
the volunteers the address that the server prints. The address contains a token that is needed to begin. The token
changes whenever the server starts, but personal links need no token and stay valid.

To share the form on the internet, put a web server with HTTPS in front of this server; HTTPS keeps the personal links
secret. The web server must forward the Host header unchanged. As long as this server listens on 127.0.0.1, it requires
no token, so the web server must control who may begin.

The first page says how long the survey takes, what it is for and what is stored. With --asked-by, it also says who is
conducting the survey. At the start, the server prints a link to a page meant only for you, which shows the progress of
each volunteer but not their votes.

Each volunteer can mark up to 120 lines per minute (--marks-per-minute), and up to 100 volunteers per minute can begin
from the same IP address. Behind a web server, all volunteers share the IP address of that web server.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command, and return its exit status."""
    options = make_parser().parse_args(arguments)
    options.given = sys.argv[1:] if arguments is None else arguments
    return options.run(options)


def _make(options: argparse.Namespace) -> int:
    if len(options.bots) > 2:
        raise UserError(f"{len(options.bots)} bots are given; give one or two")
    if options.output.exists():
        raise UserError(f"{options.output} already exists, and votes may belong to it; choose another --output")
    if not options.output.parent.is_dir():
        raise UserError(f"{options.output}: its folder does not exist")
    bad = command_line.bad_lines(options)
    conversations = read_conversations(options.data, options.format, bad) if options.data else None
    if bad.counts:
        print(bad.summary())
    with loading.quiet_imports():
        from keras_gca.agent import Agent
        from keras_gca.models.decoding_settings import Decoding
        from keras_gca.survey.dialogues import Model, all_lines, make_survey

    agents = [Agent.load(path) for path in options.bots]
    generators = options.models or (["teacher_forcing", "adversarial"] if len(agents) == 1 else ["adversarial"] * 2)
    names = list(generators)
    if len(agents) == 2 and names[0] == names[1]:
        names = [f"{name} of {path}" for name, path in zip(names, options.bots, strict=True)]
    if names[0] == names[1]:
        raise UserError(f"{names[0]} is named twice; choose two different models")
    first, second = (Model(*parts) for parts in zip(names, (agents[0], agents[-1]), generators, strict=True))
    utterances = max(agent.config.context_utterances for agent in agents)
    if conversations is not None:
        source, lines = str(options.data), all_lines(conversations, agents[0], utterances)
    else:
        source, lines = _held_out(options, agents[0], utterances)
    facts: dict[str, Any] = {"data": source, "bots": [str(path) for path in options.bots], "beam": options.beam}
    decoding = Decoding(beam=options.beam)
    survey = make_survey((first, second), lines, options.dialogues, options.lines, options.seed, facts, decoding)
    survey.write(options.output)
    same = survey.source["lines_with_equal_answers_passed_over"]
    print(f"{source}; {' and '.join(names)}; {counted(same, 'line')} with identical answers left out")
    print(f"wrote {options.output}: {_size(survey)}")
    print(f"next: {invocation.hint('keras_gca.survey', 'serve', options.output)}")
    return 0


def _size(survey: Survey) -> str:
    return f"{counted(len(survey.dialogues), 'dialogue')}, {counted(len(survey.lines), 'line')}"


def _held_out(options: argparse.Namespace, agent: "Agent", utterances: int) -> tuple[str, list[list[tuple[str, ...]]]]:
    """Return a description of a run's held-out lines, and the text of the lines, looked up in the run's corpus."""
    from keras_gca.survey.dialogues import held_out_lines
    from keras_gca.training.run_folder import GCARun

    if not options.bots[0].is_dir():
        raise UserError(
            f"{options.bots[0]} does not contain the held-out lines; name the bot's run folder instead, or a file of "
            "dialogues with --data FILE"
        )
    run = GCARun.open(options.bots[0])
    named, held_out = run.source().get("data"), run.dataset().held_out
    corpora = [named] if isinstance(named, str) else named
    if not corpora:
        raise UserError(f"{run.path} does not name its training corpus; name a file of dialogues with --data FILE")
    corpus = ", ".join(corpora)
    try:
        bad = BadLines("skipped_lines" in run.source(), UserError)  # skip them if the training run did
        conversations = [
            conversation
            for path in corpora
            for conversation in read_conversations(None if path == EMBEDDED else path, options.format, bad)
        ]
        lines = held_out_lines(held_out, conversations, agent, utterances)
    except UserError as error:
        raise UserError(
            f"{run.path} was trained on {corpus}: {error}; name a file of dialogues with --data FILE"
        ) from None
    return f"held out of {corpus}", lines


def _serve(options: argparse.Namespace) -> int:
    survey = Survey.read(options.survey)
    with loading.needs_extra("web"):
        from keras_gca.serving.access import make_token
        from keras_gca.serving.local_server import EVERYWHERE, addresses, make_local_server, serve_until_stopped
        from keras_gca.survey.server import create_app

    token, organiser = make_token(options.host), secrets.token_urlsafe(16)
    votes = Votes.create(options.votes, survey)
    app = create_app(survey, votes, options.marks_per_minute, options.asked_by, organiser, token)
    server = make_local_server(app, options.host, options.port)
    print(f"{options.survey}: {_size(survey)}; votes: {options.votes}")
    print(f"open {addresses(options.host, server.port, token)} ; Ctrl-C ends the server", flush=True)
    host = "127.0.0.1" if options.host in EVERYWHERE else options.host
    print(f"progress, only for you: http://{host}:{server.port}/organiser/{organiser}", flush=True)
    serve_until_stopped(server)
    further = invocation.hint("keras_gca.survey", "tabulate", options.survey, "--votes", options.votes)
    print(f"\nnext: {further}")
    return 0


def _print(options: argparse.Namespace) -> int:
    survey = Survey.read(options.survey)
    with loading.needs_extra("web"):
        from keras_gca.survey.paper_form import write_forms
    for path in write_forms(survey, options.folder):
        print(f"wrote {path}")
    print("In the last column of the CSV, write 1 or 2 for the better answer, or 0 for no difference.")
    filled = "FILLED.csv", "...", "--votes", "votes.sqlite"
    print(f"next: {invocation.hint('keras_gca.survey', 'import', options.survey, *filled)}")
    return 0


def _import(options: argparse.Namespace) -> int:
    survey = Survey.read(options.survey)
    with loading.needs_extra("web"):
        from keras_gca.survey.paper_form import read_form

    names = [path.stem for path in options.forms]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"two forms are named {twice}; give each form its own file name")
    forms = {path.stem: read_form(path, survey) for path in options.forms}  # check all forms before storing any
    votes = Votes.create(options.votes, survey)
    for name, choices in forms.items():
        votes.replace_imported(name, choices)
        print(f"{name}: {len(choices)} of {counted(len(survey.lines), 'line')}")
    return 0


def _tabulate(options: argparse.Namespace) -> int:
    return reporting.print_results(lambda: _count(options), options.json)


def _count(options: argparse.Namespace) -> dict[str, Any]:
    """Count the votes, write and print the tables, and return the document that --json prints."""
    survey = Survey.read(options.survey)
    ballots = Votes.open(options.votes, survey).ballots()
    if not len(ballots):
        raise UserError(f"{options.votes}: there are no votes yet")
    with loading.needs_extra("web"):
        from keras_gca.evaluation import provenance
        from keras_gca.survey import report, tables
    results = tables.tabulate(survey, ballots, options.seed)
    print(f"{report.summary(results)}\n")
    for table in report.make_tables(results):
        print(table.to_markdown())
    print(f"{report.about_ties()}\n")
    paths = report.write(survey, results, options.folder)
    print(f"wrote {', '.join(path.name for path in paths)} to {options.folder}")
    command = provenance.command_of("keras_gca.survey", options.given)
    return provenance.document(command, report.facts(survey, results), paths)


def make_parser() -> command_line.Parser:
    """Make the command's argument parser."""
    parser = command_line.Parser(prog="python -m keras_gca.survey", description=DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], help: str, description: str | None = None
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=description or f"{help[0].upper()}{help[1:]}.")
        added.set_defaults(run=run)
        if name != "make":
            added.add_argument("survey", type=Path, metavar="SURVEY", help="a survey.json file")
        return added

    make = command("make", _make, "make a survey from held-out lines of dialogue and the answers of two models", MAKE)
    make.add_argument("bots", nargs="+", type=Path, metavar="RUN_OR_BOT", help="one or two run folders or bot.h5 files")
    make.add_argument(
        "--models", nargs=2, metavar=("A", "B"), help="the generators to compare [teacher_forcing adversarial]"
    )
    make.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="a corpus to take the lines from, instead of the run's held-out conversations",
    )
    make.add_argument("--format", choices=sorted(FORMATS), help="the format of the corpus (default: detected)")
    command_line.add_bad_lines(make)
    at_least_one = command_line.at_least_one
    make.add_argument(
        "--dialogues",
        type=at_least_one,
        default=DIALOGUES,
        metavar="N",
        help=f"the number of dialogues [paper: {DIALOGUES}]",
    )
    make.add_argument(
        "--lines",
        type=at_least_one,
        default=LINES,
        metavar="L",
        help=f"the number of lines to answer in each dialogue [paper: about {LINES}]",
    )
    make.add_argument("--beam", type=at_least_one, metavar="N", help="generate answers by beam search of this width")
    make.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="S",
        help="the random seed for choosing lines and sampling answers [0]",
    )
    make.add_argument(
        "--output", type=Path, default=Path("survey.json"), metavar="FILE", help="the file to write [survey.json]"
    )

    serve = command("serve", _serve, "serve the form as a web page", SERVE)
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on [127.0.0.1: this computer only]")
    serve.add_argument("--port", type=int, default=8000, help="the port to listen on; 0 picks a free port [8000]")
    serve.add_argument(
        "--marks-per-minute",
        type=at_least_one,
        default=MARKS_PER_MINUTE,
        metavar="N",
        help=f"the maximum number of lines that a volunteer can mark per minute [{MARKS_PER_MINUTE}]",
    )

    serve.add_argument(
        "--asked-by",
        default="",
        metavar="TEXT",
        help="your name and contact details for the first page, such as 'Ann Lee, ann@example.org'",
    )

    printed = command("print", _print, "write the form as a printable page and as CSV")
    printed.add_argument(
        "--folder", type=Path, default=Path("forms"), metavar="DIR", help="the folder to write to [forms]"
    )

    imported = command(
        "import", _import, "store the votes from filled-in CSV forms; importing a form again replaces its votes"
    )
    imported.add_argument("forms", nargs="+", type=Path, metavar="CSV", help="filled-in forms, one for each volunteer")

    tabulated = command(
        "tabulate",
        _tabulate,
        "count the votes: Tables 1 and 2, Eq. 11, agreement, a sign test and intervals",
    )
    tabulated.add_argument(
        "--folder", type=Path, default=Path("tables"), metavar="DIR", help="the folder to write to [tables]"
    )
    tabulated.add_argument("--seed", type=int, default=0, metavar="S", help="the seed for the bootstrap intervals [0]")

    reporting.add_json(tabulated)

    for counting in (serve, imported, tabulated):
        counting.add_argument(
            "--votes", type=Path, default=Path("votes.sqlite"), metavar="FILE", help="the file of votes [votes.sqlite]"
        )
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "survey"))
