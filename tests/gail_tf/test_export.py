import huggingface_hub
import numpy as np
import pytest

from gail_tf import export as export_command
from gail_tf.agent import GAILAgent
from gail_tf.bot import Bot
from gail_tf.build import make_judge
from gail_tf.config import GAILConfig
from gail_tf.data.batches import Utterance, encode_batch
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.models import hugging_face
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.projection import Adapters
from gail_tf.policies.exporting import export_policy as export
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from keras_gca.engine import command_line
from keras_gca.errors import UserError
from tests.factories.gail import CONTROLS, randomise
from tests.factories.hub import FakeApi
from tests.oracles.pytorch import torch_logits

CONTEXTS = [
    [Utterance("I got the job!", "<|positive|>"), Utterance("Great!"), Utterance("Thank you.", "<|neutral|>")],
    [Utterance("My dog is ill.", "<|negative|>")],
]


@pytest.fixture(params=["full", "lora"])
def policy(request, fitted):
    config = GPT2Config(len(fitted), n_positions=64, n_embd=16, n_layer=2, n_head=2, eos_token_id=fitted.end)
    gpt2 = randomise(GPT2(config, adapters=Adapters(rank=2) if request.param == "lora" else None))
    draw = np.random.default_rng(7)
    for variable in gpt2.adapter_weights:
        variable.assign(draw.normal(0, 0.2, variable.shape))
    return Policy(gpt2, request.param, excluded=fitted.control_ids)


@pytest.mark.thorough
def test_pytorch_gives_the_same_logits_and_tokens(policy, fitted, tmp_path):
    export(policy, fitted, tmp_path / "out")
    batch = encode_batch(fitted, CONTEXTS)
    arrays = batch.condition, batch.condition_mask
    logits = policy.network.logits(policy.network.hidden(*arrays)).numpy()
    expected = torch_logits(tmp_path / "out", *arrays)
    np.testing.assert_allclose(logits[batch.condition_mask], expected[batch.condition_mask], atol=1e-4)

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    peer, tokenizer = (kind.from_pretrained(tmp_path / "out") for kind in (AutoModelForCausalLM, AutoTokenizer))
    written = [
        "<|positive|>I got the job!<|endoftext|>Great!<|endoftext|><|neutral|>Thank you.<|endoftext|>",
        "<|negative|>My dog is ill.<|endoftext|>",
    ]
    assert tokenizer(written)["input_ids"] == [row[mask].tolist() for row, mask in zip(*arrays, strict=True)]
    with torch.no_grad():
        theirs = peer.generate(
            torch.tensor(batch.condition.astype(np.int64)),
            attention_mask=torch.tensor(batch.condition_mask.astype(np.int64)),
            max_new_tokens=12,
            do_sample=False,
        )[:, batch.condition.shape[1] :].numpy()
    ours = policy.sample(*arrays, (0, 0), Sampling(12, temperature=0)).tokens.numpy()
    np.testing.assert_array_equal(ours[:, : theirs.shape[1]], theirs)
    assert not np.isin(ours, fitted.control_ids).any()
    again = [tokenizer.decode(row, skip_special_tokens=True) for row in ours]
    assert [fitted.decode(row) for row in ours] == again


def test_what_was_exported_is_read_again(policy, fitted, tmp_path):
    export(policy, fitted, tmp_path / "out")
    tokenizer = Tokenizer.read(tmp_path / "out")
    again = Policy(hugging_face.read_network(tmp_path / "out"), excluded=tokenizer.control_ids)
    assert tokenizer.control_tokens == list(CONTROLS)
    assert again.network.config == policy.network.config
    arrays = encode_batch(tokenizer, CONTEXTS, ["Good.", "Oh no, I am sorry."])
    expected = policy.log_probs(*encode_batch(fitted, CONTEXTS, ["Good.", "Oh no, I am sorry."])).log_probs
    np.testing.assert_allclose(again.log_probs(*arrays).log_probs, expected, atol=1e-4)


