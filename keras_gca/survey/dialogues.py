"""Makes a survey from held-out lines of dialogue, the answers of two models, and the discriminator's scores."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glove.text_files import counted
from keras_gca.agent import Agent
from keras_gca.data.conversations import Conversation
from keras_gca.data.pairs import Pairs, frame_answers, make_pairs, without_speakers
from keras_gca.errors import UserError
from keras_gca.models import scoring
from keras_gca.models.decoding_settings import Decoding
from keras_gca.survey.questionnaire import Line, MachineAnswer, Survey

BATCH = 64  # the number of lines that are answered at a time


@dataclass(frozen=True)
class Model:
    """One of the two models to compare.

    Args:
        name: The model's name in the survey.
        agent: The agent.
        generator: One of the agent's generators.

    Raises:
        UserError: The agent does not have this generator.
    """

    name: str
    agent: Agent
    generator: str

    def __post_init__(self) -> None:
        if self.generator not in self.agent.generators:
            raise UserError(
                f"there is no generator {self.generator!r}; this bot has {', '.join(self.agent.generators)}"
            )


def held_out_lines(
    validation: Pairs, conversations: Sequence[Conversation], agent: Agent, utterances: int
) -> list[list[tuple[str, ...]]]:
    """Look up the text of held-out lines and their contexts in the corpus.

    Args:
        validation: The held-out pairs of a run, which contain word indices instead of text. All rare words share one
            index.
        conversations: The corpus of the run, as text.
        agent: The agent trained in the run.
        utterances: N_u, the number of utterances to show.

    Returns:
        For each held-out conversation, the contexts of its lines.

    Raises:
        UserError: The held-out pairs do not come from this corpus.
    """
    written = _with_words(conversations, agent)
    tokens = iter(agent.tokenise([utterance for conversation in written for utterance in conversation]))
    tokenised = [[next(tokens) for _ in conversation] for conversation in written]
    config = agent.config
    lengths = config.context_utterances, config.sentence_length
    marked = config.hierarchical or config.detects_changes
    pairs = make_pairs(tokenised, agent.vocabulary, *lengths, hierarchical=marked)
    if agent.detector is not None:
        pairs = agent.detector.shorten(pairs, config.changed(persona_size=None))
    if config.names_speakers:  # the text does not say who speaks
        words = without_speakers(validation.contexts, len(agent.vocabulary))
        validation = dataclasses.replace(validation, contexts=words)
    shown = (context for conversation in written for context in _contexts(conversation, utterances))
    by_indices = {_key(pairs, i): context for i, context in enumerate(shown)}
    lines: dict[int, list[tuple[str, ...]]] = {}
    for i, conversation in enumerate(validation.conversation.tolist()):
        context = by_indices.get(_key(validation, i))
        if context is None:
            raise UserError("the corpus has changed since then")
        lines.setdefault(conversation, []).append(context)
    return list(lines.values())


def all_lines(conversations: Sequence[Conversation], agent: Agent, utterances: int) -> list[list[tuple[str, ...]]]:
    """Return the context of every line in each conversation. All utterances except the last are lines to answer.

    Args:
        conversations: The conversations.
        agent: The agent, which tokenises the utterances.
        utterances: N_u, the number of utterances to show.
    """
    return [list(_contexts(conversation, utterances)) for conversation in _with_words(conversations, agent)]


def make_survey(
    models: tuple[Model, Model],
    lines: Sequence[Sequence[tuple[str, ...]]],
    dialogues: int,
    length: int,
    seed: int,
    source: dict[str, Any],
    decoding: Decoding,
) -> Survey:
    """Draw conversations at random, and let both models answer the lines.

    Lines that both models answer identically are left out: volunteers cannot choose between identical answers, and ties
    do not count in Tables 1 and 2 and Eq. 11. The discriminator of the first model's agent judges the answers of both
    models.

    Args:
        models: The two models.
        lines: The contexts of each conversation's lines (`held_out_lines`).
        dialogues: The number of dialogues. If conversations are short, a dialogue consists of several conversations.
        length: The number of lines in a dialogue.
        seed: The random seed for choosing conversations, sampling answers and ordering them.
        source: A description of where the lines come from.
        decoding: The settings for generating answers.

    Raises:
        UserError: There are not enough lines with different answers.
    """
    random = np.random.default_rng(seed)
    contexts = [context for i in random.permutation(len(lines)) for context in lines[i]]
    wanted, passed_over, chosen = dialogues * length, 0, []
    for context, answers in _answered(models, contexts, decoding, seed):
        if answers[0].text == answers[1].text:
            passed_over += 1
            continue
        first = int(random.integers(2))
        chosen.append(Line(context, answers, (first, 1 - first)))
        if len(chosen) == wanted:
            break
    if len(chosen) < wanted:
        lines_each = counted(length, "line")
        needed = counted(dialogues, f"dialogue of {lines_each} needs", f"dialogues of {lines_each} need")
        raise UserError(
            f"{needed} {counted(wanted, 'line')} that the models answer differently, but there are only "
            f"{len(chosen)}; use fewer --dialogues or --lines, or more text with --data"
        )
    facts = source | {"seed": seed, "lines_with_equal_answers_passed_over": passed_over}
    parts = tuple(tuple(chosen[start : start + length]) for start in range(0, wanted, length))
    return Survey((models[0].name, models[1].name), parts, facts)


def _with_words(conversations: Sequence[Conversation], agent: Agent) -> list[list[str]]:
    """Drop utterances without tokens, and then conversations with fewer than two utterances."""
    tokens = iter(agent.tokenise([text for conversation in conversations for text in conversation.utterances]))
    kept = [[text for text in conversation.utterances if next(tokens)] for conversation in conversations]
    return [utterances for utterances in kept if len(utterances) > 1]


def _contexts(utterances: Sequence[str], count: int) -> Iterator[tuple[str, ...]]:
    return (tuple(utterances[max(0, i - count) : i]) for i in range(1, len(utterances)))


def _key(pairs: Pairs, i: int) -> bytes:
    return pairs.contexts[i].tobytes() + pairs.answers[i].tobytes()


def _answered(
    models: tuple[Model, Model], contexts: Sequence[tuple[str, ...]], decoding: Decoding, seed: int
) -> Iterator[tuple[tuple[str, ...], tuple[MachineAnswer, MachineAnswer]]]:
    """Yield each context with the answers of both models, in the order of `models`."""
    judge = models[0].agent
    for start in range(0, len(contexts), BATCH):
        batch = contexts[start : start + BATCH]
        by_model = []
        for model in models:
            every = model.agent.answer_contexts(model.agent.encode_contexts(batch), decoding, seed + start)
            answers = [next(answer for answer in line if answer.generator == model.generator) for line in every]
            if model.agent is judge:
                by_model.append([MachineAnswer(answer.text, answer.human, answer.score) for answer in answers])
            else:
                by_model.append(_judged(judge, batch, [answer.text for answer in answers]))
        yield from zip(batch, zip(*by_model, strict=True), strict=True)


def _judged(judge: Agent, contexts: Sequence[tuple[str, ...]], texts: list[str]) -> list[MachineAnswer]:
    """Score another agent's answers by Eq. 9 and 10 with the discriminator and vocabulary of the judge."""
    rows = [judge.vocabulary.encode(tokens) for tokens in judge.tokenise(texts)]
    log_l = judge.judge(judge.encode_contexts(contexts), frame_answers(rows, judge.config.sentence_length))
    human, score = np.exp(scoring.log_human_probability(log_l)), np.exp(scoring.log_score(log_l))
    return [MachineAnswer(*parts) for parts in zip(texts, human.tolist(), score.tolist(), strict=True)]
