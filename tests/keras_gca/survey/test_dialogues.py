import shutil

import numpy as np
import pytest

from keras_gca.agent import Agent, Decoding
from keras_gca.config import Config
from keras_gca.data.conversations import Conversation, read_conversations
from keras_gca.data.dataset import prepare
from keras_gca.data.pairs import frame_answers, pad_contexts
from keras_gca.data.source import EMBEDDED
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.models import scoring
from keras_gca.models.networks import GREEN, WHITE, YELLOW, build
from keras_gca.survey import __main__ as survey_command
from keras_gca.survey.dialogues import Model, all_lines, held_out_lines, make_survey
from keras_gca.survey.questionnaire import Survey
from keras_gca.training.run_folder import GCARun

WORDS = ["hello", "there", "i", "'m", "fine", ".", "?", "tom", "how", "are", "you", ","]
SIZES = {"sentence_length": 8, "word_embedding_size": 5, "sentence_embedding_size": 6}
SIZES |= {"discriminator_sentence_embedding_size": 7}


def random_agent(seed, words=WORDS, vocabulary=None, **settings):
    """Make an agent of toy sizes with two generators of random weights."""
    config = Config.preset("tiny", **(SIZES | settings))
    vocabulary = vocabulary or Vocabulary(words, [1] * len(words))
    random = np.random.default_rng(seed)
    gca = build(config, len(vocabulary))
    shared = random.normal(size=gca.variables(*WHITE)[0].shape).astype(np.float32)

    def weights(*layers):
        return [shared, *(random.normal(0, 0.7, each.shape).astype(np.float32) for each in gca.variables(*layers))]

    generators = {name: weights(*YELLOW) for name in ("teacher_forcing", "adversarial")}
    return Agent(config, vocabulary, generators, weights(*GREEN))


@pytest.fixture(scope="module")
def agent():
    return random_agent(0)


def conversations(count, length=5):
    """Make conversations whose utterances all differ, with words that the agents do not know."""
    return [Conversation(tuple(f"Hello, how are you, N{i} {'Tom ' * j}?" for j in range(length))) for i in range(count)]


def two_of(agent):
    return tuple(Model(name, agent, name) for name in agent.generators)


def survey_of(models, lines, dialogues, length, seed=0):
    return make_survey(models, lines, dialogues, length, seed, {"data": "a test"}, Decoding())


@pytest.mark.thorough
def test_each_line_has_its_context_and_what_the_agent_says_to_it(agent):
    lines = all_lines(conversations(20), agent, 2)
    assert [len(context) for context in lines[0]] == [1, 2, 2, 2]
    survey = survey_of(two_of(agent), lines, dialogues=3, length=7)
    assert [len(dialogue) for dialogue in survey.dialogues] == [7, 7, 7]
    contexts = [context for conversation in lines for context in conversation]
    assert len({line.context for line in survey.lines}) == 21
    for line in survey.lines:
        assert line.context in contexts
        said = {answer.generator: answer for answer in agent.answers(line.context)}
        for name, answer in zip(survey.models, line.answers, strict=True):
            assert answer.text == said[name].text
            assert answer.human == pytest.approx(said[name].human, rel=1e-4)
            assert answer.score == pytest.approx(said[name].score, rel=1e-4)
        assert line.answers[0].text != line.answers[1].text


def test_which_answer_stands_first_is_drawn_and_all_repeats_with_the_seed(agent):
    lines = all_lines(conversations(40), agent, 2)
    survey = survey_of(two_of(agent), lines, 1, 60)
    first = sum(line.order == (0, 1) for line in survey.lines)
    assert 15 < first < 45
    assert survey_of(two_of(agent), lines, 1, 60) == survey
    assert survey_of(two_of(agent), lines, 1, 60, seed=1).lines[0].context != survey.lines[0].context


@pytest.mark.thorough
def test_two_agents_of_different_words_are_judged_by_the_first(agent):
    other = random_agent(1, ["tom", ".", "hello", "you", "zyzzyva"], context_utterances=1)
    models = (Model("one", agent, "adversarial"), Model("other", other, "adversarial"))
    survey = survey_of(models, all_lines(conversations(5), agent, 2), 1, 6)
    assert survey.models == ("one", "other")
    for line in survey.lines:
        [said] = [answer for answer in other.answers(line.context) if answer.generator == "adversarial"]
        assert line.answers[1].text == said.text
        context = [token for tokens in agent.tokenise(line.context) for token in tokens]
        rows = [agent.vocabulary.encode(tokens) for tokens in (context, agent.tokenise([said.text])[0])]
        log_l = agent.judge(pad_contexts(rows[:1], 8), frame_answers(rows[1:], 8))
        assert line.answers[1].score == pytest.approx(np.exp(scoring.log_score(log_l)[0]), rel=1e-4)
        assert line.answers[1].human == pytest.approx(np.exp(scoring.log_human_probability(log_l)[0]), rel=1e-4)


def test_lines_that_both_answer_alike_are_passed_over(agent):
    lines = all_lines(conversations(5), agent, 2)
    same = (Model("one", agent, "adversarial"), Model("other", agent, "adversarial"))
    with pytest.raises(
        UserError, match="2 dialogues of 3 lines need 6 lines that the models answer differently, but there are only"
    ):
        survey_of(same, lines, 2, 3)
    with pytest.raises(UserError, match="no generator 'best'; this bot has teacher_forcing, adversarial"):
        Model("one", agent, "best")


@pytest.mark.parametrize("padding", ["masked", "original"])
def test_held_out_lines_are_found_again_as_people_wrote_them(padding):
    corpus = [*conversations(30), Conversation(("***", "Alone.")), Conversation(("Hello.", "...", "-", "Hello there."))]
    settings = SIZES | {"padding": padding, "minimum_count": 2, "sentence_length": 20}
    data = prepare(corpus, Config.preset("tiny", **settings))
    agent = random_agent(0, vocabulary=data.vocabulary, padding=padding, minimum_count=2, sentence_length=20)
    found = held_out_lines(data.validation, corpus, agent, 2)
    assert sum(map(len, found)) == len(data.validation)
    raw = [set(all_lines([conversation], agent, 2)[0]) for conversation in corpus[:30]]
    for lines in found:
        assert len(lines) == 4
        assert set(lines) in raw
    changed = [Conversation((*each.utterances[:-1], "Bye.")) for each in corpus]
    with pytest.raises(UserError, match="the corpus has changed"):
        held_out_lines(data.validation, changed, agent, 2)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """Make the folder of a run on a part of the embedded corpus, with a bot of random weights."""
    settings = {"max_pairs": 400, "minimum_count": 2}
    data = prepare(read_conversations(), Config.preset("tiny", **(SIZES | settings)))
    agent = random_agent(0, vocabulary=data.vocabulary, **settings)
    run = GCARun.create(tmp_path_factory.mktemp("runs") / "run", agent.config, data, {"data": EMBEDDED})
    run.write_checkpoint({}, {})
    agent.save(run.bot)
    return run.path


@pytest.fixture
def make(tmp_path, monkeypatch, capsys):
    """A function: make(*arguments) runs `survey make`, and returns its exit status, its output and its errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        status = command_line.run(survey_command.main, "survey", ["make", *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


@pytest.mark.thorough
def test_the_command_makes_a_survey_of_what_a_run_held_out(run_folder, make):
    status, out, err = make(run_folder, "--dialogues", 2, "--lines", 6)
    assert status == 0, err
    assert out.startswith("held out of the embedded corpus; teacher_forcing and adversarial; ")
    assert "wrote survey.json: 2 dialogues, 12 lines\n" in out
    survey = Survey.read("survey.json")
    assert survey.models == ("teacher_forcing", "adversarial")
    corpus = {utterance for conversation in read_conversations() for utterance in conversation.utterances}
    assert corpus.issuperset(utterance for line in survey.lines for utterance in line.context)


@pytest.mark.thorough
def test_the_command_compares_two_bots_on_other_lines(run_folder, make, tmp_path):
    random_agent(5).save(tmp_path / "other.h5")
    (tmp_path / "lines.txt").write_text("How are you?\nI'm fine.\nWhere do you live?\n\nHello!\nHi, Tom.\nBye.\n")
    bots = [run_folder, "other.h5"]
    status, _, err = make(*bots, "--data", "lines.txt", "--dialogues", 1, "--lines", 4, "--beam", 2)
    assert status == 0, err
    survey = Survey.read("survey.json")
    assert survey.models == (f"adversarial of {run_folder}", "adversarial of other.h5")
    assert {line.context[-1] for line in survey.lines} == {"How are you?", "I'm fine.", "Hello!", "Hi, Tom."}
    assert survey.source["beam"] == 2


@pytest.mark.thorough
def test_what_the_command_cannot_do_gets_one_line(run_folder, make, tmp_path):
    random_agent(5).save(tmp_path / "other.h5")
    gone = tmp_path / "gone"
    shutil.copytree(run_folder, gone)
    config = (gone / "config.json").read_text()
    (gone / "config.json").write_text(config.replace(EMBEDDED, "gone.txt"))
    several = tmp_path / "several"
    shutil.copytree(run_folder, several)
    (several / "config.json").write_text(config.replace(f'"{EMBEDDED}"', f'["{EMBEDDED}", "gone.csv"]'))
    for arguments, message in (
        ([run_folder, "--lines", 500], "need 5,000 lines that the models answer differently, but there are only "),
        (
            [run_folder, "--models", "adversarial", "adversarial"],
            "adversarial is named twice; choose two different models",
        ),
        ([run_folder, run_folder], "is named twice; choose two different models"),
        ([run_folder, "--models", "adversarial", "best"], "no generator 'best'; this bot has teacher_forcing"),
        (
            ["other.h5"],
            "other.h5 does not contain the held-out lines; name the bot's run folder instead, or a file of dialogues",
        ),
        (
            [gone],
            "was trained on gone.txt: gone.txt: no such file or folder; name a file of dialogues with --data FILE",
        ),
        ([several], f"was trained on {EMBEDDED}, gone.csv: gone.csv: no such file or folder; name a file of dialogues"),
        (["none"], "none: no such file"),
        ([run_folder, "--data", "none.txt"], "none.txt: no such file or folder"),
    ):
        status, out, err = make(*arguments)
        assert (status, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1
    assert not (tmp_path / "survey.json").exists()