def test_what_cannot_be_exported(fitted, tmp_path):
    config = GPT2Config(len(fitted), n_positions=8, n_embd=4, n_layer=1, n_head=1, eos_token_id=fitted.end)
    gpt2 = GPT2(config)
    with pytest.raises(UserError, match="a policy trained with --trainable head cannot be exported"):
        export(Policy(gpt2, "head"), fitted, tmp_path / "out")
    smaller = Tokenizer.fit(["a text"], 300)
    with pytest.raises(UserError, match=r"the tokenizer has 26\d tokens .* but the policy has 600"):
        export(Policy(gpt2), smaller, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("here")
    for place in (tmp_path, tmp_path / "file"):
        with pytest.raises(UserError, match="not an empty folder; choose a new one"):
            export(Policy(gpt2), fitted, place)


@pytest.fixture
def bot(fitted, tmp_path):
    """Make a bot with random weights. Return it and its policy."""
    config = GAILConfig.preset("tiny", n_positions=40)
    sizes = GPT2Config(len(fitted), n_positions=40, n_embd=16, n_layer=2, n_head=2, eos_token_id=fitted.end)
    weights = [variable.numpy() for variable in Policy(randomise(GPT2(sizes))).variables]
    judge = [variable.numpy() for variable in make_judge(config, sizes).variables]
    agent = GAILAgent(Bot(config, fitted, sizes, {"maximum_likelihood": weights}, "maximum_likelihood", judge))
    agent.save(tmp_path / "bot.h5")
    return tmp_path / "bot.h5", agent.policies["maximum_likelihood"]


@pytest.mark.thorough
def test_the_command_exports_a_bot_that_pytorch_reads(bot, tmp_path, capsys, monkeypatch):
    path, policy = bot
    pytest.importorskip("transformers")  # it must be imported before the class is replaced that its annotations name
    arguments = [str(path), str(tmp_path / "out")]
    api = FakeApi()
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    assert command_line.run(export_command.main, "export", [*arguments, "--push", "bot"]) == 2
    assert "use the form OWNER/NAME" in capsys.readouterr().err
    assert command_line.run(export_command.main, "export", [*arguments, "--push", "me/bot", "--yes"]) == 0
    assert "the policy trained by maximum likelihood" in capsys.readouterr().out
    assert api.calls[1]["folder_path"] == arguments[1]
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "The crisis check is not part of this model" in card
    assert "| n_positions | 40 |" in card
    again = GAILAgent.load(tmp_path / "out" / "bot.h5")
    assert again.reply("Hello.") == GAILAgent.load(path).reply("Hello.")
    tokens = np.arange(1, 9, dtype=np.int32)[None]
    mask = np.ones_like(tokens, bool)
    expected = policy.network.logits(policy.network.hidden(tokens, mask))
    np.testing.assert_allclose(torch_logits(tmp_path / "out", tokens, mask), expected, atol=1e-4)
    for wrong, message in (([], "not an empty folder"), (["--policy", "imitation"], "has maximum_likelihood")):
        assert command_line.run(export_command.main, "export", [*arguments, *wrong]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.thorough
def test_the_code_of_a_model_card_reads_the_message_as_the_policy_does(bot, tmp_path, capsys):
    path, _ = bot
    assert command_line.run(export_command.main, "export", [str(path), str(tmp_path / "out")]) == 0
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0].replace("path/to/this/folder", str(tmp_path / "out"))
    names = {}
    exec(code.replace("max_new_tokens=40", "max_new_tokens=8"), names)  # the toy has only 40 positions
    expected = encode_batch(GAILAgent.load(path).tokenizer, [[Utterance("I got the job!")]])
    assert names["prompt"]["input_ids"].tolist() == [expected.condition[expected.condition_mask].tolist()]
    assert "`<|positive|>`, preceded the utterance" in " ".join(card.split())
