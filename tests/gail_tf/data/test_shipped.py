"""The shipped bot of the second paper has small adapters and says to which network they belong."""

from gail_tf import chat
from gail_tf.base_models.known_models import KNOWN
from gail_tf.bot import Bot


def test_the_shipped_bot_has_two_policies_and_a_discriminator_in_at_most_6_megabytes():
    path, bot = Bot.read(chat.SHIPPED)
    assert path.stat().st_size <= 6e6
    assert list(bot.policies) == ["maximum_likelihood", "imitation"]
    assert bot.discriminator
    assert bot.config.model.trainable == "lora"
    assert bot.base is not None
    assert bot.base.name in KNOWN
    assert "Apache License, Version 2.0" in (path.parent / "NOTICE").read_text(encoding="utf-8")
