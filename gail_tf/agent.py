"""A trained policy as an object that replies: `GAILAgent.load("runs/gail").reply("I lost my job today.")`."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import log_expit, log_softmax

from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.baselines.textgail import TextReader
from gail_tf.build import adapters_of, make_judge, make_policy
from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch, encode_batch
from gail_tf.data.layouts import TOKENIZER_CONFIG
from gail_tf.data.samples import CONTROL_TOKENS, context
from gail_tf.data.sentiment import sentiment
from gail_tf.data.tokenizer import TOKENIZER, Tokenizer
from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.reference import Reference
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.hugging_face import CONFIG, read_config
from gail_tf.models.roberta_config import RobertaConfig
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.exporting import export_policy
from gail_tf.policies.sampling import Sampling
from gail_tf.safety.crisis import NOTE, speaks_of_crisis
from glove.text_files import counted
from keras_gca.engine.memory import count
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError
from keras_gca.models.scoring import log_human_probability, log_score
from keras_gca.serving.protocol import Answer, as_histories
from keras_gca.settings import check_sampling
from keras_gca.storage.bot_file import damaged_bot, read_bot, write_bot

FORMAT = "gail_tf bot 2"


@dataclass(frozen=True)
class Replying:
    """How replies are made: each policy draws candidates from its nucleus, and the discriminator ranks them.

    Args:
        temperature: The temperature at which tokens are drawn, 0.01 to 100; 0 takes the likeliest token.
        top_p: The nucleus: tokens are drawn from the smallest set of likeliest ones whose probability reaches this.
        candidates: How many responses each policy gives.

    Raises:
        UserError: A value is out of range.

    Examples:
        >>> from gail_tf import Replying
        >>> Replying(candidates=4)
        Replying(temperature=0.9, top_p=0.9, candidates=4)
    """

    temperature: float = 0.9
    top_p: float = 0.9
    candidates: int = 1

    def __post_init__(self) -> None:
        check_sampling(self.temperature, self.top_p, greedy=True)
        if self.candidates < 1:
            raise UserError(f"--candidates: {self.candidates}; at least 1 is expected")


class GAILAgent:
    """Policies and the discriminator that ranks their responses.

    Usually `load` makes an agent from a run folder or a `bot.h5`.

    Args:
        config: The settings that the networks were trained with.
        tokenizer: What turns text into the policies' tokens.
        gpt2: The sizes of GPT-2; None for RL-Seq2Seq, whose policies are two LSTMs.
        policies: The weights of each policy by its name, float32 arrays in the order of `LanguagePolicy.variables`.
        reference: The name of the policy whose features D reads.
        discriminator: The weights of D; empty for RL-Seq2Seq.
        reader: D's RoBERTa, where it has one.
        emotions: RL-Seq2Seq's classifier of emotions, which replaces gpt2 and D.

    Attributes:
        notes_crises: Whether `crisis_note` answers messages that speak of self-harm or danger; True at first.

    Raises:
        ValueError: The parts do not fit together.

    Examples:
        >>> from gail_tf import GAILAgent, Replying
        >>> agent = GAILAgent.load("runs/gail")
        >>> agent
        <GAILAgent: GPT-2 of 2 blocks, by maximum likelihood and imitation; the last 24 tokens are read>
        >>> reply = agent.reply("I lost my job today.")  # to one message, or to a conversation:
        >>> reply = agent.reply(["Hello!", "Hi, how are you?", "Not so well."], Replying(candidates=4), seed=1)
        >>> best, other = agent.answers("I lost my job today.")  # the discriminator's choice first
        >>> agent.crisis_note("I lost my job today.") is None
        True
    """

    def __init__(
        self,
        config: GAILConfig,
        tokenizer: Tokenizer,
        gpt2: GPT2Config | None,
        policies: dict[str, list[np.ndarray]],
        reference: str,
        discriminator: list[np.ndarray],
        reader: TextReader | None = None,
        emotions: EmotionClassifier | None = None,
    ):
        self.config, self.tokenizer, self.gpt2 = config, tokenizer, gpt2
        self.weights, self.discriminator, self.reference, self.reader = policies, discriminator, reference, reader
        self.emotions = emotions
        self.notes_crises = True
        if gpt2 is not None:
            _refuse_misfit(gpt2, tokenizer, policies)
        self.policies: dict[str, LanguagePolicy] = {}
        for name, weights in policies.items():
            self.policies[name] = self._new_policy()
            assign(self.policies[name].variables, weights)
        self._sampling = Sampling(config.data.response_tokens)
        self._reference = Reference(self.policies[reference], self._sampling, config.judge.discriminator == "token")
        self._judge = make_judge(config, gpt2, reader, emotions)
        assign(self._judge.variables, discriminator)

    def _new_policy(self) -> LanguagePolicy:
        config = self.config
        gpt2 = None
        if self.gpt2 is not None:
            gpt2 = GPT2(self.gpt2, adapters=adapters_of(config), precision=config.run.precision)
        return make_policy(config, self.tokenizer, gpt2, self.emotions)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "GAILAgent":
        """Load a `bot.h5`.

        Args:
            path: The file, or a run folder that holds one.

        Returns:
            The agent, with the networks that the file stores.

        Raises:
            UserError: The file is missing, damaged, or not a bot of the second paper.
        """
        path, facts, networks = read_bot(path, FORMAT)
        try:
            config = GAILConfig.from_values(facts["config"])
            with _folder_of(facts["tokenizer"]) as folder:
                tokenizer = Tokenizer.read(folder, CONTROL_TOKENS)
            reader = None
            if facts.get("roberta"):
                with _folder_of(facts["roberta"]) as folder:
                    sizes = read_config(folder / CONFIG, RobertaConfig)
                    _refuse_larger(sizes, "RoBERTa", networks["discriminator"])
                    reader = TextReader.open(config, folder)
            discriminator, of_emotions = networks.pop("discriminator"), networks.pop("emotions")
            emotions = None
            if facts["emotions"] is not None:
                emotions = EmotionClassifier.from_state(facts["emotions"], of_emotions)
            gpt2 = None if facts["gpt2"] is None else GPT2Config.from_hugging_face(facts["gpt2"])
            return cls(config, tokenizer, gpt2, networks, facts["reference"], discriminator, reader, emotions)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise damaged_bot(path, error) from None

    def save(self, path: str | os.PathLike) -> None:
        """Write one self-contained HDF5 file: weights, settings and tokenizer.

        Args:
            path: The file to write.

        Raises:
            OSError: The file cannot be written; a file that was there before is unchanged.
        """
        emotions = (None, []) if self.emotions is None else self.emotions.state()
        facts = {
            "config": self.config.to_values(),
            "gpt2": None if self.gpt2 is None else self.gpt2.to_hugging_face(),
            "emotions": emotions[0],
            "tokenizer": _texts_of(self.tokenizer.save, TOKENIZER, TOKENIZER_CONFIG),
            "roberta": _texts_of(self.reader.save, TOKENIZER, CONFIG) if self.reader else None,
            "reference": self.reference,
        }
        others = {"discriminator": self.discriminator, "emotions": emotions[1]}
        write_bot(Path(path), FORMAT, facts, {**self.weights, **others})

    def export(self, folder: str | os.PathLike, policy: str | None = None) -> str:
        """Write a policy as a Hugging Face folder; see `export_policy`.

        Args:
            folder: The folder to make.
            policy: The name of the policy; the last one if None.

        Returns:
            The name of the policy.

        Raises:
            UserError: The bot does not have this policy, or the policy cannot be exported.
        """
        name = policy or self.generators[-1]
        if name not in self.generators:
            raise UserError(f"--policy {name}: the bot has {' and '.join(self.generators)}")
        export_policy(self.policies[name], self.tokenizer, folder)
        return name

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.description}>"

    @property
    def generators(self) -> tuple[str, ...]:
        """The names of the policies, with underscores."""
        return tuple(self.policies)

    def reply(self, history: str | Sequence[str], replying: Replying = Replying(), seed: int = 0) -> str:
        """The best response to a message or a conversation.

        This method does not check for messages that speak of self-harm or danger; call `crisis_note` first.

        Args:
            history: The utterances so far, the last one to be answered; those that fit are read, as in training. A
                single text is a conversation of one utterance.
            replying: How responses are made.
            seed: The seed of sampling.

        Returns:
            The text of the response that the discriminator ranks highest.

        Raises:
            UserError: The history is empty, or its last utterance is blank.
        """
        return self.answers(history, None, replying, seed)[0].text

    def answers(
        self,
        history: str | Sequence[str],
        context_utterances: int | None = None,
        decoding: Replying = Replying(),
        seed: int = 0,
    ) -> list[Answer]:
        """Every policy's responses, ranked by the discriminator; of equal scores the likelier response comes first.

        This method does not check for messages that speak of self-harm or danger; call `crisis_note` first.

        Args:
            history: The utterances so far, the last one to be answered, or a single text.
            context_utterances: How many of the last utterances are read; None reads all that fit, as in training.
            decoding: How responses are made.
            seed: The seed of sampling.

        Returns:
            The responses, `decoding.candidates` of each policy, the best first.

        Raises:
            UserError: The history is empty, or its last utterance is blank.
        """
        return self.answers_to_all([history], context_utterances, decoding, [seed])[0]

    def answers_to_all(
        self,
        histories: Sequence[str | Sequence[str]],
        context_utterances: int | None,
        decoding: Replying,
        seeds: Sequence[int],
    ) -> list[list[Answer]]:
        """`answers` to several conversations, each with a seed of its own, in one batch.

        Each conversation gets the answers that it would get alone; probabilities and scores may differ by float32's
        rounding.

        Args:
            histories: The conversations, each as `answers` takes it.
            context_utterances: How many of the last utterances are read; None reads all that fit, as in training.
            decoding: How responses are made.
            seeds: The seed of sampling for each conversation.

        Returns:
            For each conversation its ranked responses.

        Raises:
            UserError: One of the histories is empty, or its last utterance is blank.
        """
        longest = context_utterances or 0  # [-0:] is all of it
        read = [history[-longest:] for history in as_histories(histories)]
        with_sentiment = self.config.data.sentiment == "on"
        prompts = [utterances[-1] for utterances in read]
        emotions = self.emotions.classify(prompts) if self.emotions is not None else [None] * len(read)
        contexts = [
            context(utterances[:-1], utterances[-1], with_sentiment, emotion)
            for utterances, emotion in zip(read, emotions, strict=True)
        ]
        batch = encode_batch(self.tokenizer, contexts, None, self.config.data.condition_tokens, multiple=16)
        sampling = Sampling(self.config.data.response_tokens, decoding.top_p, decoding.temperature)
        pairs = [(seed, 0) for seed in seeds]
        drawn = [
            policy.sample(batch.condition, batch.condition_mask, pairs, sampling, candidates=decoding.candidates)
            for policy in self.policies.values()
        ]
        responses = len(drawn) * decoding.candidates
        # Responses are ordered by conversation, then by policy.
        shape = len(read), decoding.candidates, self.config.data.response_tokens
        tokens, masks, log_probs = (
            np.concatenate([array.numpy().reshape(shape) for array in arrays], axis=1).reshape(-1, shape[2])
            for arrays in zip(*drawn, strict=True)
        )
        texts = [self.tokenizer.decode(row[mask]).strip() for row, mask in zip(tokens, masks, strict=True)]
        log_l = self._judged(batch, tokens, masks, read, texts)
        names = np.repeat(list(self.policies), decoding.candidates).tolist() * len(read)
        parts = zip(names, texts, tokens, masks, log_probs, log_l, strict=True)
        answers = [self._answer(*made) for made in parts]
        return [
            sorted(answers[start : start + responses], key=lambda answer: (-answer.score, -answer.probability))
            for start in range(0, len(answers), responses)
        ]

    def _judged(
        self, batch: Batch, tokens: np.ndarray, masks: np.ndarray, read: list[list[str]], texts: list[str]
    ) -> np.ndarray:
        """Logarithms of D's probabilities that responses are an expert's, computed in one pass.

        Args:
            batch: The conditions that are answered.
            tokens: (B, R) int32, the responses, equally many to each condition and in the conditions' order.
            masks: (B, R) bool.
            read: The utterances of each condition.
            texts: (B,), the responses as text.

        Returns:
            (B, R) float32; NaN at padding and, unless D judges every token, at all tokens but the last.
        """
        count = len(texts) // len(read)
        condition, condition_mask = (
            np.repeat(array, count, axis=0) for array in (batch.condition, batch.condition_mask)
        )
        judged = Batch(condition, condition_mask, tokens, masks)
        features = self._reference.features(judged, size=len(texts))
        compounds = [[sentiment(text).compound for text in utterances] for utterances in read]
        asked = [[prompt, float(np.mean(before)) if before else 0.0] for *before, prompt in compounds]
        exchanges = [(read[i // count], text) for i, text in enumerate(texts)]
        sentiments = np.array(
            [[*asked[i // count], sentiment(text).compound] for i, text in enumerate(texts)], np.float32
        )
        logits = self._judge.expert_logits(JudgedResponses(judged, features, sentiments, exchanges))
        if self._judge.per_token:
            return np.where(masks, log_expit(logits), np.nan)
        last = np.arange(masks.shape[1]) == masks.sum(1, keepdims=True) - 1
        if self.config.judge.discriminator == "contrastive":
            # A contrastive D only gives the probability of a choice among responses.
            log_expert = log_softmax(logits.reshape(-1, count), axis=1).ravel()
        else:
            log_expert = log_expit(logits)
        return np.where(last, log_expert[:, None], np.nan)

    def _answer(
        self, name: str, text: str, tokens: np.ndarray, mask: np.ndarray, log_probs: np.ndarray, log_l: np.ndarray
    ) -> Answer:
        written = [self.tokenizer.decode([token]) or "<eos>" for token in tokens[mask]]
        total = float(log_probs[mask].sum())
        ended = tokens[mask][-1] == self.tokenizer.end
        return Answer(
            generator=name,
            text=text,
            probability=float(np.exp(total)),
            probability_of_words=float(np.exp(total - (log_probs[mask][-1] if ended else 0.0))),
            human=float(np.exp(log_human_probability(log_l))),
            score=float(np.exp(log_score(log_l))),
            token_scores=tuple(zip(written, np.exp(log_l[mask]).tolist(), strict=True)),
            token_probabilities=tuple(np.exp(log_probs[mask]).tolist()),
        )

    @property
    def description(self) -> str:
        """The networks, the policies, and how many tokens are read, in words."""
        names = " and ".join(name.replace("_", " ") for name in self.generators)
        network = "two LSTMs" if self.gpt2 is None else f"GPT-2 of {counted(self.gpt2.n_layer, 'block')}"
        read = "token is" if self.longest == 1 else f"{self.longest} tokens are"
        return f"{network}, by {names}; the last {read} read"

    @property
    def longest(self) -> int:
        """How many tokens of a conversation are read."""
        return self.config.data.condition_tokens

    @staticmethod
    def figures(answer: Answer) -> str:
        """An answer's scores in words, for people."""
        return f"p(y|x) {answer.probability:.2g}  expert's by D {answer.score:.3f}"

    def crisis_note(self, message: str) -> str | None:
        """The note that answers a message about self-harm or danger; no model runs.

        Args:
            message: The message to check.

        Returns:
            The note; None for any other message, or if `notes_crises` is False.
        """
        return NOTE if self.notes_crises and speaks_of_crisis(message) else None

    def tokenise(self, utterances: Sequence[str]) -> list[list[str]]:
        """The tokens of each utterance, as text."""
        return [[self.tokenizer.decode([token]) for token in ids] for ids in self.tokenizer.encode_all(utterances)]

    def unknown_words(self, utterance: str) -> list[str]:
        """An empty list: bytes can spell every word."""
        return []


