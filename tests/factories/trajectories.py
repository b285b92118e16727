"""Trajectories of conversations that are made up."""

import random

from gail_tf.data.trajectories import conversation_trajectories
from keras_gca.data.conversations import Conversation


def made_up(count, seed=0):
    """Trajectories of `count` conversations, of which many open alike and some are wholly alike."""
    draw = random.Random(seed)
    openings = [(f"Hello {i}!", f"Yes, {i}?") for i in range(count)]
    trajectories = []
    for number in range(count):
        opening = openings[draw.randrange(number) if number and number % 5 == 0 else number]
        rest = [f"{draw.randrange(3)}" for _ in range(draw.randrange(5))]
        trajectories += conversation_trajectories(Conversation((*opening, *rest)), number=number)
    return trajectories
