"""Layouts: the texts and special tokens that surround the utterances of a conversation.

The texts before and after an utterance are its frames. A pretrained chat model comes with a chat template, a program
that writes the frames. This package never runs a template. It recognises known templates by their text and uses the
equivalent layouts, which this module defines as data. The user and the assistant take turns, and the last utterance
before a response is the user's. The possible values of the setting `layout` are the names in `setting_groups.LAYOUTS`.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from keras_gca.errors import UserError
from keras_gca.storage import json_files

END = "<|endoftext|>"
ROLES = ("user", "assistant")  # the roles of the utterances before a response, from the last utterance backwards
TOKENIZER_CONFIG, TEMPLATE = "tokenizer_config.json", "chat_template.jinja"
_SPECIAL = "special_tokens_map.json"  # names the token that ends a text if tokenizer_config.json does not name it
_LARGEST = 1_000_000  # the maximum size of a template file, in bytes


@dataclass(frozen=True)
class Layout:
    """The frames before and after the utterances of a conversation.

    Special tokens are spelled out in a frame, and `{role}` stands for "user" or "assistant". A space at the end of a
    frame is encoded together with the text that follows, because a byte-level BPE joins each word with the space before
    it.

    Attributes:
        name: The name of the layout, one of `setting_groups.LAYOUTS`.
        end: The special token that ends a response.
        before: The frame before an utterance or a response.
        after: The frame after an utterance.
        begin: The text before the first utterance: a beginning-of-text token or a complete system message.
        markers: The special tokens in the frames, other than `end`.
        text: How the white space in an utterance is treated. "verbatim" keeps all white space. "stripped" removes white
            space at both ends of the utterance. "line" puts the utterance on one line, with a single space in place of
            each run of white space.
    """

    name: str
    end: str
    before: str = ""
    after: str = ""
    begin: str = ""
    markers: tuple[str, ...] = ()
    text: str = "verbatim"

    @property
    def tokens(self) -> tuple[str, ...]:
        """The special tokens that a tokenizer needs for this layout, starting with `end`."""
        return (self.end, *self.markers)

    @property
    def opening(self) -> str:
        """The frame before a response, without trailing spaces, which are encoded with the response."""
        return self.before.format(role=ROLES[1]).rstrip(" ")

    @property
    def space(self) -> str:
        """The trailing spaces of `before`, which are encoded together with the text that follows."""
        return self.before[len(self.before.rstrip(" ")) :]

    def parts(self, frame: str) -> list[str]:
        """Split a frame at its special tokens.

        Returns:
            Alternating texts and special tokens. The first and the last item are texts, and a text may be empty.
        """
        return re.split(f"({'|'.join(map(re.escape, self.tokens))})", frame)

    def written(self, text: str) -> str:
        """Return an utterance after applying the white-space rule in `text`."""
        if self.text == "line":
            return " ".join(text.split())
        return text.strip() if self.text == "stripped" else text

    def ending_with(self, end: str) -> "Layout":
        """Return a copy of the layout with another token in place of `end`, also inside `after`."""
        return replace(self, end=end, after=self.after.replace(self.end, end))

    @property
    def template(self) -> str:
        """The layout as a chat template for transformers. This package itself never runs the template."""
        head, role, tail = self.before.partition("{role}")
        content = {"verbatim": "message['content']", "stripped": "(message['content'] | trim)"}.get(
            self.text, "(message['content'].split() | join(' '))"
        )
        pieces = [_quoted(head), "message['role']" if role else "", _quoted(tail), content, _quoted(self.after)]
        written = f"{{{{ {' + '.join(filter(None, pieces))} }}}}"
        begin, opening = (f"{{{{ {_quoted(text)} }}}}" if text else "" for text in (self.begin, self.opening))
        prompt = f"{{% if add_generation_prompt %}}{opening}{{% endif %}}" if opening else ""
        return f"{begin}{{% for message in messages %}}{written}{{% endfor %}}{prompt}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if text else ""


END_OF_TEXT = Layout("end_of_text", end=END, after=END)
PLAIN = Layout("plain", end=END, before="- ", after="\n", text="line")
CHATML = Layout(
    "chatml", end="<|im_end|>", before="<|im_start|>{role}\n", after="<|im_end|>\n", markers=("<|im_start|>",)
)
LLAMA3 = Layout(
    "llama3",
    end="<|eot_id|>",
    before="<|start_header_id|>{role}<|end_header_id|>\n\n",
    after="<|eot_id|>",
    begin="<|begin_of_text|>",
    markers=("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"),
    text="stripped",
)


def _with_system_message(name: str, message: str) -> Layout:
    return replace(CHATML, name=name, begin=f"<|im_start|>system\n{message}<|im_end|>\n")


# The last three layouts begin with a system message. Their models' templates insert this message if a conversation has
# no system message.
KNOWN = {
    layout.name: layout
    for layout in (
        END_OF_TEXT,
        PLAIN,
        CHATML,
        LLAMA3,
        _with_system_message("smollm2", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
        _with_system_message("qwen2", "You are a helpful assistant."),
        _with_system_message("qwen2.5", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
    )
}

# The layouts that are equivalent to other makers' templates, by the SHA-256 of a template's text after `layout_of` has
# normalised it. If a template inserts a default system message, its layout here has no system message. A policy is
# trained on conversations, so the message would only make conditions longer, and it would no longer be true ("trained
# by Hugging Face").
_TEMPLATES = {
    "5e038197c89daee5d4e03d3e0c8ac0fab5a25e2dc88f203f9c948f68889e416f": END_OF_TEXT,  # DialoGPT, BLOOM
    "153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3": CHATML,  # ChatML itself
    "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788": CHATML,  # SmolLM2
    "793202280c0910ab26bc6eb57c8212c2417324c6d8c4efd0d10d59092ab3e3eb": CHATML,  # Qwen2
    "a18cc698dd45623eb707279d08e66f7bb8d76afc89ead84016b88487b395b5cc": CHATML,  # Qwen2.5
    "b48c47f6443892716176eb200bf4ef108f64e06ca26ed0fa8ebc0a4b3992fcb2": LLAMA3,  # Llama 3, its first version
    "ba03a121d097859c7b5b9cd03af99aafe95275210d2876f642ad9929a150f122": LLAMA3,  # Llama 3
    "99799a835a31e1d33c4a9c7ee8a0de3923b291a95155ed6dc8efcbd0fe1d0238": LLAMA3,  # Llama 3.1
    "0cac23ffd2b33ff7b039e17ee143a080053318146fdc788f1d49ed4745aa8683": LLAMA3,  # Llama 3.2
}


def layout_of(template: str) -> Layout:
    """Return the layout equivalent to a chat template, without the template's default system message.

    Args:
        template: The text of the template. It is compared with known templates and never run.

    Raises:
        UserError: The template is unknown.
    """
    for layout in KNOWN.values():
        if template.strip() == layout.template:
            return layout
    # In a quoted string of a template, a line break and its escape \n mean the same, and both occur.
    text = template.strip().replace("\\n", "\n")
    known = _TEMPLATES.get(hashlib.sha256(text.encode()).hexdigest())
    if known is None:
        raise UserError(f"the chat template is unknown; choose one of {', '.join(KNOWN)} with --layout")
    return known


def read_layout(folder: str | os.PathLike, name: str = "auto") -> Layout:
    """Return the layout for a model's conversations.

    Args:
        folder: The folder with the model's tokenizer.
        name: One of `setting_groups.LAYOUTS`. "auto" chooses the layout that `Tokenizer.save` recorded or, if none is
            recorded, the layout of the model's chat template. For a model without a chat template, it chooses
            `end_of_text` if the model's end-of-text token is `<|endoftext|>`, and `plain` otherwise.

    Returns:
        The layout. With `plain`, a response ends with the model's end-of-text token.

    Raises:
        UserError: A file is damaged, or the chat template is unknown. The message names the file.
    """
    folder = Path(folder)
    config = folder / TOKENIZER_CONFIG
    values = json_files.read_object(config) if config.exists() else {}
    end = _end_of_text(folder, values)
    if name != "auto":
        layout = KNOWN[name]
        return layout.ending_with(end) if layout is PLAIN else layout
    layout = _noted(config, values) or _of_template(folder, values) or (END_OF_TEXT if end == END else PLAIN)
    return layout.ending_with(end) if layout in (END_OF_TEXT, PLAIN) else layout


def _noted(config: Path, values: dict[str, Any]) -> Layout | None:
    name = values.get("layout")
    if name is None:
        return None
    if not isinstance(name, str) or name not in KNOWN:
        raise UserError(f"{config}: the layout {name!r} is unknown; one of {', '.join(KNOWN)} is expected")
    return KNOWN[name]


def _of_template(folder: Path, values: dict[str, Any]) -> Layout | None:
    """Return the layout of a model's chat template, or None if the model has no template.

    A template file takes precedence over a template in tokenizer_config.json, as in transformers.
    """
    path, template = folder / TOKENIZER_CONFIG, values.get("chat_template")
    if isinstance(template, list):  # there are several templates, and each has a name
        named = [one for one in template if isinstance(one, dict) and one.get("name") == "default"]
        template = named[0].get("template") if named else template
    if (folder / TEMPLATE).exists():
        path = folder / TEMPLATE
        template = _read_text(path)
    if template is None:
        return None
    if not isinstance(template, str):
        raise UserError(f"{path}: the chat template is not a string")
    try:
        return layout_of(template)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UserError(f"{path}: the file is larger than {_LARGEST:,} bytes, too large for a chat template")
        return content.decode("utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: the file is not UTF-8 text") from None


def _end_of_text(folder: Path, values: dict[str, Any]) -> str:
    """Return a model's end-of-text token, or `<|endoftext|>` if the files do not name one."""
    path = folder / TOKENIZER_CONFIG
    if values.get("eos_token") is None and (folder / _SPECIAL).exists():
        path = folder / _SPECIAL
        values = json_files.read_object(path)
    token = values.get("eos_token")
    token = token.get("content") if isinstance(token, dict) else token
    if token is None:
        return END
    if not isinstance(token, str) or not token.strip() or not token.isprintable():
        raise UserError(f"{path}: the eos_token is not a valid token name")
    return token
