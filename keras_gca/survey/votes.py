"""Stores volunteers and their votes in an SQLite file.

A vote is the index (0 or 1) of the model with the better answer, or NO_DIFFERENCE, which the paper calls a tie or "no
votes". Votes are stored immediately. Any number of processes and threads may write to the file at the same time.
"""

import contextlib
import datetime
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_gca.errors import UserError
from keras_gca.survey.questionnaire import Survey

NO_DIFFERENCE = 2
PATIENCE = 30  # seconds to wait until another process has finished writing
LONGEST_NAME = 80  # the maximum number of characters
MARKS_PER_MINUTE = 120  # the maximum number of lines that one volunteer may mark on the web page in a minute

_SCHEMA = """
CREATE TABLE survey (fingerprint TEXT NOT NULL);
CREATE TABLE volunteers (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    since TEXT NOT NULL,
    imported_from TEXT UNIQUE
);
CREATE TABLE votes (
    volunteer INTEGER NOT NULL REFERENCES volunteers,
    line INTEGER NOT NULL,
    choice INTEGER NOT NULL CHECK (choice IN (0, 1, 2)),
    at TEXT NOT NULL,
    PRIMARY KEY (volunteer, line)
);
"""


@dataclass(frozen=True)
class Volunteer:
    """A volunteer.

    Attributes:
        id: The volunteer's number in the file.
        name: The volunteer's name as entered, which may be empty.
    """

    id: int
    name: str


@dataclass(frozen=True)
class Progress:
    """The progress of a volunteer.

    Attributes:
        volunteer: The volunteer.
        since: When the volunteer began (UTC, in ISO 8601 format).
        done: The number of lines that the volunteer has marked.
        last: When the volunteer last marked a line, or None if the volunteer has not marked any lines.
    """

    volunteer: Volunteer
    since: str
    done: int
    last: str | None


