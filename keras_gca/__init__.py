"""Generative conversational agents with end-to-end adversarial training (Ludwig 2017, arXiv 1711.10122), in Keras.

    from keras_gca import Agent, Config, Source, train_agent

    session = train_agent(Config.preset("tiny"), Source(), "runs/first")
    print(Agent.load("runs/first").reply("Hello!"))

`python -m keras_gca` lists the commands. The names below are imported on first use, so importing the package does not
import TensorFlow. G is the generator and D the discriminator.

Talking to a trained model:

    Agent                          a trained model that replies to messages
    Answer                         one generator's answer, with its probability and the discriminator's scores
    Decoding                       how replies are generated: greedily, by sampling, or by beam search

Settings and data:

    Config                         every setting of a training run; its presets include `paper`, `default` and `large`
    Conversation                   the utterances of one conversation
    Source                         the files that a training run reads
    UserError                      an error that the user can fix, with a one-line message
    Vocabulary                     the words that a model knows, and their indices
    read_conversations             reads the conversations of a corpus in any supported format

Training (Algorithm 2) and evaluation:

    GCARun                         a run folder: settings, data, checkpoint, log
    GCASession                     a training run and its run folder
    evaluate_run                   measures one run on its held-out conversations
    evaluate_runs                  measures several runs: means, standard deviations and confidence intervals
    resume                         continues an interrupted training run, or adds training to a finished one
    start_from                     starts adversarial training (line 4) with the data and generator of another run
    train_agent                    trains an agent on a corpus, and saves it as bot.h5

Networks (Figures 1 and 2):

    Decoder                        Algorithm 1: greedy decoding, sampling and beam search for a generator
    GenerativeConversationalAgent  the generator, the discriminator and their composition, with shared layers
    Sizes                          the sizes of these networks

Losses and scores. A class listed with a line of Algorithm 2 computes the loss and runs the training steps of that line:

    AdversarialTraining            Algorithm 2 as a sequence of stages
    DiscriminatorTraining          line 6: binary cross-entropy of D on human and machine-generated pairs (Eq. 7-8)
    GeneratorTraining              line 9: G trained through the frozen D, with the mean squared error from "human"
    ReinforceTraining              line 9: G trained by a policy gradient instead (Li et al. 2017)
    TeacherForcing                 lines 3 and 11: categorical cross-entropy of G on human answers (Eq. 1-3)
    jaccard_index                  Eq. 11: the agreement between the discriminator and the volunteers
    log_human_probability          Eq. 9: the log-probability that a human gave the answer
    log_score                      Eq. 10: the logarithm of the score by which answers are ranked
"""

from typing import Any

from keras_gca import interruption
from keras_gca.public_names import public_name

interruption.begin_command()  # first, so that it applies while the commands' modules are imported

__version__ = "0.1.0"

_HOMES = {
    "AdversarialTraining": "training.adversarial",
    "Agent": "agent",
    "Answer": "serving.protocol",
    "Config": "config",
    "Conversation": "corpora.conversation",
    "Decoder": "models.decoding",
    "Decoding": "models.decoding_settings",
    "DiscriminatorTraining": "training.discriminator",
    "GCARun": "training.run_folder",
    "GCASession": "training.session",
    "GenerativeConversationalAgent": "models.networks",
    "GeneratorTraining": "training.generator",
    "ReinforceTraining": "training.reinforce",
    "Sizes": "models.sizes",
    "Source": "data.source",
    "TeacherForcing": "training.teacher_forcing",
    "UserError": "errors",
    "Vocabulary": "data.vocabulary",
    "evaluate_run": "evaluation.replies",
    "evaluate_runs": "evaluation.replies",
    "jaccard_index": "models.scoring",
    "log_human_probability": "models.scoring",
    "log_score": "models.scoring",
    "read_conversations": "data.conversations",
    "resume": "training.pipeline",
    "start_from": "training.pipeline",
    "train_agent": "training.pipeline",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    return public_name(__name__, _HOMES, name)


def __dir__() -> list[str]:
    """List the public names, for `dir(keras_gca)` and for tab completion."""
    return [*__all__, "__version__"]
