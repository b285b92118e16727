import numpy as np
import pytest

from gail_tf.baselines.emotion import (
    EMOTICONS,
    EmotionClassifier,
    emoticon_classes,
    emotion_agreement,
)
from gail_tf.data.samples import emotion_token
from gail_tf.data.tokenizer import Tokenizer
from keras_gca.errors import UserError
from keras_gca.storage.arrays import read_arrays, write_arrays

GLAD, SAD = ("glad", "lucky", "party"), ("sad", "lost", "alone")
VECTORS = {
    word: np.random.default_rng(i).normal(size=5).astype(np.float32)
    for i, word in enumerate([*GLAD, *SAD, "i", "am", "we", "were", "today", "ok"])
}
TEXTS = [f"{begin} {word} today" for begin in ("I am", "We were") for word in (*GLAD, *SAD)]
LABELS = [label for _ in range(2) for label in ("joyful",) * 3 + ("sad",) * 3]


def fitted(texts=TEXTS, labels=LABELS, **others):
    return EmotionClassifier.fit(texts, labels, **{"vectors": VECTORS, "epochs": 60, "learning_rate": 1e-2} | others)


@pytest.fixture(scope="module")
def classifier():
    return fitted()


def test_it_learns_what_words_tell(classifier):
    assert classifier.labels == ("joyful", "sad")
    assert classifier.accuracy(TEXTS, LABELS) == 1
    assert classifier.classify(["I was so alone.", "what a PARTY!"]) == ["sad", "joyful"]
    probabilities = classifier.probabilities(TEXTS)
    assert (probabilities.shape, probabilities.dtype) == ((12, 2), np.float32)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)


def test_the_features_by_hand(classifier):
    means, beside = classifier._features(["Lost, alone... :( unheard-of", "ok :D <3", ""])
    np.testing.assert_allclose(means[0], (VECTORS["lost"] + VECTORS["alone"]) / 2, rtol=1e-6)
    # The letters of the emoticons ("d", "3") do not count as words.
    np.testing.assert_allclose(means[1], VECTORS["ok"], rtol=1e-6)
    assert not means[2].any()
    held = [[name for name, value in zip(EMOTICONS, row, strict=False) if value] for row in beside]
    assert held == [["sadness"], ["laughter", "love"], []]
    assert beside[0, -1] < 0 < beside[1, -1]  # VADER
    assert beside[2, -1] == 0


def test_emoticons_matter():
    """The texts have the same words. An emoticon that did not occur in training is recognised by its class."""
    faces = {"😡": "angry", ":'(": "sad", "🤢": "disgusted", "😱": "afraid"}
    texts = [f"{begin} {face}" for face in faces for begin in ("I am", "We were", "today")]
    labels = [label for label in faces.values() for _ in range(3)]
    classifier = fitted(texts, labels)
    assert classifier.accuracy(texts, labels) == 1
    assert classifier.classify(["ok 😠", "ok T_T"]) == ["angry", "sad"]  # other emoticons of the same classes


def test_which_emoticons_a_text_holds():
    def classes(text):
        return {name for name, held in zip(EMOTICONS, emoticon_classes(text), strict=True) if held}

    assert classes("great:))) 😂😂lol") == {"smile", "laughter"}
    assert classes("no >:( no") == {"anger"}  # ">:(" contains ":(", the emoticon of sadness
    assert classes("</3 and <3") == {"sadness", "love"}
    assert classes("❤️ XD") == {"love", "laughter"}
    for text in ("at 10:30", "http://a.b", "C:\\dir", "MAXD", "note:Done", "", "(a) or (b)", "x:[1]", "to:@me"):
        assert classes(text) == set(), text
    table = [emoticon for group in EMOTICONS.values() for emoticon in group]
    assert len(set(table)) == len(table)
    for name, group in EMOTICONS.items():
        for emoticon in group:
            assert classes(f"well {emoticon}") == {name}, emoticon


def test_texts_without_anything_known(classifier):
    empty, unknown = classifier.probabilities(["", "zyx wvu"])
    np.testing.assert_allclose(empty, unknown, atol=1e-6)
    assert np.isfinite(empty).all()
    assert classifier.probabilities([]).shape == (0, 2)


def test_labels_that_are_missing_or_new(classifier):
    texts, labels = [*TEXTS, "I am ok"], [*LABELS, None]
    with_none = fitted(texts, labels)
    np.testing.assert_array_equal(with_none.probabilities(TEXTS), classifier.probabilities(TEXTS))
    assert classifier.accuracy(["glad", "sad", "lost"], ["joyful", None, "jealous"]) == 0.5
    assert np.isnan(classifier.accuracy(["glad"], [None]))
    with pytest.raises(UserError, match=r"emotions: the labels are \['sad'\]; trajectories with at least two"):
        fitted(["sad", "lost"], ["sad", None])
    with pytest.raises(UserError, match="emotions: no word has a vector"):
        fitted(vectors={})


def test_vectors_are_fitted_where_none_are_given():
    classifier = fitted(vectors=None, epochs=30)
    assert set(classifier.state()[0]["words"]) == {*VECTORS} - {"ok"}
    assert classifier.accuracy(TEXTS, LABELS) == 1
    with pytest.raises(UserError, match="emotions: no two words occur together in the text"):
        fitted(["glad", "sad"], ["joyful", "sad"], vectors=None)


def test_the_same_seed_gives_the_same(classifier):
    again, other = fitted(), fitted(seed=1)
    np.testing.assert_array_equal(again.probabilities(TEXTS), classifier.probabilities(TEXTS))
    assert not np.array_equal(other.probabilities(TEXTS), classifier.probabilities(TEXTS))


def test_its_state_in_a_file(classifier, tmp_path):
    facts, arrays = classifier.state()
    write_arrays(tmp_path / "emotion.h5", {str(i): array for i, array in enumerate(arrays)}, facts)
    facts, named = read_arrays(tmp_path / "emotion.h5")
    restored = EmotionClassifier.from_state(facts, [named[str(i)] for i in range(len(named))])
    texts = [*TEXTS, "", "alone :)"]
    assert restored.labels == classifier.labels
    np.testing.assert_array_equal(restored.probabilities(texts), classifier.probabilities(texts))
    with pytest.raises(ValueError, match="there are 7 arrays; 8 are expected"):
        EmotionClassifier.from_state(facts, arrays[:-1])


def test_agreement_by_hand():
    prompts = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.4, 0.3, 0.3]], np.float32)
    responses = np.array([[0.5, 0.25, 0.25], [0.9, 0.1, 0.0], [0.2, 0.7, 0.1]], np.float32)
    agreement = emotion_agreement(prompts, responses)
    assert agreement.dtype == np.float32
    np.testing.assert_allclose(agreement, [0.5, 0.0, 0.2])
    with pytest.raises(ValueError, match=r"shapes \(3, 3\) and \(2, 3\) differ"):
        emotion_agreement(prompts, responses[:2])


def test_a_label_as_a_control_token():
    assert emotion_token("sad") == "<|emotion:sad|>"
    tokenizer = Tokenizer.fit(TEXTS, 300, [emotion_token(label) for label in ("joyful", "sad")])
    assert tokenizer.decode([tokenizer.special(emotion_token("sad"))]) == ""
