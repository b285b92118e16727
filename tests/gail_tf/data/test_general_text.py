"""The text for pretraining has no conversation in common with the second paper's embedded corpus."""

from gail_tf.config import GAILConfig
from gail_tf.data.dataset import Data
from gail_tf.data.general_text import exchanges, without_experts
from gail_tf.data.source import Source
from gail_tf.data.trajectories import Trajectory, split
from gail_tf.training import pipeline
from glove.text_files import BadLines
from keras_gca.data.conversations import Conversation, read_conversations
from keras_gca.errors import UserError


def test_exchanges_are_pairs_of_successive_utterances_without_case_and_punctuation():
    assert exchanges(("Oh, no!", "It's over.", "Yes")) == {
        (("oh", "no"), ("it", "s", "over")),
        (("it", "s", "over"), ("yes",)),
    }
    assert exchanges(("Alone.",)) == set()


def test_the_user_is_warned_of_common_conversations(tmp_path, capsys):
    general = tmp_path / "general.txt"
    general.write_text("Hello there.\nI lost my job today.\nOh no, I am sorry.\n\nIs it late?\nNo, it is not.\n")
    train, test = Trajectory((), "Hi.", "Hello."), Trajectory((), "I lost my job TODAY", "oh no. I am sorry!")
    conversations = pipeline._general(
        Source(general=[general]), GAILConfig.preset("default"), BadLines(False, UserError)
    )
    pipeline._describe(Data((train,), (test,), (), conversations), "random", [])
    assert (
        "warning: 1 of the general conversations is also in the test or validation set, whose perplexities will be too "
        "low\n" in capsys.readouterr().out
    )


def test_a_conversation_of_the_experts_is_left_out_and_others_stay():
    prompt, response = next(
        (one.prompt, one.response) for one in Source().read("disjoint")[0] if one.source != "tweets"
    )
    common = Conversation(("Good evening.", prompt.upper(), response.rstrip(".!?")))
    others = [Conversation((prompt, "Really?")), Conversation(("Hello.", response))]
    assert list(without_experts([others[0], common, others[1]])) == others


def test_no_test_conversation_is_read_in_pretraining():
    trajectories, _ = Source().read("disjoint")
    parts = split(trajectories, seed=0)
    held_out = {pair for one in (*parts.test, *parts.validation) for pair in exchanges((one.prompt, one.response))}
    general = read_conversations()
    kept = list(without_experts(general))
    assert any(not held_out.isdisjoint(exchanges(each.utterances)) for each in general)
    assert all(held_out.isdisjoint(exchanges(each.utterances)) for each in kept)
    assert 0.75 * len(general) < len(kept) < len(general)
