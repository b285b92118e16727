import collections
import random
import subprocess
import sys

import pytest

from gail_tf.data.trajectories import (
    Trajectory,
    conversation_trajectories,
    count_trajectories,
    read_trajectories,
    read_tweets,
    split,
)
from keras_gca.data.conversations import Conversation, read_conversations
from keras_gca.errors import UserError
from tests.factories.trajectories import made_up

FIVE = Conversation(("a", "b", "c", "d", "e"), "sad")


def test_disjoint_turns_follow_the_papers_text():
    assert conversation_trajectories(FIVE, source="empathetic", number=7) == [
        Trajectory((), "a", "b", "sad", "empathetic", 7, 1),
        Trajectory(("a", "b"), "c", "d", "sad", "empathetic", 7, 2),
    ]


def test_staggered_turns_answer_every_utterance():
    assert conversation_trajectories(FIVE, "staggered") == [
        Trajectory((), "a", "b", "sad", turn=1),
        Trajectory(("a",), "b", "c", "sad", turn=2),
        Trajectory(("a", "b"), "c", "d", "sad", turn=3),
        Trajectory(("a", "b", "c"), "d", "e", "sad", turn=4),
    ]


def test_the_emotion_is_the_prompts_own_where_utterances_have_labels():
    conversation = Conversation(("a", "b", "c"), emotions=("fear", None, "anger"))
    assert [each.emotion for each in conversation_trajectories(conversation, "staggered")] == ["fear", None]


@pytest.mark.parametrize(("length", "disjoint", "staggered"), [(0, 0, 0), (1, 0, 0), (2, 1, 1), (3, 1, 2), (8, 4, 7)])
def test_counts_are_those_of_the_trajectories_made(length, disjoint, staggered):
    conversation = Conversation(("x",) * length)
    for turns, count in (("disjoint", disjoint), ("staggered", staggered)):
        assert count_trajectories([conversation], turns) == count
        assert len(conversation_trajectories(conversation, turns)) == count


def test_an_unknown_convention_of_turns():
    for function in (conversation_trajectories, lambda conversation, turns: count_trajectories([conversation], turns)):
        with pytest.raises(UserError, match="turns is 'overlapping'; choose from disjoint, staggered"):
            function(FIVE, "overlapping")


def test_corpora_of_several_formats_and_tweets_are_read_together(tmp_path):
    (tmp_path / "d.txt").write_text("Hi , Tom . __eou__ Don ’ t ! __eou__\nA . __eou__ B . __eou__ C . __eou__\n")
    (tmp_path / "e.csv").write_text(
        "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags\n"
        "hit:1_conv:2,1,proud,I won,0,I won_comma_ Mum!,,\nhit:1_conv:2,2,proud,I won,1,Well done.,,\n"
    )
    (tmp_path / "t.txt").write_text("Be kind.\n\nRest a little.\n")
    assert read_trajectories([tmp_path / "d.txt", tmp_path / "e.csv"], [tmp_path / "t.txt"]) == [
        Trajectory((), "Hi, Tom.", "Don't!", None, "dailydialog", 0, 1),
        Trajectory((), "A.", "B.", None, "dailydialog", 1, 1),
        Trajectory((), "I won, Mum!", "Well done.", "proud", "empathetic", 2, 1),
        Trajectory((), "Be kind.", "Be kind.", None, "tweets", 3, 1),
        Trajectory((), "Rest a little.", "Rest a little.", None, "tweets", 4, 1),
    ]


# Tweets


