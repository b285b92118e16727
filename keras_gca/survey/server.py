"""The form of Figure 3 as a web page: every volunteer has a secret link, and every vote is stored immediately.

For each line, volunteers see two answers, and mark the better one or "no difference". The pages do not reveal the names
of the models, load nothing from other sites, and also work without JavaScript.
"""

import hmac

from flask import Flask, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from keras_gca.serving.access import require_token
from keras_gca.serving.local_server import PEOPLE_AT_AN_ADDRESS, Limit, protect
from keras_gca.survey.questionnaire import Line, Survey
from keras_gca.survey.votes import LONGEST_NAME, MARKS_PER_MINUTE, NO_DIFFERENCE, Volunteer, Votes

LARGEST_FORM = 64 * 1024  # bytes
ENROLMENTS_PER_MINUTE = 2 * PEOPLE_AT_AN_ADDRESS  # the maximum number of new volunteers from one address
# These pages need no token. Personal links and the organiser's link already contain a secret, and the static files are
# public.
WITHOUT_TOKEN = ("resume", "dialogue", "save", "vote", "thanks", "overview", "static")
SECONDS_A_LINE = 12  # an estimate of how long a volunteer needs to read a line and decide
NEITHER = "none"  # the form's value for NO_DIFFERENCE; "first" and "second" are the answers in the page's order


def create_app(
    survey: Survey,
    votes: Votes,
    marks_per_minute: int = MARKS_PER_MINUTE,
    asked_by: str = "",
    organiser: str | None = None,
    token: str | None = None,
) -> Flask:
    """Make the web application.

    The application has these pages:

        /                     the welcome page: the task, its duration and purpose, what is stored, a field for a name
        /form/TOKEN           redirects to the first dialogue that has lines left to judge
        /form/TOKEN/N         dialogue N, counted from 1; a POST stores all marks on the page
        /form/TOKEN/votes     a POST stores one vote, and returns the volunteer's progress as JSON
        /form/TOKEN/thanks    the volunteer's progress, and the dialogues that have lines left to judge
        /organiser/TOKEN      for the organiser only: the number of lines that each volunteer has marked

    Args:
        survey: The survey.
        votes: The votes on this survey.
        marks_per_minute: The maximum number of lines that a volunteer can mark per minute.
        asked_by: The name of the person or group conducting the survey, for the welcome page. Empty for no name.
        organiser: The secret token for the organiser's page, or None to have no such page.
        token: The token needed to begin a form (see `access.make_token`), or None if no token is needed.
    """
    app = Flask(__name__)
    protect(app, LARGEST_FORM, say=lambda sentence: render_template("error.html", message=sentence))
    require_token(app, token, WITHOUT_TOKEN)
    total = len(survey.lines)
    enrolments = Limit("new volunteers from your address", ENROLMENTS_PER_MINUTE)
    marks = Limit("marks", marks_per_minute)

    def volunteer_of(token: str) -> Volunteer:
        volunteer = votes.volunteer(token)
        if volunteer is None:
            abort(404, "There is no such form. Please check that the link is complete.")
        return volunteer

    def open_lines(done: dict[int, int]) -> list[int]:
        """Count the lines left to judge in each dialogue."""
        return [
            sum(number not in done for number, _ in survey.numbered(dialogue))
            for dialogue in range(len(survey.dialogues))
        ]

    @app.get("/")
    def welcome() -> ResponseReturnValue:
        minutes = max(1, round(total * SECONDS_A_LINE / 60))
        return render_template(
            "welcome.html", survey=survey, total=total, longest=LONGEST_NAME, minutes=minutes, asked_by=asked_by
        )

    @app.get("/organiser/<token>")
    def overview(token: str) -> ResponseReturnValue:
        if organiser is None or not hmac.compare_digest(token.encode(), organiser.encode()):
            abort(404, "There is no such page. Please check that the link is complete.")
        volunteers = votes.progress()
        return render_template("organiser.html", volunteers=volunteers, total=total)

    @app.post("/volunteers")
    def enrol() -> ResponseReturnValue:
        enrolments.count(request.remote_addr)
        token = votes.enrol(request.form.get("name", ""))
        return redirect(url_for("dialogue", token=token, number=1), 303)

    @app.get("/form/<token>")
    def resume(token: str) -> ResponseReturnValue:
        left = open_lines(votes.of(volunteer_of(token)))
        first = next((i for i, lines in enumerate(left, start=1) if lines), None)
        if first is None:
            return redirect(url_for("thanks", token=token))
        return redirect(url_for("dialogue", token=token, number=first))

    @app.get("/form/<token>/<int:number>")
    def dialogue(token: str, number: int) -> ResponseReturnValue:
        volunteer = volunteer_of(token)
        if not 1 <= number <= len(survey.dialogues):
            abort(404, "There is no such dialogue.")
        done = votes.of(volunteer)
        lines = [(i, line, _word(line, done[i]) if i in done else None) for i, line in survey.numbered(number - 1)]
        return render_template(
            "dialogue.html",
            survey=survey,
            volunteer=volunteer,
            token=token,
            number=number,
            lines=lines,
            left=open_lines(done),
            done=len(done),
            total=total,
        )

    @app.post("/form/<token>/<int:number>")
    def save(token: str, number: int) -> ResponseReturnValue:
        volunteer = volunteer_of(token)
        marks.count(volunteer.id)
        if not 1 <= number <= len(survey.dialogues):
            abort(404, "There is no such dialogue.")
        lines = survey.numbered(number - 1)
        marked = {i: (line, request.form[f"line-{i}"]) for i, line in lines if f"line-{i}" in request.form}
        votes.record(volunteer, {i: _choice(line, mark) for i, (line, mark) in marked.items()})
        if number == len(survey.dialogues):
            return redirect(url_for("thanks", token=token), 303)
        return redirect(url_for("dialogue", token=token, number=number + 1), 303)

    @app.post("/form/<token>/votes")
    def vote(token: str) -> ResponseReturnValue:
        volunteer = volunteer_of(token)
        marks.count(volunteer.id)
        number = request.form.get("line", -1, type=int)
        if not 0 <= number < total:
            abort(400, "There is no such line.")
        votes.record(volunteer, {number: _choice(survey.lines[number], request.form.get("choice", ""))})
        done = votes.of(volunteer)
        return {"done": len(done), "total": total, "left": open_lines(done)}

    @app.get("/form/<token>/thanks")
    def thanks(token: str) -> ResponseReturnValue:
        done = votes.of(volunteer_of(token))
        return render_template("thanks.html", token=token, done=len(done), total=total, left=open_lines(done))

    return app


def _choice(line: Line, mark: str) -> int:
    """Convert a mark on the page, such as "first", to a vote."""
    if mark not in ("first", "second", NEITHER):
        abort(400, "The mark is not valid; first, second or none is expected.")
    return NO_DIFFERENCE if mark == NEITHER else line.order[mark == "second"]


def _word(line: Line, choice: int) -> str:
    """Convert a vote to a mark on the page, such as "first"."""
    return NEITHER if choice == NO_DIFFERENCE else ("first", "second")[line.order.index(choice)]
