"""Makes trajectories of invented conversations."""

import random

from gail_tf.data.trajectories import conversation_trajectories
from keras_gca.data.conversations import Conversation


def made_up(count, seed=0):
    """Make the trajectories of `count` conversations. Many of them begin alike, and some are entirely equal."""
    draw = random.Random(seed)
    openings = [(f"Hello {i}!", f"Yes, {i}?") for i in range(count)]
    trajectories = []
    for number in range(count):
        opening = openings[draw.randrange(number) if number and number % 5 == 0 else number]
        rest = [f"{draw.randrange(3)}" for _ in range(draw.randrange(5))]
        trajectories += conversation_trajectories(Conversation((*opening, *rest)), number=number)
    return trajectories