def test_tweets_from_csv_lose_links_and_entities_and_are_passed_over_when_nothing_is_left(tmp_path):
    file = tmp_path / "tweets.csv"
    file.write_text(
        'tweet_id,text,mentions\n1,"Joy &amp; peace,\n every day. http://t.co/x1",[]\n'
        "2,https://t.co/y,[]\n3,Smile’s it,[]\n"
    )
    assert read_tweets(file) == ["Joy & peace, every day.", "Smile's it"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "t.tsv",
            'id\ttext\tlikes\n1\tJoy &amp; "peace", all. http://t.co/x1\t3\n2\thttps://t.co/y\t0\n3\tSmile.\t1\n',
        ),
        ("t.TSV", 'text\n"Joy &amp; ""peace"", all."\nSmile.\n'),
        (
            "t.jsonl",
            '{"id": 1, "text": "Joy &amp; \\"peace\\", all.\\n"}\n\n{"text": "https://t.co/y"}\n{"text": "Smile."}\n',
        ),
        ("t.ndjson", '{"text": "Joy & \\"peace\\", all."}\n{"text": "Smile."}\n'),
    ],
)
def test_tweets_from_other_tables_and_json_lines(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert read_tweets(tmp_path / name) == ['Joy & "peace", all.', "Smile."]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "t.tsv",
            b"id\ttweet\n1\tHello\n",
            r"t\.tsv:1: the first line has no column `text`; its columns are id, tweet",
        ),
        ("t.tsv", b"id\ttext\n1\tHello\n2\n", r"t\.tsv:3: 1 field; 2 are expected, as on the first line"),
        ("t.jsonl", b'{"text": "Hi."}\nHello\n', r"t\.jsonl:2: the line is not JSON \(.*an object such as .* expected"),
        ("t.jsonl", b'{"tweet": "Hi."}\n', r"t\.jsonl:1: the line has no text; an object such as .* is expected"),
        ("t.jsonl", b'["Hi."]\n', r"t\.jsonl:1: the line has no text; an object such as .* is expected"),
        ("t.json", b'[{"text": "Hi."}]', r"t\.json: a file of one JSON value cannot be read as tweets; a table"),
        ("t.csv", b"id,tweet\n1,Hello\n", r"t\.csv:1: the first line has no column `text`"),
        ("t.csv", b"id,text\n1,Hello\n2\n", r"t\.csv:3: 1 field; 2 are expected, as on the first line"),
        (
            "t.csv",
            b'id,text\n1,"Hello\n2,x',
            r"t\.csv:2: not CSV \(a field begins with a quotation mark that is never closed\)",
        ),
        ("t.csv", b"id,text\n", "t.csv: the file contains no tweet"),
        ("t.csv", b"", r"t\.csv:1: the first line has no column"),
        ("t.txt", b"\n \n", "t.txt: the file contains no tweet"),
        ("t.txt", b"fine\n\xff\xfe\n", r"t\.txt:2: the line is not UTF-8"),
    ],
)
def test_bad_tweets_give_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_tweets(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_missing_tweets(tmp_path):
    with pytest.raises(UserError, match=r"none\.txt: cannot be read \(No such file"):
        read_tweets(tmp_path / "none.txt")


# The split


def parts(divided):
    return {"train": divided.train, "test": divided.test, "validation": divided.validation}


def test_the_split_is_70_20_10_of_the_conversations_and_keeps_everything():
    trajectories = made_up(1000)
    divided = split(trajectories, seed=3)
    assert sorted(sum(parts(divided).values(), ()), key=trajectories.index) == trajectories
    for name, share in (("train", 700), ("test", 200), ("validation", 100)):
        part = parts(divided)[name]
        assert abs(len({each.conversation for each in part}) - share) <= 3
        assert [each.conversation for each in part] == sorted(each.conversation for each in part)


def test_no_conversation_and_no_repetition_stands_in_two_parts():
    trajectories = made_up(400)
    repeated = collections.Counter((each.history, each.prompt, each.response) for each in trajectories)
    assert max(repeated.values()) > 1
    divided = parts(split(trajectories, seed=1)).values()
    conversations = [{each.conversation for each in part} for part in divided]
    contents = [{(each.history, each.prompt, each.response) for each in part} for part in divided]
    for first, second, third in (conversations, contents):
        assert len(first | second | third) == len(first) + len(second) + len(third)


def test_conversations_that_differ_in_case_and_punctuation_stay_together():
    trajectories = []
    for number in range(300):
        spoken = (f"Hello {number // 3}, you!", "Well?", "Yes") if number % 3 else (f"hello {number // 3} You", "well")
        trajectories += conversation_trajectories(Conversation(spoken), number=number)
    for part in parts(split(trajectories, seed=0)).values():
        groups = collections.Counter(number // 3 for number in {each.conversation for each in part})
        assert set(groups.values()) == {3}


def test_the_split_depends_on_the_seed_and_not_on_the_order():
    trajectories = made_up(300)
    first = {name: set(part) for name, part in parts(split(trajectories, seed=5)).items()}
    shuffled = random.Random(0).sample(trajectories, len(trajectories))
    assert {name: set(part) for name, part in parts(split(shuffled, seed=5)).items()} == first
    assert {name: set(part) for name, part in parts(split(trajectories, seed=6)).items()} != first


def test_the_split_is_the_same_in_another_process_with_other_hashes():
    program = (
        "from gail_tf.data.trajectories import split; from tests.factories.trajectories import made_up\n"
        "print([each.conversation for each in split(made_up(60), seed=2).test])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert printed == {f"{[each.conversation for each in split(made_up(60), seed=2).test]}\n"}


def test_too_few_conversations_to_divide():
    with pytest.raises(UserError, match="2 conversations are too few"):
        split(made_up(2), seed=0)
    with pytest.raises(UserError, match="0 conversations are too few"):
        split([], seed=0)


# The real corpora


@pytest.mark.parametrize(
    ("name", "disjoint", "staggered"),
    [
        ("empatheticdialogues/valid.csv", 5738, 9308),
        ("dailydialog/dialogues_validation.txt", 3851, 7069),
    ],
)
def test_counts_on_the_public_files(shared_file, name, disjoint, staggered):
    conversations = read_conversations(shared_file(f"data/{name}"))
    assert (count_trajectories(conversations), count_trajectories(conversations, "staggered")) == (disjoint, staggered)


def test_real_corpora_are_read_and_divided(shared_file):
    files = ["data/empatheticdialogues/valid.csv", "data/dailydialog/dialogues_validation.txt"]
    trajectories = read_trajectories(map(shared_file, files), [shared_file("data/tweets/DalaiLama.csv")])
    emotions = {source: {each.emotion for each in trajectories if each.source == source} for source in
                ("empathetic", "dailydialog", "tweets")}  # fmt: skip
    assert len(emotions["empathetic"]) == 32
    assert len(emotions["dailydialog"]) == 7
    assert emotions["tweets"] == {None}
    assert not any("http" in each.prompt for each in trajectories if each.source == "tweets")
    divided = split(trajectories, seed=0)
    sizes = [len({each.conversation for each in part}) for part in parts(divided).values()]
    assert [round(size / sum(sizes), 2) for size in sizes] == [0.7, 0.2, 0.1]
    contents = [{(each.history, each.prompt, each.response) for each in part} for part in parts(divided).values()]
    assert len(set.union(*contents)) == sum(map(len, contents))
