"""How perplexities are measured for different numbers of training pairs, and how the table shows them."""

import hashlib

import numpy as np
import pytest

from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import Pairs, frame_answers, pad_contexts
from keras_gca.data.vocabulary import PAD, UNK
from keras_gca.errors import UserError
from keras_gca.evaluation import growth
from keras_gca.evaluation.statistics import over_runs
from keras_gca.evaluation.trigram import DISCOUNTS, TrigramModel
from keras_gca.training.run_folder import GCARun
from tests.factories.gca import make_agent


def pairs_of(answers):
    contexts = pad_contexts([[4]] * len(answers), 8)
    return Pairs(contexts, frame_answers(answers, 8), np.arange(len(answers), dtype=np.int32))


def test_a_run_and_the_trigram_models_of_its_training_answers_are_measured(tmp_path):
    agent = make_agent()
    training, held_out = pairs_of([[4, 5, 6], [4, 5], [7, 8, 9]]), pairs_of([[4, 5, 6], [UNK]])
    run = GCARun.create(tmp_path / "run", agent.config, Dataset(agent.vocabulary, training, held_out, [], True), {})
    phases = ["teacher_forcing"] * 3 + ["discriminator"]
    run.write_checkpoint({"position": 4, "history": [{"phase": phase} for phase in phases]}, {})
    agent.save(run.bot)
    found = growth.evaluate_growth(run.path)
    assert (found["training pairs"], found["training tokens"], found["epochs"]) == (3, 4 + 3 + 4, 3)
    assert (found["held-out pairs"], found["held-out tokens"], found["unknown share"]) == (2, 4 + 2, 1 / 6)
    logs = agent.token_log_probabilities(held_out, "teacher_forcing")[held_out.answers[:, 1:] != PAD]
    assert len(logs) == 6
    own, *of_trigrams = found["perplexity"].values()
    assert own == pytest.approx(np.exp(-logs.mean()), rel=1e-5)
    for discount, perplexity in zip(DISCOUNTS, of_trigrams, strict=True):
        model = TrigramModel(training.answers, len(agent.vocabulary), discount)
        assert perplexity == pytest.approx(model.perplexity(held_out.answers))
    assert found["held out"] == hashlib.sha256(held_out.contexts.tobytes() + held_out.answers.tobytes()).hexdigest()


def test_runs_of_a_seed_need_the_same_held_out_pairs():
    of_seeds = [{"held out": "a"}, {"held out": "b"}]
    growth.refuse_other_held_out({"pairs_5000": of_seeds, "all_pairs": of_seeds})
    with pytest.raises(UserError, match="the runs pairs_5000, all_pairs have different held-out pairs"):
        growth.refuse_other_held_out({"pairs_5000": of_seeds, "all_pairs": of_seeds[::-1]})


def test_the_table_by_hand():
    def of_run(pairs, epochs, perplexity):
        sizes = {
            "training pairs": pairs,
            "training tokens": 10 * pairs,
            "held-out pairs": 1200,
            "held-out tokens": 9000,
        }
        trigrams = {"Kneser-Ney trigram, discount 0.1": 90.0, "Kneser-Ney trigram, discount 0.75": 80.0}
        measured = {"teacher_forcing": perplexity, **trigrams}
        return sizes | {"unknown share": 0.05, "held out": "x", "epochs": epochs, "perplexity": measured}

    runs = {"pairs_5000": [of_run(5000, 9, 70.0)], "all_pairs": [of_run(141_000, 12, 40.125)]}
    made = growth.table({variant: over_runs(of_variant) for variant, of_variant in runs.items()})
    assert made.header == (
        "training pairs", "tokens", "epochs", "generator", "Kneser-Ney, discount 0.1", "Kneser-Ney, discount 0.75"
    )  # fmt: skip
    assert made.rows == [
        ("5,000", "50,000", "9", "70.00", "90.00", "80.00"),
        ("141,000", "1,410,000", "12", "40.12", "90.00", "80.00"),
    ]
    assert "the same 1,200 held-out pairs (9,000 tokens, of which 5.0% are the unknown word)" in made.caption
