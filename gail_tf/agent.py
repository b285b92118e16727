"""`GAILAgent`, an agent that replies to messages: `GAILAgent.load("runs/gail").reply("I lost my job today.")`."""

import os
from collections.abc import Sequence

import numpy as np

from gail_tf.bot import Bot
from gail_tf.build import adapters_of, make_judge, make_policy, read_base
from gail_tf.data.batches import Batch, encode_batch
from gail_tf.data.listening import Profile
from gail_tf.data.samples import Samples, context
from gail_tf.data.spelling import as_written
from gail_tf.data.trajectories import Trajectory
from gail_tf.imitation.conversation_judge import ConversationJudge
from gail_tf.imitation.reference import Reference
from gail_tf.models.architectures import make_network
from gail_tf.models.block import share_graph_of_blocks
from gail_tf.models.language_model import LanguageModel
from gail_tf.policies.answers import answer_of
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.exporting import export_policy
from gail_tf.policies.replying import USUAL, Replying
from gail_tf.policies.sampling import Sampling
from gail_tf.policies.shared_graph import share_graph
from glove.text_files import counted
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError
from keras_gca.safety.crisis import note_on
from keras_gca.serving.protocol import Answer, as_histories
from keras_gca.sharing import hub
from keras_gca.storage.bot_file import damaged_bot
from keras_gca.storage.packed_weights import WeightFormat


