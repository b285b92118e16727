import pytest

from gail_tf.data.spelling import as_written
from keras_gca.data.conversations import read_conversations


@pytest.mark.parametrize(
    ("tokenised", "written"),
    [
        ("Say , Jim , how about it ?", "Say, Jim, how about it?"),
        ("I don ’ t know ; you ’ Ve got me !", "I don't know; you've got me!"),
        ("It's ten o ’ clock , ma ’ am .", "It's ten o'clock, ma'am."),
        ("Until 6 p . m . ?", "Until 6 p.m.?"),
        ("I know ... Well , who ? !", "I know... Well, who?!"),
        ("All right.Let's go.I will ask Mr.Eakins .", "All right. Let's go. I will ask Mr. Eakins."),
        ('He said " no way " , twice .', 'He said "no way", twice.'),
        ("It's $ 16.00 for a 2 - year loan at 5.29 %", "It's $16.00 for a 2-year loan at 5.29%"),
        ("( She laughs . ) Here : my parents ' home .", "(She laughs.) Here: my parents' home."),
        ("“Fine。” he said", '"Fine. " he said'),
        ("my answer is ' yes ' .", "my answer is ' yes '."),
        ("It says ' no entry ' and is red .", "It says ' no entry ' and is red."),
        ("my parents ' home and my friends ' house .", "my parents' home and my friends' house."),
        ("He doesn ' t know . I said ' I don ' t ' .", "He doesn't know. I said ' I don't '."),
        ("at 6 P . M . or six P . M . today", "at 6 P.M. or six P.M. today"),
        ("( It is at 5 a . m ; or thirty P . m . )", "(It is at 5 a.m.; or thirty P.m.)"),
        ("Call 367 - 1314 , a 90 - Day offer .", "Call 367-1314, a 90-Day offer."),
    ],
)
def test_tokenised_spacing_is_undone(tokenised, written):
    assert as_written(tokenised) == written


@pytest.mark.parametrize(
    "text",
    [
        "I LOVE it, and Tom's dog does too!",
        "It was :( and then :) again, you know ;) and :/ too",
        '"Yes" and "no", or "maybe".',
        "A .5 share of 1,000 at 7:30 a.m. - fine (really).",
        "e.g. the U.S.A. or Ph.D. students",
        "He said 'd' and 't'",
        "Visit P. M. Smith",
        "Can I have a. M&M's",
        "Costs 5 $ or 3 €",
        "Costs 5 $ 3 times",
        "www.Google.Com",
        "Write to Tom.Hill@Mail.Com, or see https://x.org/A.Html and Google.Com!",
        "5 - 3 = 2",
        "9 - 3 - 4 = 2",
        "",
    ],
)
def test_text_as_people_write_it_stays(text):
    assert as_written(text) == text


def test_white_space_and_typographic_quotes():
    assert as_written("\u2018Hi\u2019\xa0 \t there\u2026 \n") == "'Hi' there\u2026"


@pytest.mark.parametrize("name", ["dailydialog/dialogues_validation.txt", "empatheticdialogues/valid.csv"])
def test_on_real_text_a_second_pass_changes_nothing_and_no_word_is_lost(shared_file, name):
    for conversation in read_conversations(shared_file(f"data/{name}")):
        for utterance in conversation.utterances:
            written = as_written(utterance)
            assert as_written(written) == written
            letters = [character.lower() for character in utterance if character.isalnum()]
            assert [character.lower() for character in written if character.isalnum()] == letters
