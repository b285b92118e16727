"""`python -m tests.stress.load`: tests the web pages under load, by clients like real people and by hostile clients.

Both servers run as the real commands, in processes of their own. Each client is a thread with its own connection and
uses real HTTP. Some clients chat or vote like people, and pause to think. At the same time hostile clients send a byte
every few seconds, read nothing, leave before they are answered, write too much, flood the server, guess links or invent
cookies. The program prints the results as Markdown tables. The exit status is 1 if anything went wrong.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import numpy as np

from keras_gca.serving.web import LONGEST_UTTERANCE, MESSAGES_PER_MINUTE
from keras_gca.survey.questionnaire import Survey
from keras_gca.survey.votes import MARKS_PER_MINUTE, NO_DIFFERENCE
from tests.factories.surveys import make_survey
from tests.places import PROJECT

LINES = (
    "Good morning. How are you?",
    "I'd like a cup of tea, please.",
    "What did you do at the weekend?",
    "<script>alert(1)</script> Where is the station?",
    "My sister lives in London, and she says that the weather there is terrible at this time of the year.",
    "Thank you very much. \U0001f600 Do you like films?",
)
CHATTING, VOTING = (2.2, 6.0), (1.0, 4.0)  # the seconds for which people think; slow enough for the rate limits
GOOD = "chat: page", "chat: message", "survey: enrol", "survey: page", "survey: vote", "survey: whole form"
FLOODS = "chat: flood", "chat: made-up cookies", "survey: flood"
REFUSED = {"chat: too long": {400, 413}, "survey: guessed link": {404}}
MEMORY_MAY_GROW = 1.1  # the largest factor from the first minute, or from the middle, to the end


@dataclass
class Tally:
    """The results of all clients.

    Attributes:
        requests: The requests, as (kind, status, seconds).
        failures: Errors that well-behaved clients have met.
        votes: The votes that the server has acknowledged, {token: {line: vote}}.
        closed: The number of slow clients whose connection the server has closed.
    """

    requests: list[tuple[str, int, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    votes: dict[str, dict[int, int]] = field(default_factory=dict)
    closed: int = 0

    def statuses(self, what: str) -> Counter[int]:
        return Counter(status for each, status, _ in self.requests if each == what)


class Client:
    """A client like a browser: it keeps its connection and its cookie."""

    def __init__(self, address: str, tally: Tally):
        self.address, self.tally, self.cookie = urlsplit(address), tally, ""
        self.connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=60)

    def ask(self, what: str, method: str, path: str, body: str | None = None, kind: str = "") -> tuple[int, str, str]:
        """Make a request. Return the status, the address of a redirection, and the text."""
        headers = {"Cookie": self.cookie} | ({"Content-Type": kind} if kind else {})
        start = time.monotonic()
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        text = response.read().decode()
        self.tally.requests.append((what, response.status, time.monotonic() - start))
        self.cookie = response.headers.get("Set-Cookie", self.cookie).split(";")[0]
        return response.status, response.headers.get("Location", ""), text

    def say(self, what: str, history: list[str]) -> tuple[int, str]:
        status, _, text = self.ask(what, "POST", "/answers", json.dumps({"history": history}), "application/json")
        return status, text

    def send(self, what: str, path: str, **fields: str | int) -> tuple[int, str, str]:
        return self.ask(what, "POST", path, urlencode(fields), "application/x-www-form-urlencoded")

    def enrol(self, name: str) -> str:
        """Enrol a volunteer. Return the address of the form, /form/TOKEN."""
        status, place, text = self.send("survey: enrol", "/volunteers", name=name)
        if status != 303:
            raise AssertionError(f"enrolled with {status}: {text}")
        return place.removesuffix("/1")


@dataclass
class Load:
    """The clients and their requests.

    Attributes:
        chat: The address of the chat.
        survey: The address of the survey.
        questions: The questions of the survey.
        pace: A factor on the seconds between requests.
    """

    chat: str
    survey: str
    questions: Survey
    pace: float = 1.0
    tally: Tally = field(default_factory=Tally)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, chats: int, volunteers: int, seconds: float) -> Tally:
        """Start the well-behaved clients, and the hostile ones a second later. All stop after a number of seconds."""
        good = [(self.chatting, number) for number in range(chats)]
        good += [(self.voting, number) for number in range(volunteers)]
        nasty: list[tuple[Callable[[int], None], int]] = [(self.slow, number) for number in range(10)]
        nasty += [(self.unread, number) for number in range(4)]
        nasty += [(each, 0) for each in (self.leaving, self.too_long, self.flood, self.forging, self.stuffing)]
        nasty += [(self.guessing, 0)]
        threads = [threading.Thread(target=self._good, args=each) for each in good]
        threads += [threading.Thread(target=self._nasty, args=each) for each in nasty]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.stop.set()
        for thread in threads:
            thread.join()
        return self.tally

    def _good(self, act: Callable[[int], None], number: int) -> None:
        try:
            act(number)
        except (OSError, http.client.HTTPException, AssertionError, ValueError) as error:
            self.tally.failures.append(f"{act.__name__} {number}: {error!r}")

    def _nasty(self, act: Callable[[int], None], number: int) -> None:
        """Run a hostile client. Errors of its own connections do not count as failures."""
        self.stop.wait(1)
        while not self.stop.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                act(number)
            self.stop.wait(0.5)

    # People

    def chatting(self, number: int) -> None:
        draw, client, history = random.Random(number), Client(self.chat, self.tally), []
        status, _, page = client.ask("chat: page", "GET", "/")
        assert status == 200, page
        while not self.stop.wait(self.pace * draw.uniform(*CHATTING)):
            history = [*history, draw.choice(LINES)][-20:]
            status, text = client.say("chat: message", history)
            if status != 200:
                raise AssertionError(f"a message got {status}: {text}")
            history.append(json.loads(text)["answers"][0]["text"] or "Well.")

    def voting(self, number: int) -> None:
        draw, client, name = random.Random(-number - 1), Client(self.survey, self.tally), f"Volunteer {number}"
        assert client.ask("survey: page", "GET", "/")[0] == 200
        form = client.enrol(f'{name} <img src=x onerror="alert(1)">')
        votes = self.tally.votes[form.removeprefix("/form/")] = {}
        total, dialogues = len(self.questions.lines), len(self.questions.dialogues)
        while not self.stop.wait(self.pace * draw.uniform(*VOTING)):
            if not votes or draw.random() < 0.1:
                dialogue = draw.randrange(dialogues)
                status, _, page = client.ask("survey: page", "GET", f"{form}/{dialogue + 1}")
                assert status == 200, page
                assert f"{name} &lt;img" in page
                lines = [line for line, _ in self.questions.numbered(dialogue)]
                marks = {line: draw.choice(("first", "second", "none")) for line in lines}
                fields = {f"line-{line}": mark for line, mark in marks.items()}
                status, *_ = client.send("survey: whole form", f"{form}/{dialogue + 1}", **fields)
                assert status == 303, status
            else:
                line, mark = draw.randrange(total), draw.choice(("first", "second", "none"))
                marks = {line: mark}
                status, _, text = client.send("survey: vote", f"{form}/votes", line=line, choice=mark)
                assert status == 200, (status, text)
                assert json.loads(text)["done"] == len(votes.keys() | marks.keys()), text
            votes |= {line: self._vote(line, mark) for line, mark in marks.items()}

    def _vote(self, line: int, mark: str) -> int:
        return NO_DIFFERENCE if mark == "none" else self.questions.lines[line].order[mark == "second"]

    # Others

    def _connect(self, number: int) -> socket.socket:
        address = urlsplit((self.chat, self.survey)[number % 2])
        return socket.create_connection((address.hostname, address.port), timeout=60)

    def slow(self, number: int) -> None:
        """Send a request byte by byte, without an end, until the server closes the connection."""
        with self._connect(number) as connection:
            connection.sendall(b"POST /answers HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            while not self.stop.wait(3):
                try:
                    connection.sendall(b"x")
                except OSError:
                    self.tally.closed += 1
                    return

    def unread(self, number: int) -> None:
        """Send many requests at once, and read none of the answers."""
        with self._connect(number) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
            self.stop.wait()

    def leaving(self, number: int) -> None:
        """Close the connection before the answer comes."""
        body = json.dumps({"history": ["Hello?"]}).encode()
        head = f"POST /answers HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        with self._connect(0) as connection:
            connection.sendall(head.encode() + b"\r\n\r\n" + body)
        self.stop.wait(3)

    def too_long(self, number: int) -> None:
        client = Client(self.chat, self.tally)
        client.ask("chat: page", "GET", "/")
        while not self.stop.wait(5):
            for length in (LONGEST_UTTERANCE + 1, 500_000, 5_000_000):
                # The server refuses a request before it has been sent completely.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    client.say("chat: too long", ["x" * length])
                client.connection.close()

    def flood(self, number: int) -> None:
        """Send messages as one visitor, far beyond the limit."""
        visitor = Client(self.chat, self.tally)
        visitor.ask("chat: page", "GET", "/")
        self._send_much("chat: flood", lambda: visitor.cookie)

    def forging(self, number: int) -> None:
        """Send an invented cookie with every message."""
        self._send_much("chat: made-up cookies", lambda: f"session={secrets.token_urlsafe(40)}")

    def _send_much(self, what: str, cookie: Callable[[], str]) -> None:
        """Send messages over several connections, so that a slow model is flooded, too."""

        def send(_: int) -> None:
            client = Client(self.chat, self.tally)
            while not self.stop.wait(0.5 * self.pace):
                client.cookie = cookie()
                client.say(what, ["Hello."])

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(send, range(8)))

    def stuffing(self, number: int) -> None:
        """Vote as one volunteer, far beyond the limit."""
        client = Client(self.survey, self.tally)
        form = client.enrol("Stuffing")
        votes = self.tally.votes[form.removeprefix("/form/")] = {}
        while not self.stop.wait(0.1 * self.pace):
            status, *_ = client.send("survey: flood", f"{form}/votes", line=0, choice="first")
            if status == 200:
                votes[0] = self._vote(0, "first")

    def guessing(self, number: int) -> None:
        client = Client(self.survey, self.tally)
        while not self.stop.wait(0.1 * self.pace):
            client.ask("survey: guessed link", "GET", f"/form/{secrets.token_urlsafe(16)}/1")


def problems(tally: Tally, minutes: float) -> list[str]:
    """Return the problems that the clients have met."""
    found = list(tally.failures)
    for what in sorted({each for each, *_ in tally.requests}):
        statuses = tally.statuses(what)
        expected = REFUSED.get(what, {200, 303, 429} if what in FLOODS else {200, 303})
        if wrong := set(statuses) - expected:
            found.append(f"{what}: status {', '.join(map(str, sorted(wrong)))}")
        if what in FLOODS and not statuses[429]:
            found.append(f"{what}: never refused")
    windows = int(minutes) + 2  # the number of minutes of the clock in which a run may be active
    for what, limit in zip(FLOODS, (MESSAGES_PER_MINUTE, MESSAGES_PER_MINUTE, MARKS_PER_MINUTE), strict=True):
        if tally.statuses(what)[200] > windows * limit:
            found.append(f"{what}: {tally.statuses(what)[200]} times let through")
    found += [f"{what}: nothing was asked" for what in (*GOOD, *FLOODS, *REFUSED) if not tally.statuses(what)]
    return found


def lost_votes(tally: Tally, path: Path) -> list[str]:
    """Return the differences between the file of votes and the acknowledged votes."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT token, line, choice FROM votes JOIN volunteers ON volunteers.id = votes.volunteer"
        ).fetchall()
    recorded: dict[str, dict[int, int]] = {}
    for token, line, choice in rows:
        recorded.setdefault(token, {})[line] = choice
    given = {token: votes for token, votes in tally.votes.items() if votes}
    return [
        f"votes of {token}: {recorded.get(token)} where {given.get(token)} were acknowledged"
        for token in recorded.keys() | given.keys()
        if recorded.get(token) != given.get(token)
    ]


