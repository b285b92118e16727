"""What a run of the second paper learns from."""

import dataclasses

from gail_tf.data.trajectories import Trajectory

PARTS = ("train", "test", "validation")


@dataclasses.dataclass(frozen=True)
class Data:
    """What a run learns from: the parts of the expert trajectories, and general conversations to pretrain on.

    general: utterances of each conversation; empty for a GPT-2 that is pretrained already.
    """

    train: tuple[Trajectory, ...]
    test: tuple[Trajectory, ...]
    validation: tuple[Trajectory, ...]
    general: tuple[tuple[str, ...], ...] = ()

    @property
    def training_text(self) -> list[tuple[str, ...]]:
        """The utterances of each conversation that may be learned from: general ones, and those of `train`."""
        last = {trajectory.conversation: trajectory for trajectory in self.train}  # the longest history of each
        return [*self.general, *((*longest.history, longest.prompt, longest.response) for longest in last.values())]