class Votes:
    """The votes on a survey. Use `create` or `open` to make an instance.

    Args:
        path: An existing file of votes.
        survey: The survey.

    Raises:
        UserError: The file is not a file of votes, or belongs to another survey.
    """

    def __init__(self, path: Path, survey: Survey):
        self.path, self._lines = path, len(survey.lines)
        try:
            with self._connection() as connection:
                owner = connection.execute("SELECT fingerprint FROM survey").fetchone()
        except sqlite3.DatabaseError as error:
            raise UserError(f"{path}: the file is not a file of votes ({error})") from None
        if owner != (survey.fingerprint,):
            raise UserError(f"{path}: the file contains the votes on another survey; choose another file with --votes")

    @classmethod
    def create(cls, path: str | os.PathLike, survey: Survey) -> "Votes":
        """Open a file of votes, creating it if it does not exist.

        Raises:
            UserError: The file is not a file of votes, it belongs to another survey, or its folder does not exist.
        """
        path = Path(path)
        if not path.exists():
            if not path.parent.is_dir():
                raise UserError(f"{path}: its folder does not exist")
            belongs = f"INSERT INTO survey VALUES ('{survey.fingerprint}');"
            with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")  # readers and one writer do not wait for each other
                connection.executescript(f"BEGIN; {_SCHEMA} {belongs} COMMIT;")
        return cls(path, survey)

    @classmethod
    def open(cls, path: str | os.PathLike, survey: Survey) -> "Votes":
        """Open a file of votes.

        Raises:
            UserError: The file does not exist, is not a file of votes, or belongs to another survey.
        """
        if not Path(path).is_file():
            raise UserError(f"{path}: no such file of votes")
        return cls(Path(path), survey)

    def enrol(self, name: str) -> str:
        """Add a volunteer, and return the secret token for the volunteer's personal link."""
        token = secrets.token_urlsafe(16)
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO volunteers (token, name, since) VALUES (?, ?, ?)", [token, _tidy(name), _now()]
            )
        return token

    def volunteer(self, token: str) -> Volunteer | None:
        """Return the volunteer with a given token, or None if the token is unknown."""
        with self._connection() as connection:
            row = connection.execute("SELECT id, name FROM volunteers WHERE token = ?", [token]).fetchone()
        return Volunteer(*row) if row else None

    def record(self, volunteer: Volunteer, choices: Mapping[int, int]) -> None:
        """Store a volunteer's votes, given by line number. A new vote on a line replaces the old one.

        Raises:
            ValueError: A line does not exist, or a vote is invalid. Nothing is stored in this case.
        """
        self._check(choices)
        with self._connection() as connection:
            _insert(connection, volunteer.id, choices)

    def of(self, volunteer: Volunteer) -> dict[int, int]:
        """Return the votes of a volunteer by line number."""
        with self._connection() as connection:
            return dict(connection.execute("SELECT line, choice FROM votes WHERE volunteer = ?", [volunteer.id]))

    def progress(self) -> list[Progress]:
        """Return the progress of all volunteers, in the order in which they began."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT id, name, since, COUNT(line), MAX(at) FROM volunteers LEFT JOIN votes ON volunteer = id"
                " GROUP BY id ORDER BY id"
            ).fetchall()
        return [Progress(Volunteer(number, name), *rest) for number, name, *rest in rows]

    def replace_imported(self, name: str, choices: Mapping[int, int]) -> None:
        """Store the votes from a form, replacing those from an earlier form with the same name.

        Raises:
            ValueError: A line does not exist, or a vote is invalid. Nothing is stored in this case.
        """
        self._check(choices)
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO volunteers (token, name, since, imported_from) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (imported_from) DO NOTHING",
                [secrets.token_urlsafe(16), _tidy(name), _now(), name],
            )
            [volunteer] = connection.execute("SELECT id FROM volunteers WHERE imported_from = ?", [name]).fetchone()
            connection.execute("DELETE FROM votes WHERE volunteer = ?", [volunteer])
            _insert(connection, volunteer, choices)

    def ballots(self) -> np.ndarray:
        """Return all votes as an array.

        Returns:
            A float64 array of shape (volunteers, lines) with the values 0, 1 and NO_DIFFERENCE, and NaN for lines
            without a vote. Volunteers who have not voted are left out.

        Raises:
            UserError: The file is damaged.
        """
        try:
            with self._connection() as connection:
                rows = connection.execute("SELECT volunteer, line, choice FROM votes").fetchall()
            for _, line, choice in rows:
                self._check({line: choice})
        except (sqlite3.DatabaseError, ValueError) as error:
            raise UserError(f"{self.path}: the file is damaged ({error})") from None
        places = {volunteer: i for i, volunteer in enumerate(sorted({row[0] for row in rows}))}
        ballots = np.full((len(places), self._lines), np.nan)
        for volunteer, line, choice in rows:
            ballots[places[volunteer], line] = choice
        return ballots

    def _check(self, choices: Mapping[int, int]) -> None:
        for line, choice in choices.items():
            if line not in range(self._lines) or choice not in (0, 1, NO_DIFFERENCE):
                raise ValueError(f"the vote {choice} on line {line} is invalid")

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that is committed if the block succeeds, and rolled back if it fails."""
        with contextlib.closing(sqlite3.connect(self.path, timeout=PATIENCE)) as connection, connection:
            yield connection


def _insert(connection: sqlite3.Connection, volunteer: int, choices: Mapping[int, int]) -> None:
    connection.executemany(
        "INSERT INTO votes VALUES (?, ?, ?, ?)"
        " ON CONFLICT (volunteer, line) DO UPDATE SET choice = excluded.choice, at = excluded.at",
        [(volunteer, line, choice, _now()) for line, choice in choices.items()],
    )


def _tidy(name: str) -> str:
    """Return a name without line breaks and control characters, cut to LONGEST_NAME characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[:LONGEST_NAME]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