def table(tally: Tally) -> str:
    """Make a table of the requests by kind, with their latencies."""
    lines = ["| requests | statuses | median | 95 % | longest |", "| --- | --- | --- | --- | --- |"]
    for what in (*GOOD, *FLOODS, *REFUSED):
        seconds = [each for name, _, each in tally.requests if name == what]
        statuses = ", ".join(f"{count:,} x {status}" for status, count in sorted(tally.statuses(what).items()))
        times = [f"{1000 * each:.0f} ms" for each in (*np.percentile(seconds or [0], [50, 95]), max(seconds or [0]))]
        lines.append(f"| {what} | {statuses} | {' | '.join(times)} |")
    return "\n".join(lines)


# The real commands


@dataclass
class Command:
    """A running server command: the address at which it listens, and its output."""

    process: subprocess.Popen
    errors: Path
    address: str = ""

    @classmethod
    @contextlib.contextmanager
    def start(cls, name: str, folder: Path, *arguments: str | Path) -> Iterator["Command"]:
        errors = folder / f"{name}.err"
        environment = os.environ | {"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", f"keras_gca.{name}", *map(str, arguments), "--port", "0"]
        with errors.open("w") as stream:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=stream,
                start_new_session=True,  # so that Ctrl-C in this terminal does not reach the server
            )
        try:
            served = cls(process, errors)
            for line in process.stdout:
                if found := re.match(r"open (\S+) ;", line):
                    served.address = found[1]
                    break
            if not served.address:
                raise SystemExit(f"{name} did not start: {errors.read_text()}")
            yield served
        finally:
            process.kill()
            process.wait()

    def memory(self) -> float:
        """The resident memory of the server's process, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def end(self) -> str:
        """Stop the server by Ctrl-C. Return its last output.

        Raise AssertionError if it has printed a complaint that does not come from TensorFlow.
        """
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, self.process.returncode
        complaints = [line for line in self.errors.read_text().splitlines() if not re.match(r"[EIW]\d{4} |$", line)]
        assert not complaints, "\n".join(complaints)
        return out


def train(folder: Path) -> Path:
    """Train a bot within seconds."""
    small = ["--preset", "tiny", "--max-pairs", "120", "--vocabulary-size", "150"]
    command = [sys.executable, "-m", "keras_gca.train", *small, "--run", str(folder / "run")]
    subprocess.run(command, check=True, cwd=folder, env=os.environ | {"PYTHONPATH": str(PROJECT)}, capture_output=True)
    return folder / "run"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stress.load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, metavar="X", help="[5]")
    parser.add_argument("--chats", type=int, default=50, metavar="N", help="people who chat [50]")
    parser.add_argument("--volunteers", type=int, default=25, metavar="N", help="people who vote [25]")
    parser.add_argument(
        "--bot", type=Path, metavar="PATH", help="of the chat; one that is trained in seconds if absent"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bot = options.bot.resolve() if options.bot else train(folder)
        questions = make_survey([(0.4, 0.6)] * 240, dialogues=10)
        questions.write(folder / "survey.json")
        with (
            Command.start("chat", folder, bot, "--web") as chat,
            Command.start("survey", folder, "serve", "survey.json") as survey,
        ):
            memory: list[tuple[float, float]] = []
            early = threading.Timer(
                min(60, 30 * options.minutes), lambda: memory.append((chat.memory(), survey.memory()))
            )
            early.start()
            load = Load(chat.address, survey.address, questions)
            tally = load.run(options.chats, options.volunteers, 60 * options.minutes)
            memory.append((chat.memory(), survey.memory()))
            found = problems(tally, options.minutes)
            summary = chat.end().strip()
            survey.end()
        lost = lost_votes(tally, folder / "votes.sqlite")
        found += lost
    if not re.search(r" ([2-9]|\d\d) at most$", summary):
        found.append("no batch was shared")
    for server, before, after in zip(("chat", "survey"), *memory, strict=True):
        if after > MEMORY_MAY_GROW * before:
            found.append(f"the {server}'s memory grew from {before:.0f} to {after:.0f} MiB")
    print(f"{options.chats} chats, {options.volunteers} volunteers, {options.minutes:g} minutes; bot: {bot.name}\n")
    print(table(tally))
    print(f"\nThe model: {summary}.")
    print(f"Marked lines that were acknowledged: {sum(map(len, tally.votes.values())):,}; lost or wrong: {len(lost)}.")
    print(f"Slow requests that the servers closed: {tally.closed}.")
    for server, before, after in zip(("chat", "survey"), *memory, strict=True):
        print(f"Memory of the {server}: {before:.0f} MiB after {early.interval:.0f} s, {after:.0f} MiB at the end.")
    for each in found:
        print(f"WRONG: {each}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
