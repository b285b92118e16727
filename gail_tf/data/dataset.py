"""The data of a run: expert trajectories in three splits, and general conversations to pretrain on."""

import dataclasses
from collections.abc import Sequence

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Rows
from gail_tf.data.listening import Profile, training_profiles
from gail_tf.data.samples import ExpertSamples, PromptClassifier, Samples, running_text
from gail_tf.data.tokenizer import Tokenizer
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

    train: Sequence[Trajectory]
    test: tuple[Trajectory, ...]
    validation: tuple[Trajectory, ...]
    general: Sequence[tuple[str, ...]] = ()

    @property
    def training_text(self) -> list[tuple[str, ...]]:
        """The utterances of each conversation in `general` and in `train`; one tuple for each conversation."""
        # The last trajectory of each conversation, which has the longest history.
        last = {trajectory.conversation: trajectory for trajectory in self.train}
        return [*self.general, *((*longest.history, longest.prompt, longest.response) for longest in last.values())]

    def samples(self, tokenizer: Tokenizer, config: GAILConfig, emotions: PromptClassifier | None) -> ExpertSamples:
        """Encode the trajectories to learn from.

        Args:
            tokenizer: The policy's tokenizer.
            config: The settings of the run.
            emotions: RL-Seq2Seq's emotion classifier, or None for other algorithms.
        """
        profiles = None
        if config.data.listener_profile == "on":
            profiles = training_profiles([trajectory.response for trajectory in self.train], config.seed)
        return encoded(tokenizer, self.train, config, emotions, profiles)

    def running_text(self, tokenizer: Tokenizer, length: int) -> Rows | None:
        """Encode the text to pretrain on; see `samples.running_text`.

        Args:
            tokenizer: The policy's tokenizer.
            length: The maximum number of tokens in a piece.

        Returns:
            The text, or None if no network is pretrained.
        """
        return running_text(tokenizer, self.training_text, length) if self.general else None


def encoded(
    tokenizer: Tokenizer,
    trajectories: Sequence[Trajectory],
    config: GAILConfig,
    emotions: PromptClassifier | None,
    profiles: Sequence[Profile] | None = None,
) -> Samples:
    """Encode trajectories with the settings of a run; see `Samples.encode`."""
    settings = config.data
    limits = settings.condition_tokens, settings.response_tokens, settings.sentiment == "on", emotions
    return Samples.encode(tokenizer, trajectories, *limits, settings.sentiment_history == "on", profiles)