class GAILAgent:
    """An agent that takes part in a conversation: its policies give responses, and the discriminator D ranks them.

    Agents are usually loaded from a run folder or a `bot.h5` with `load`.

    Args:
        bot: The settings, tokenizer and weights.
        base: The pretrained network named by `bot.base`, or None if the bot stores all weights.

    Attributes:
        notes_crises: Whether `crisis_note` answers messages about self-harm or danger. Defaults to True.
        crisis_lines: Local crisis lines to name in the note, for example "Samaritans (UK): 116 123". Empty by default.

    Raises:
        ValueError: The weights of the bot do not match its settings, or the dimensions of the bot differ from those of
            the base.

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

    def __init__(self, bot: Bot, base: LanguageModel | None = None):
        self.bot, self.config, self.tokenizer, self.emotions = bot, bot.config, bot.tokenizer, bot.emotions
        self.notes_crises = True
        self.crisis_lines: Sequence[str] = ()
        bot.refuse_misfits()
        config = bot.config
        self.policies: dict[str, LanguagePolicy] = {}
        for name, weights in bot.policies.items():
            network = None
            if base is not None:
                if base.config != bot.sizes:
                    raise ValueError("the dimensions of the base differ from those of the bot")
                network = base.sharing(adapters_of(config))
            elif bot.sizes is not None:
                precision = config.run.precision
                network = make_network(bot.sizes, adapters=adapters_of(config), precision=precision, loaded=True)
            if network is not None:
                share_graph_of_blocks(network.blocks)
            self.policies[name] = make_policy(config, bot.tokenizer, network, bot.emotions)
            assign(self.policies[name].variables, weights)
        share_graph(list(self.policies.values()))
        sampling = Sampling(config.data.response_tokens)
        per_token = config.judge.discriminator == "token"
        reference = Reference(self.policies[bot.reference], sampling, per_token)
        judge = make_judge(config, bot.sizes, bot.reader, bot.emotions, reference=self.policies[bot.reference])
        assign(judge.variables, bot.discriminator)
        self._judging = ConversationJudge(judge, reference, config)

    @classmethod
    def load(cls, path: str | os.PathLike, agreed: bool = False) -> "GAILAgent":
        """Load an agent from a `bot.h5`.

        Args:
            path: The file, a run folder that contains one, or a name on the Hugging Face Hub; see `hub.bot_of`.
            agreed: Whether the user has already agreed to download the bot and the bot's pretrained network if they are
                not on this machine. If False, the user is asked at the terminal.

        Returns:
            The agent.

        Raises:
            UserError: The file is missing, damaged, or not a bot of the second paper, or the user declines.
        """
        path, bot = Bot.read(hub.bot_of(path, agreed))
        base = None if bot.base is None else read_base(bot.config, bot.base, bot.tokenizer, agreed)
        try:
            return cls(bot, base)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise damaged_bot(path, error) from None

    def save(self, path: str | os.PathLike, weight_format: WeightFormat = "float32") -> None:
        """Write the agent as a `bot.h5`; see `Bot.write`."""
        self.bot.write(path, weight_format)

    def export(self, folder: str | os.PathLike, policy: str | None = None) -> str:
        """Write a policy to a folder that Hugging Face's transformers can load; see `export_policy`.

        Args:
            folder: The folder to make.
            policy: The name of the policy, or None for the last policy in `generators`.

        Returns:
            The name of the exported policy.

        Raises:
            UserError: The bot has no policy of this name, or the policy cannot be exported.
        """
        name = policy or self.generators[-1]
        if name not in self.generators:
            raise UserError(f"--policy {name}: this bot has no such policy; it has {' and '.join(self.generators)}")
        export_policy(self.policies[name], self.tokenizer, folder)
        return name

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.description}>"

    @property
    def generators(self) -> tuple[str, ...]:
        """The names of the policies, for example "maximum_likelihood"."""
        return tuple(self.policies)

    def reply(self, history: str | Sequence[str], replying: Replying = USUAL, seed: int = 0) -> str:
        """Return the best response to a message or a conversation.

        This method does not check for messages about self-harm or danger; call `crisis_note` first.

        Args:
            history: The utterances so far, ending with the one to answer, or a single text. As in training, the oldest
                utterances are left out if the history has too many tokens.
            replying: The settings for generating responses.
            seed: The random seed for sampling.

        Returns:
            The response that the discriminator ranks highest.

        Raises:
            UserError: The history is empty, or its last utterance is blank.
        """
        return self.answers(history, None, replying, seed)[0].text

    def answers(
        self,
        history: str | Sequence[str],
        context_utterances: int | None = None,
        decoding: Replying = USUAL,
        seed: int = 0,
    ) -> list[Answer]:
        """Return the responses of all policies, ranked by the discriminator.

        Responses with equal scores are ranked by probability. This method does not check for messages about self-harm
        or danger; call `crisis_note` first.

        Args:
            history: The utterances so far, ending with the one to answer, or a single text.
            context_utterances: The number of utterances to read, counted from the last one. If None, all utterances
                that fit are read, as in training.
            decoding: The settings for generating responses.
            seed: The random seed for sampling.

        Returns:
            The responses from best to worst, `decoding.candidates` from each policy.

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
        """Answer several conversations in one batch; see `answers`.

        The answers to a conversation do not depend on the other conversations in the batch, except that their
        probabilities and scores may differ slightly because of float32 rounding. Utterances are read with the spacing
        and quotation marks of training text (`as_written`).

        Args:
            histories: The conversations, each as in `answers`.
            context_utterances: The number of utterances to read, counted from the last one. If None, all utterances
                that fit are read, as in training.
            decoding: The settings for generating responses.
            seeds: The random seed for each conversation.

        Returns:
            The ranked responses for each conversation.

        Raises:
            UserError: A history is empty or ends with a blank utterance, or a profile is given to a bot that was
                trained without profiles.
        """
        if decoding.profile is not None:
            self.refuse_wishes()
        longest = context_utterances or 0  # the slice [-0:] is the whole list
        read = [[as_written(utterance) for utterance in history[-longest:]] for history in as_histories(histories)]
        with_sentiment = self.config.data.sentiment == "on"
        prompts = [utterances[-1] for utterances in read]
        emotions = self.emotions.classify(prompts) if self.emotions is not None else [None] * len(read)
        contexts = [
            context(utterances[:-1], utterances[-1], with_sentiment, emotion, self._with_history, decoding.profile)
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
        log_l = self._judging.log_expert(batch, tokens, masks, read, texts)
        names = np.repeat(list(self.policies), decoding.candidates).tolist() * len(read)
        parts = zip(names, texts, tokens, masks, log_probs, log_l, strict=True)
        answers = [answer_of(self.tokenizer, *made) for made in parts]
        return [
            sorted(answers[start : start + responses], key=lambda answer: (-answer.score, -answer.probability))
            for start in range(0, len(answers), responses)
        ]

    def encode(self, trajectories: Sequence[Trajectory], profiles: Sequence[Profile] | None = None) -> Batch:
        """Encode the conditions and expert responses of trajectories; see `samples` for the arguments."""
        return self.samples(trajectories, profiles).batch

    def samples(self, trajectories: Sequence[Trajectory], profiles: Sequence[Profile] | None = None) -> Samples:
        """Encode trajectories as the evaluation of a run does.

        Args:
            trajectories: The trajectories.
            profiles: The listener profile that the policy reads for each trajectory, or None for no profiles.
        """
        data = self.config.data
        limits = data.condition_tokens, data.response_tokens, data.sentiment == "on"
        more = self.emotions, self._with_history, profiles
        return Samples.encode(self.tokenizer, trajectories, *limits, *more)

    def expert_logits(
        self, batch: Batch, tokens: np.ndarray, masks: np.ndarray, read: Sequence[Sequence[str]], texts: Sequence[str]
    ) -> np.ndarray:
        """Compute the discriminator's logits for responses; see `ConversationJudge.expert_logits`."""
        return self._judging.expert_logits(batch, tokens, masks, read, texts)

    @property
    def description(self) -> str:
        """A short text with the kind of network, the names of the policies, and the number of tokens read."""
        names = " and ".join(name.replace("_", " ") for name in self.generators)
        sizes = self.bot.sizes
        network = "two LSTMs" if sizes is None else f"{sizes.title} of {counted(sizes.depth, 'block')}"
        read = "token is" if self.longest == 1 else f"{self.longest} tokens are"
        return f"{network}, by {names}; the last {read} read"

    @property
    def takes_wishes(self) -> bool:
        """Whether the bot was trained with profiles, which `Replying.profile` requires."""
        return self.config.data.listener_profile == "on"

    def refuse_wishes(self) -> None:
        """Raise UserError if the bot was trained without profiles."""
        if not self.takes_wishes:
            raise UserError(
                "this bot was trained without listener profiles; use a bot trained with --listener-profile on"
            )

    @property
    def _with_history(self) -> bool:
        return self.config.data.sentiment_history == "on"

    @property
    def longest(self) -> int:
        """The maximum number of tokens read from a conversation."""
        return self.config.data.condition_tokens

    @property
    def judges_words(self) -> bool:
        """Whether the discriminator scores every token of a response instead of the response as a whole."""
        return self._judging.judge.per_token

    @staticmethod
    def figures(answer: Answer) -> str:
        """Format an answer's probability and score for display in a chat."""
        return f"p(y|x) {answer.probability:.2g}  D's score {answer.score:.3f}"

    def crisis_note(self, message: str) -> str | None:
        """Return the note that answers a message about self-harm or danger. This check does not use a model.

        Args:
            message: The message to check.

        Returns:
            The note, followed by each of `crisis_lines` on a separate line. None if the message does not mention
            self-harm or danger, or if `notes_crises` is False.
        """
        return note_on(message, self.crisis_lines) if self.notes_crises else None

    def tokenise(self, utterances: Sequence[str]) -> list[list[str]]:
        """Return the tokens of each utterance as strings."""
        return [[self.tokenizer.decode([token]) for token in ids] for ids in self.tokenizer.encode_all(utterances)]

    def unknown_words(self, utterance: str) -> list[str]:
        """Return an empty list. No word is unknown, because the tokenizer can encode any word as bytes."""
        return []
