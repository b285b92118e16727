"""Listener profiles: seven properties of a response, such as whether it asks a question or gives advice.

For training, `profile_of` computes the profile of every expert response with rules that work only for English. The
policy reads the profile as control tokens before the prompt. In a chat, it reads the user's wishes in the same form.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from gail_tf.data.sentiment import sentiment
from keras_gca.errors import UserError

YES, NO = "yes", "no"
VALUES = {
    "ask": (YES, NO),
    "reflect": (YES, NO),
    "share": (YES, NO),
    "advise": (YES, NO),
    "console": (YES, NO),
    "length": ("short", "medium", "long"),
    "intensity": ("calm", "strong"),
}
SHORT, LONG = 7, 12  # the maximum number of words in a short response, and the minimum number in a long one
STRONG = 0.5  # the minimum absolute compound score (`data/sentiment.py`) of a strong response
_SEED = 28  # combined with the run's seed, so that `training_profiles` draws random numbers of its own

_FEELING = (
    r"(?:happy|glad|proud|excit\w+|thrill\w+|reliev\w+|sad|hurt\w*|angry|upset|frustrat\w+|annoy\w+|scar\w+|afraid|"
    r"frighten\w*|terrif\w+|nervous|anxious|worr\w+|lonel\w+|hard|tough|difficult|rough|painful|heartbreak\w+|"
    r"devastat\w+|exhaust\w+|tir\w+|stress\w+|overwhelm\w+|embarrass\w+|asham\w+|guilty|jealous|disappoint\w+|awful|"
    r"terrible|horrible|wonderful|lovely|great|amazing|nice|awkward|disgust\w+|grateful|surpris\w+|shock\w+|touch\w+|"
    r"moving|sweet|fun|co[sz]y|feel\w*|miss|love|hate)"
)
# An act is recognised if one of its patterns matches. The text is in lower case, with straight apostrophes.
_PATTERNS = {
    "ask": (r"\?", r"\btell me (?:more|about|what|how)\b"),
    "reflect": (
        r"\b(?:\w+) must (?:really |all |still |surely )?(?:be|feel|have|miss|bother|hurt|annoy|worry|scare|mean)\b",
        rf"\b(?:that|this|it) (?:sounds?|seems?|looks?)(?: like)?\b(?: \w+){{0,3}}? {_FEELING}\b",
        rf"^(?:sounds?|seems?|looks?)(?: like)?\b(?: \w+){{0,3}}? {_FEELING}\b",
        r"\byou (?:sound|seem|look|feel|felt)\b",
        rf"\byou(?:'re| are| were) (?:\w+ ){{0,2}}?{_FEELING}\b",
        rf"\b(?:that|this|it)(?:'s| is| was)(?: \w+){{0,2}}? {_FEELING}(?=[.,!]| of you\b| for you\b)",
        r"\bi (?:can|could|do)? ?(?:only |really |totally |completely )?"
        r"(?:imagine|understand|hear (?:how|that|it|your)|see (?:how|that|why)|tell (?:that|how))\b",
        # "How lovely!" and "What a relief." are exclamations; "How is he?" and "What a day was it?" are questions.
        r"\bhow (?!about|are|is|was|were|did|do|does|long|many|much|often|old|come|far|will|would|can|could|ha[sd]|"
        r"have)[^?.!]+[!.]",
        r"\bwhat an? [^?.!]+[!.]",
        r"\b(?:no wonder|understandabl[ey]|anyone would|your (?:worry|fear|anger|grief|joy|feelings?))\b",
    ),
    "share": (
        r"\b(?:me too|same here|so (?:do|did|am|was|have|would) i|neither (?:do|did|am|have) i|happened to me)\b",
        r"\bi (?:also|once|used to|remember|went|had|got|did|lost|was|grew|lived|learned|made|took|felt|cried|tried|"
        r"broke|spent|met|have (?:had|been|done|lost|felt)|feel the same|always|never|still)\b",
        r"\bi(?:'ve| have) (?:\w+ )?(?:been|had|done|lost|felt|never|always)\b",
        r"\bwhen i\b",
        r"\b(?:i would|i'd|would(?: \w+){1,2} me)\b[^.!?]*\btoo\b",
        r"\bmy (?:own |best |little |old |older |younger |late )?(?:mother|mum|mom|father|dad|parents|sister|brother|"
        r"wife|husband|partner|son|daughter|kids?|children|friends?|boss|job|dog|cat|grand\w+|aunt|uncle|cousin|family|"
        r"house|car|neighbou?rs?|ex)\b",
    ),
    "advise": (
        r"(?<!did )(?<!do )\byou (?:should|could|might want|may want|ought|need to|had better|can always|have to)\b"
        r"(?! have\b)",
        r"\bwhy (?:don't|not)\b",
        r"\b(?:have|did) you (?:\w+ )?(?:tried|try|thought|considered?|think) (?:of |about )?",
        r"\b(?:how|what) about\b",
        r"\bif i were you\b",
        r"\bi(?:'d| would) (?:\w+ )?(?:suggest|recommend|advise|try|talk|ask|tell|call|go|say)\b",
        r"\bi (?:suggest|recommend|advise)\b",
        r"\b(?:maybe|perhaps) (?:you (?:can|could|should|might)|try|talk|ask|call|it would help|a)\b",
        r"(?:^|[.!?,;:] )(?:please )?(?:try|make sure|be sure|remember to|don't forget|talk to|"
        r"ask (?:him|her|them|for)|tell (?:him|her|them)|call|go (?:and|to)|"
        r"write|keep|let (?:him|her|them|yourself)|give (?:him|her|them|it|"
        r"yourself)|get (?:some|a)|go for)\b",
        r"\b(?:it )?(?:might|may|could|will|would) help\b",
    ),
    "console": (
        r"(?<!say )(?<!said )(?<!says )\bsorry\b(?! i\b)",
        r"\bcondolences?\b",
        r"\b(?:don't|do not|no need to) (?:worry|be (?:so )?(?:hard|sad|afraid)|give up|blame)\b",
        r"\bhang in there\b|\bstay strong\b|\bcheer up\b|\bchin up\b|\bgood luck\b|\bbest of luck\b",
        r"\bfingers crossed\b|\bpoor (?!idea|job)\w+",
        r"\bi(?:'ll| will)? ?(?:do |really |just |so )?(?:hope|wish|pray)\b(?! i\b)|\bhopefully\b",
        r"\b(?:you|it|things?|everything|he|she|they|all)(?:'ll| will|'s going to| is going to| are going to) (?:\w+ )?"
        r"(?:get there|be (?:\w+ )?(?:fine|ok|okay|alright|all right|better|great|good|well)|get better|get easier|"
        r"work out|pass|heal|do (?:\w+ )?(?:fine|well|great)|get through|come)\b",
        r"\b(?:here|there) for you\b|\bnot alone\b|\byou deserve\b|\btake care\b|\b(?:a )?(?:big )?hugs?\b",
        r"\b(?:not|wasn't|isn't) your fault\b|\byou did (?:everything|all|nothing wrong|what|your best)\b",
        r"\byou(?:'ve| have) got this\b|\byou can do (?:it|this)\b|\bbelieve in you\b|\bin peace\b|\btime heals\b",
        r"\b(?:it's|it is|that's|that is) (?:ok|okay|all right|alright)\b",
    ),
}
_COMPILED = {act: tuple(map(re.compile, patterns)) for act, patterns in _PATTERNS.items()}
_NOT_SHARED = re.compile(r"\bi (?:was|had) (?:so )?sorry\b")  # these words console; they do not share anything


@dataclass(frozen=True)
class Profile:
    """The properties that a response has, or that a user wants responses to have.

    None means that a property is unknown, or that the user has no preference. The first five properties are "yes" or
    "no".

    Args:
        ask: Whether the listener asks a question.
        reflect: Whether the listener names or acknowledges the speaker's feeling.
        share: Whether the listener talks about their own experience.
        advise: Whether the listener suggests something to do.
        console: Whether the listener consoles or encourages the speaker, or wishes them well.
        length: "short" (at most SHORT words), "medium", or "long" (at least LONG words).
        intensity: "calm" if the words express little emotion, or "strong" if they express much.

    Raises:
        UserError: A property has a value that is not in VALUES.

    Examples:
        >>> from gail_tf.data.listening import Profile, profile_of
        >>> profile_of("I'm so sorry. How did you find out?").ask
        'yes'
        >>> Profile(ask="no", length="short").tokens
        ('<|ask no|>', '<|length short|>')
    """

    ask: str | None = None
    reflect: str | None = None
    share: str | None = None
    advise: str | None = None
    console: str | None = None
    length: str | None = None
    intensity: str | None = None

    def __post_init__(self) -> None:
        for name, value in self.wishes.items():
            if value not in VALUES[name]:
                raise UserError(f"the property {name} is {value!r}; one of {', '.join(VALUES[name])} is expected")

    @property
    def wishes(self) -> dict[str, str]:
        """The properties that are not None, in the order of VALUES."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}

    @property
    def tokens(self) -> tuple[str, ...]:
        """The control tokens of the properties that are not None."""
        return tuple(profile_token(name, value) for name, value in self.wishes.items())


