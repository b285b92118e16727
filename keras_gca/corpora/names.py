"""The names of columns, JSON keys and tags for questions, answers, utterances, conversations and speakers."""

import re
from collections.abc import Iterable, Sequence

# fmt: off
QUESTIONS = (
    "question", "questions", "q", "input", "prompt", "query", "instruction", "message_1", "utterance_1", "text_1",
    "source", "src", "statement", "request", "post", "pattern", "human", "user", "context", "stimulus", "question_text",
)
ANSWERS = (
    "answer", "answers", "a", "response", "responses", "reply", "output", "completion", "message_2", "utterance_2",
    "text_2", "target", "tgt", "bot", "assistant", "answer_text",
)
TEXTS = (
    "text", "utterance", "message", "content", "line", "sentence", "value", "body", "msg", "turn_text", "clean_text",
)
CONVERSATIONS = (
    "conversation", "conversation_id", "conversationid", "conv_id", "convo_id", "conv", "dialogue_id", "dialogueid",
    "dialog_id", "dialogid", "dialogue", "dialog", "thread_id", "thread", "session_id", "session", "chat_id",
    "episode_id", "episode", "scene_id", "conversation_no", "dialogue_no",
)
TURNS = (
    "turn", "turn_id", "turn_no", "turn_number", "turn_idx", "turn_index", "utterance_idx", "utterance_id",
    "utterance_no", "utterance_number", "utterance_index", "position", "message_number", "line_no", "line_number",
)
SPEAKERS = (
    "speaker", "speaker_id", "speaker_idx", "role", "from", "user", "user_id", "author", "name", "sender", "person",
    "character", "agent", "participant",
)
LISTS = (
    "utterances", "dialogue", "dialog", "conversation", "conversations", "messages", "turns", "log", "content", "lines",
)
# fmt: on


def key_of(name: str) -> str:
    """Normalise the name of a column, key or tag to the form used in this module: "Turn No." -> turn_no."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", name.strip())  # conversationId
    return re.sub(r"[^0-9a-z]+", "_", name.casefold()).strip("_")


def find(names: Sequence[str], wanted: Iterable[str]) -> str | None:
    """Return the first name in `wanted` that occurs in `names`, spelled as in `names`, or None."""
    written = {key_of(name): name for name in reversed(names)}
    return next((written[name] for name in wanted if name in written), None)


def pair_columns(names: Sequence[str]) -> tuple[str, str] | None:
    """Return the names of the question and answer columns, or None if either is missing."""
    question, answer = find(names, QUESTIONS), find(names, ANSWERS)
    return None if question is None or answer is None else (question, answer)


def turn_columns(names: Sequence[str]) -> tuple[str, str] | None:
    """Return the names of the conversation and utterance columns, or None if either is missing."""
    conversation, text = find(names, CONVERSATIONS), find(names, TEXTS)
    return None if conversation is None or text is None or conversation == text else (conversation, text)
