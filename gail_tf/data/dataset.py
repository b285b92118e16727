"""The data of a run: expert trajectories in three splits, and general conversations for pretraining."""

import dataclasses

from gail_tf.data.trajectories import Trajectory

PARTS = ("train", "test", "validation")


@dataclasses.dataclass(frozen=True)
class Data:
    """Expert trajectories in three splits, and general conversations for pretraining.

    Attributes:
        train: Trajectories for training.
        test: Trajectories for the final evaluation.
        validation: Trajectories for evaluation during training.
        general: General conversations, each as a sequence of its utterances. Empty if no network is to be pretrained.
    """

    train: tuple[Trajectory, ...]
    test: tuple[Trajectory, ...]
    validation: tuple[Trajectory, ...]
    general: tuple[tuple[str, ...], ...] = ()

    @property
    def training_text(self) -> list[tuple[str, ...]]:
        """The conversations in `general` and `train`, each as a tuple of its utterances."""
        # The last trajectory of each conversation, which has the longest history.
        last = {trajectory.conversation: trajectory for trajectory in self.train}
        return [*self.general, *((*longest.history, longest.prompt, longest.response) for longest in last.values())]