def _refuse_misfit(gpt2: GPT2Config, tokenizer: Tokenizer, policies: dict[str, list[np.ndarray]]) -> None:
    """Raises ValueError where the sizes in a bot's file contradict each other, before a network is made of them."""
    if len(tokenizer) != gpt2.vocab_size:
        raise ValueError(f"a tokenizer of {len(tokenizer)} tokens where GPT-2 has {gpt2.vocab_size}")
    for weights in policies.values():
        _refuse_larger(gpt2, "GPT-2", weights)


def _refuse_larger(sizes: GPT2Config | RobertaConfig, name: str, weights: list[np.ndarray]) -> None:
    size, numbers = sum(weight.size for weight in weights), count(sizes.shapes.values())
    if numbers > size:
        raise ValueError(f"weights of {size:,} numbers where {name} has {numbers:,}")


def _texts_of(save: Callable[[Path], None], *names: str) -> dict[str, str]:
    """Some of the files that `save` writes to a folder, as {name: text}."""
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder))
        return {name: (Path(folder) / name).read_text(encoding="utf-8") for name in names}


@contextlib.contextmanager
def _folder_of(texts: dict[str, str]) -> Iterator[Path]:
    """Write the files to a temporary folder, which is deleted at the end."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (TOKENIZER, TOKENIZER_CONFIG, CONFIG):
            if name in texts:
                (Path(folder) / name).write_text(texts[name], encoding="utf-8")
        yield Path(folder)
