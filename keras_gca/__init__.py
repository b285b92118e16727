"""Generative conversational agents with end-to-end adversarial training (Ludwig 2017, arXiv 1711.10122), in Keras.

    from keras_gca import Agent, Config, Source, train_agent

    session = train_agent(Config.preset("tiny"), Source(), "runs/first")
    print(Agent.load("runs/first").reply(["Hello!"]))

The names below are imported when they are first used, so that importing the package costs no TensorFlow.
"""

from typing import Any

from keras_gca.public_names import public_name

__version__ = "0.1.0"

_HOMES = {
    "Agent": "agent",
    "Config": "config",
    "Decoding": "agent",
    "GCARun": "training.run_folder",
    "GenerativeConversationalAgent": "models.networks",
    "Source": "data.source",
    "UserError": "errors",
    "evaluate_run": "evaluation.replies",
    "read_conversations": "data.conversations",
    "resume": "training.pipeline",
    "start_from": "training.pipeline",
    "train_agent": "training.pipeline",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    return public_name(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
