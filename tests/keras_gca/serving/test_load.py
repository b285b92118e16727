"""A short test of the web pages under load. `python -m tests.stress.load` is the long version."""

import re
import time

import pytest

from keras_gca.agent import Decoding
from keras_gca.serving.shared_batches import SharedBatches
from keras_gca.serving.web import create_app
from keras_gca.survey import server
from keras_gca.survey.votes import Votes
from tests.factories.surveys import make_survey
from tests.stress.load import Load, lost_votes, problems


class Slow:
    """An agent that answers slowly, so that several people wait at the same time."""

    def __init__(self, agent):
        self.agent = agent

    def __getattr__(self, name):
        return getattr(self.agent, name)

    def answers_to_all(self, *arguments):
        time.sleep(0.05)
        return self.agent.answers_to_all(*arguments)


@pytest.mark.thorough
def test_people_chat_and_vote_beside_slow_and_nasty_clients(agent, serve, tmp_path):
    """There are no errors and no lost votes, batches are shared, floods are refused, and nobody is blocked."""
    questions = make_survey([(0.4, 0.6)] * 40, dialogues=4)
    votes = Votes.create(tmp_path / "votes.sqlite", questions)
    batches = SharedBatches(Slow(agent), Decoding())
    batches.warm_up().result()
    chat = serve(create_app(batches, "bot", messages_per_minute=15))
    form = serve(server.create_app(questions, votes, marks_per_minute=30))
    tally = Load(chat, form, questions, pace=0.5).run(chats=5, volunteers=3, seconds=12)
    assert problems(tally, 1) == []
    assert lost_votes(tally, votes.path) == []
    assert re.search(r" ([2-9]|\d\d) at most$", batches.summary)