def profile_token(name: str, value: str) -> str:
    """Return a property value's control token, whose words initialise its embedding; see `build.read_pretrained`."""
    return f"<|{name} {value}|>"


PROFILE_TOKENS = tuple(profile_token(name, value) for name, values in VALUES.items() for value in values)


def profile_of(response: str) -> Profile:
    """Compute the profile of a response with rules. The profile has a value for every property.

    Args:
        response: The text of the response.
    """
    text = " ".join(response.lower().replace("’", "'").split())
    own = _NOT_SHARED.sub("_", text)
    acts = {
        act: YES if any(pattern.search(own if act == "share" else text) for pattern in patterns) else NO
        for act, patterns in _COMPILED.items()
    }
    words = len(text.split())
    length = "short" if words <= SHORT else "long" if words >= LONG else "medium"
    return Profile(**acts, length=length, intensity="strong" if abs(sentiment(response).compound) >= STRONG else "calm")


def training_profiles(responses: Sequence[str], seed: int) -> list[Profile]:
    """Compute the profiles of responses for training a policy, leaving out some properties at random.

    Users may have any number of wishes. Therefore the number of properties to keep is drawn for each response,
    uniformly between none and all, and that many random properties are kept. They are chosen only once, before training
    starts.

    Args:
        responses: The expert responses.
        seed: The run's seed.
    """
    draw = np.random.default_rng([seed, _SEED])
    names = list(VALUES)
    profiles = []
    for response in responses:
        kept = draw.permutation(names)[: draw.integers(len(names) + 1)].tolist()
        whole = profile_of(response)
        profiles.append(Profile(**{name: getattr(whole, name) for name in kept}))
    return profiles
