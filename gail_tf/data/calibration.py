"""Questions that ask a user what kind of responses to give in a chat, one for each property of a listener profile."""

from gail_tf.data.listening import VALUES, Profile
from keras_gca.serving.calibration import Answers, Question

FILE = "listener_profile.json"  # in the run folder, unless the user names another file

_TEXTS = {
    "ask": ("When you tell me something, should I ask you about it?", ("yes, ask me", "no questions")),
    "reflect": (
        "Should I say how I think you feel?",
        ("yes, name my feelings", "no, don't name my feelings"),
    ),
    "share": ("Should I tell you about a similar experience? (I would make it up.)", ("yes, share", "no, don't")),
    "advise": ("Should I suggest what you could do?", ("yes, give advice", "no advice")),
    "console": ("Should I console or encourage you?", ("yes, console me", "no, just listen")),
    "length": ("How long should my replies be?", ("short", "medium", "long")),
    "intensity": ("How much emotion should my words express?", ("calm words", "strong words")),
}


def questions() -> tuple[Question, ...]:
    """Return the seven questions, in the order of the profile's properties."""
    return tuple(
        Question(name, text, dict(zip(VALUES[name], words, strict=True))) for name, (text, words) in _TEXTS.items()
    )


def profile_of_answers(answers: Answers) -> Profile | None:
    """Return the profile that the answers describe, or None if no question was answered."""
    return Profile(**answers) if answers else None
