"""`Replying`, the settings of nucleus sampling in a chat."""

from dataclasses import dataclass

from gail_tf.data.listening import Profile
from keras_gca.errors import UserError
from keras_gca.settings import check_sampling


@dataclass(frozen=True)
class Replying:
    """The settings for replies. Each policy draws responses by nucleus sampling; the discriminator ranks the responses.

    Args:
        temperature: The sampling temperature, from 0.01 to 100, or 0 to always take the most likely token.
        top_p: Tokens are drawn from the nucleus, the smallest set of most likely tokens whose total probability reaches
            this value.
        candidates: The number of responses that each policy draws.
        profile: The properties that the user wants responses to have, or None. A profile requires a bot trained with
            `--listener-profile on`.

    Raises:
        UserError: A value is out of range.

    Examples:
        >>> from gail_tf import Replying
        >>> Replying(candidates=4)
        Replying(temperature=0.9, top_p=0.9, candidates=4, profile=None)
    """

    temperature: float = 0.9
    top_p: float = 0.9
    candidates: int = 1
    profile: Profile | None = None

    def __post_init__(self) -> None:
        check_sampling(self.temperature, self.top_p, greedy=True)
        if self.candidates < 1:
            raise UserError(f"--candidates: {self.candidates}; at least 1 is expected")


USUAL = Replying()
