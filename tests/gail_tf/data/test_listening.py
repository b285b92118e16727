"""The rules that compute a response's profile, compared with hand-made labels, and the profiles of a training run."""

from collections import Counter

import pytest

from gail_tf.data.listening import PROFILE_TOKENS, VALUES, Profile, profile_of, training_profiles
from keras_gca.errors import UserError

ACTS = {"a": "ask", "r": "reflect", "s": "share", "d": "advise", "c": "console"}

# Responses of the embedded corpus. A reader has noted what each does, by the letters of ACTS, before the rules were
# applied to them.
LABELLED = (
    ("That must have been hard. Did you move to a flat?", "ar"),
    ("That sounds so cosy. How long have you been married?", "ar"),
    ("Oh no, what a pity! What did she say?", "ar"),
    ("I think that he'd have liked that. Which one was his favourite?", "a"),
    ("How funny! Tastes do change.", "r"),
    ("I'm so sorry, that must be very hard. What do you tell her?", "arc"),
    ("She stopped for coffee while you were standing out there?", "a"),
    ("Oh no, poor you! Did everyone laugh?", "ac"),
    ("How annoying! Is it children?", "ar"),
    ("How lovely! She's starting to trust you.", "r"),
    ("Well done! That makes cooking easier.", ""),
    ("How awful, I'm so sorry. When did you find out?", "arc"),
    ("Wow, well done to her! Is the man all right?", "a"),
    ("How nice! What will you make with them?", "ar"),
    ("I'd be so angry! Did he at least apologise?", "ar"),
    ("Congratulations! I hope many people read it.", "c"),
    ("Oh, what a pity! Did anyone else take pictures?", "ar"),
    ("Moss on roofs? Now I want to hear it as well.", "a"),
    ("That's so sweet. How old is he now?", "ar"),
    ("I'm sorry, that sounds lonely. I hope you have company soon.", "rc"),
    ("I'm sorry, that must be painful. How are you managing?", "arc"),
    ("Oh dear! I hope the driver laughed.", "c"),
    ("Oh, thank goodness! You must both be so relieved.", "r"),
    ("Well done, that's one safe house! How old is the baby?", "a"),
    ("I'm not sure if I want to know the rest.", ""),
    ("That's beautiful. I'm sure half of the hall was in tears.", "r"),
    ("That was smart. I'm glad it flew away.", ""),
    ("It was your story and your spot on the bed. Anyone would feel that.", "r"),
    ("You don't have to be sure in order to hope. How does Tom feel?", "ac"),
    ("Trumpets! Can either of you play?", "a"),
    ("So you lost the credit and had to smile about it as well. Does anyone on the team know whose work it was?", "ar"),
    ("That is so hard. I hope you heal well.", "rc"),
    ("You'll know soon enough. Call me when she's here, no matter how late it is.", "c"),
    ("Ask him tonight, while the credits roll.", "d"),
    ("He will have so much to tell you!", ""),
    ("I understand why. You gave that boy something to speak for.", "r"),
    ("Stay as long as you like. Is anybody with you?", "a"),
    ("I understand. I hope you celebrate together soon.", "rc"),
    ("Then you're in the best company. Enjoy your afternoon.", ""),
    ("Typical. I bet nobody's getting off your sofa today.", ""),
    (
        "I did the same with my uncle. When I finally went he called me by my father's name, and we had a lovely "
        "afternoon anyway.",
        "s",
    ),
    ("And now you can't hear that piece any other way, I suppose.", "r"),
    ("How wonderful. I wish you all the best!", "rc"),
    ("What a good heart you have.", ""),
    ("How interesting! Maybe he will play with you.", "r"),
    ("I understand. I'm sure she would forgive you.", "rc"),
    ("That makes sense after such a night. I'd be listening for it as well.", "r"),
    ("Now it simply has to work. Where can I buy some of that cake?", ""),
    ("You didn't deserve that. I'm here for you.", "c"),
    ("I wish I could bring that sound back for you. Do they know how much it hurts?", "ac"),
)

RESPONSES = {
    "Why did she leave?": "a",
    "Tell me more about him.": "a",
    "That must have been frightening.": "r",
    "You sound exhausted.": "r",
    "How awful!": "r",
    "What a relief.": "r",
    "I can imagine.": "r",
    "The same thing happened to me.": "s",
    "Me too.": "s",
    "When I lost my job I slept all day.": "s",
    "My sister went there.": "s",
    "You should see a doctor.": "d",
    "Why don't you call her?": "ad",
    "If I were you I'd call.": "d",
    "Try to sleep.": "d",
    "Don't worry, it will be fine.": "c",
    "I\u2019m so sorry.": "c",
    "Good luck!": "c",
    "You are not alone.": "c",
    "The train leaves at ten.": "",
    "How is he?": "a",
    "Did you say sorry to her?": "a",
}


def acts(text):
    profile = profile_of(text)
    return "".join(letter for letter, name in ACTS.items() if getattr(profile, name) == "yes")


@pytest.mark.parametrize("text", RESPONSES)
def test_acts(text):
    assert acts(text) == RESPONSES[text]


def test_the_rules_agree_with_a_reader():
    right = {letter: sum((letter in acts(text)) == (letter in label) for text, label in LABELLED) for letter in ACTS}
    assert len(LABELLED) == 50
    assert right == {"a": 49, "r": 42, "s": 50, "d": 49, "c": 46}  # docs/systems.md has these numbers


def test_length_and_intensity():
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    lengths = [profile_of(" ".join(words[:n])).length for n in (7, 8, 11, 12)]
    assert lengths == ["short", "medium", "medium", "long"]
    assert profile_of("The train leaves at ten.").intensity == "calm"
    assert profile_of("That is absolutely wonderful, I love it!").intensity == "strong"
    assert profile_of("That is terrible, horrible, awful.").intensity == "strong"


def test_the_tokens_of_a_profile_are_in_one_order():
    assert Profile(length="long", ask="no").tokens == ("<|ask no|>", "<|length long|>")
    assert Profile().tokens == ()
    assert len(PROFILE_TOKENS) == len(set(PROFILE_TOKENS)) == 15
    assert set(profile_of("Hello.").tokens) <= set(PROFILE_TOKENS)


def test_an_impossible_value_is_named():
    with pytest.raises(UserError, match=r"^the property ask is 'maybe'; one of yes, no is expected$"):
        Profile(ask="maybe")


def test_a_training_leaves_out_some_properties_and_changes_none():
    responses = [text for text, _ in LABELLED] * 40
    profiles = training_profiles(responses, seed=3)
    assert profiles == training_profiles(responses, seed=3)
    assert profiles != training_profiles(responses, seed=4)
    for text, profile in zip(responses, profiles, strict=True):
        assert profile.wishes.items() <= profile_of(text).wishes.items()
    # The number of kept properties is uniform on 0 to 7: each has 250 of 2,000, with a standard deviation of 15.
    sizes = Counter(len(profile.wishes) for profile in profiles)
    assert sorted(sizes) == list(range(8))
    assert max(abs(count - 250) for count in sizes.values()) < 60
    # Each property is kept in half of the profiles: 1,000, with a standard deviation of 22.
    kept = Counter(name for profile in profiles for name in profile.wishes)
    assert max(abs(kept[name] - 1000) for name in VALUES) < 90
