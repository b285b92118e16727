"""The data of a run: expert trajectories in three splits, and general conversations to pretrain on."""

import dataclasses

from gail_tf.data.trajectories import Trajectory

PARTS = ("train", "test", "validation")


@dataclasses.dataclass(frozen=True)
class Data:
    """The expert trajectories of a run in three splits, and general conversations to pretrain on.

    Attributes:
        train: Trajectories to learn from.
        test: Trajectories to evaluate on.
        validation: Trajectories to evaluate on during training.
        general: The utterances of each general conversation. It is empty if no network is pretrained on them.
    """

    train: tuple[Trajectory, ...]
    test: tuple[Trajectory, ...]
    validation: tuple[Trajectory, ...]
    general: tuple[tuple[str, ...], ...] = ()

    @property
    def training_text(self) -> list[tuple[str, ...]]:
        """The utterances of each conversation in `general` and in `train`; one tuple for each conversation."""
        # The last trajectory of each conversation, which has the longest history.
        last = {trajectory.conversation: trajectory for trajectory in self.train}
        return [*self.general, *((*longest.history, longest.prompt, longest.response) for longest in last.values())]
