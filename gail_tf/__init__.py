"""EmpathyGAIL: a GPT-2 policy that imitates empathetic experts by GAIL and PPO (arXiv 2105.13328), in Keras.

    from gail_tf import GAILAgent, GAILConfig, Source, train_agent

    session = train_agent(GAILConfig.preset("tiny"), Source(), "runs/gail")
    print(GAILAgent.load("runs/gail").reply(["I lost my job today."]))

The names below are imported when they are first used, so that importing the package costs no TensorFlow.
"""

from typing import Any

from keras_gca import __version__ as __version__
from keras_gca.public_names import public_name

_HOMES = {
    "GAILAgent": "agent",
    "GAILConfig": "config",
    "GAILRun": "training.run_folder",
    "GAILTraining": "imitation.gail",
    "GPT2": "models.gpt2",
    "Policy": "policies.language_model_policy",
    "Replying": "agent",
    "Sampling": "policies.sampling",
    "Source": "data.source",
    "evaluate_runs": "evaluation.report",
    "make_networks": "build",
    "read_trajectories": "data.trajectories",
    "resume": "training.pipeline",
    "train_agent": "training.pipeline",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    return public_name(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
