"""Tiny tokenizers of other families than GPT-2, as their models' folders have them, with chat templates."""

import json
from pathlib import Path

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers

_TURNS = "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
_PROMPT = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
_SYSTEM = (
    "{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nMESSAGE<|im_end|>\n' }}{% endif %}"
)
SYSTEM_MESSAGES = {
    "smollm2": "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
    "qwen2": "You are a helpful assistant.",
}
# The models' own chat templates
TEMPLATES = {
    name: "{% for message in messages %}" + _SYSTEM.replace("MESSAGE", message) + _TURNS + "{% endfor %}" + _PROMPT
    for name, message in SYSTEM_MESSAGES.items()
} | {
    "chatml": "{% for message in messages %}" + _TURNS + "{% endfor %}" + _PROMPT,
    "llama3": (
        "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
        "message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 "
        "%}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
    ),
    "end_of_text": "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}",
}
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SPECIAL = {
    "smollm2": _CHATML,
    "qwen2": _CHATML,
    "llama3": ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
}
ENDS = {"smollm2": "<|im_end|>", "qwen2": "<|im_end|>", "llama3": "<|eot_id|>"}
BEGINS = {"smollm2": "<|im_start|>", "qwen2": None, "llama3": "<|begin_of_text|>"}


def write(folder: Path, family: str, texts: list[str], template: str | None = "own", end: str | None = None) -> Path:
    """Write tokenizer.json and tokenizer_config.json of a tiny smollm2, qwen2 or llama3, and return the folder.

    Args:
        folder: The folder, which is created.
        family: One of `SPECIAL`.
        texts: The texts to which the BPE is fitted.
        template: The chat template, "own" for the family's own template, or None for no template.
        end: The end-of-text token, or None for that of the family's chat models.
    """
    made = tokenizers.Tokenizer(models.BPE())
    made.decoder = decoders.ByteLevel()
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=family == "smollm2")
    if family == "smollm2":
        first = pre_tokenizers.Digits(individual_digits=True)
    else:
        pattern = _LLAMA3 if family == "llama3" else _LLAMA3.replace("{1,3}", "")
        first = pre_tokenizers.Split(Regex(pattern), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([first, last])
    if family == "qwen2":
        made.normalizer = normalizers.NFC()
    special = SPECIAL[family]
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=special if family == "smollm2" else [],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    made.add_special_tokens(special)
    if family == "llama3":
        made.post_processor = processors.TemplateProcessing(
            single="<|begin_of_text|> $A", special_tokens=[(special[0], made.token_to_id(special[0]))]
        )
    folder.mkdir(parents=True, exist_ok=True)
    content = json.loads(made.to_str())
    content["model"]["ignore_merges"] = family == "llama3"
    (folder / "tokenizer.json").write_text(json.dumps(content))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "eos_token": end or ENDS[family],
        "bos_token": BEGINS[family],
        "chat_template": TEMPLATES[family] if template == "own" else template,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder
