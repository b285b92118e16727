"""EmpathyGAIL (arXiv 2105.13328) in Keras: a GPT-2 policy that imitates empathetic experts by GAIL and PPO.

    from gail_tf import GAILAgent, GAILConfig, Source, train_agent

    session = train_agent(GAILConfig.preset("tiny"), Source(), "runs/gail")
    print(GAILAgent.load("runs/gail").reply("I lost my job today."))

`python -m gail_tf` lists the commands. The names below are imported when first used, so importing the package does not
import TensorFlow.

Talking to a trained model:

    GAILAgent             an agent that replies to messages with trained policies
    Replying              how replies are sampled: temperature, nucleus, candidates

Settings and data:

    GAILConfig            all settings of a training run; presets `paper`, `default` and `tiny`
    Source                the files and pretrained networks that a training run reads
    Tokenizer             the byte-level BPE tokenizer: GPT-2's, or one fitted to the training text
    Trajectory            an expert's response together with the history and the prompt before it
    read_trajectories     reads expert trajectories from conversations and tweets

Training (Algorithm 1) and evaluation:

    GAILRun               a run folder: settings, data, checkpoint, log
    GAILSession           a training run together with its run folder
    GAILTraining          maximum likelihood training, then Algorithm 1, as a sequence of stages
    evaluate_run          measures the policies of one run on its test conversations
    evaluate_runs         compares several runs in Table 2, Figures 5 and 6, and Table 3
    make_networks         makes the networks described by a config
    resume                continues an interrupted training run, or trains a finished run further
    train_agent           trains an agent on a corpus, and writes a run folder with a bot to chat with

Policies and networks:

    DiscriminatorNetwork  the paper's discriminator: two layers of 100 tanh units on GPT-2 features
    GPT2                  GPT-2 in Keras: whole sequences in one pass, or token by token with a cache
    GPT2Config            the dimensions of a GPT-2 model
    LanguagePolicy        the base class of policies that predict a response token by token
    Policy                a policy whose network is a language model, such as GPT-2 or a Llama
    Roberta               RoBERTa in Keras, the encoder of TextGAIL's discriminator
    Sampling              how tokens are drawn, and how their probabilities are computed (Algorithm 2)
    ValueBaseline         a network like the discriminator's, which predicts the value of a state for PPO

Optimisers, and pure functions of tensors for losses and rewards:

    PPO                   proximal policy optimisation on a buffer of rollouts
    TRPO                  trust region policy optimisation, as in the original GAIL
    adapt_kl_coefficient  adapts C, the weight of the KL penalty in Eq. 7, to the KL of the last update
    binary_loss           Eq. 6: the loss of a discriminator that judges single responses
    contrastive_loss      the loss of TextGAIL's discriminator, which compares two responses to a prompt
    policy_loss           Eq. 7: the policy's loss, with the clipped objective and the KL penalty
    reward                the reward of a response, from the discriminator's logit (Eq. 6)
    value_loss            half the mean squared error of the value baseline
"""

from typing import Any

from keras_gca import __version__ as __version__
from keras_gca.public_names import public_name

_HOMES = {
    "DiscriminatorNetwork": "imitation.encoders",
    "GAILAgent": "agent",
    "GAILConfig": "config",
    "GAILRun": "training.run_folder",
    "GAILSession": "training.session",
    "GAILTraining": "imitation.gail",
    "GPT2": "models.gpt2",
    "GPT2Config": "models.gpt2_config",
    "LanguagePolicy": "policies.base",
    "PPO": "imitation.ppo",
    "Policy": "policies.language_model_policy",
    "Replying": "policies.replying",
    "Roberta": "models.roberta",
    "Sampling": "policies.sampling",
    "Source": "data.source",
    "TRPO": "imitation.trpo",
    "Tokenizer": "data.tokenizer",
    "Trajectory": "data.trajectories",
    "ValueBaseline": "models.tanh_network",
    "adapt_kl_coefficient": "imitation.ppo_losses",
    "binary_loss": "imitation.discriminator_losses",
    "contrastive_loss": "imitation.discriminator_losses",
    "evaluate_run": "evaluation.report",
    "evaluate_runs": "evaluation.report",
    "make_networks": "build",
    "policy_loss": "imitation.ppo_losses",
    "read_trajectories": "data.trajectories",
    "resume": "training.pipeline",
    "reward": "imitation.rewards",
    "train_agent": "training.pipeline",
    "value_loss": "imitation.ppo_losses",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    return public_name(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
