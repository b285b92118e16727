"""Makes a run folder as a watched training leaves it, for tests of the live view."""

from keras_gca.storage.live_files import Exchange, Judged, LiveFiles
from keras_gca.storage.run_folder import RunFolder

QUESTIONS = ["How are you?", "What's new?", "<b>Bold?</b>"]


def write_log(folder, stages=6):
    """Write the log of a training run whose first half is line 3, and whose second half is line 6."""
    rows = [
        {"phase": "teacher_forcing", "epoch": i, "perplexity": 900.0 / i, "val_perplexity": 1000.0 / i}
        if i <= stages // 2
        else {"phase": "discriminator", "epoch": i, "val_accuracy_human": 0.6, "val_accuracy_machine": 0.7}
        for i in range(1, stages + 1)
    ]
    RunFolder(folder).write_log(rows)


def write_view(folder, row):
    """Write the replies that follow a row of the log, with the judgements of a D that judges words."""
    said = Judged(f"I am fine {row}.", 0.61, (("i", 0.2), ("am", 0.95), ("<eos>", 0.5)))
    asked = [Exchange(question, said) for question in QUESTIONS[:2]] + [Exchange(QUESTIONS[2], None, note="A note.")]
    samples = [Exchange("Good morning!", said, Judged("Morning.", 0.9, (("morning", 0.9),)))]
    LiveFiles(folder).write(row, f"line  6  discriminator     {row}/6", asked, samples)


def write_run(folder, stages=6):
    (folder / "pairs.h5").touch()  # it marks a run of the first paper
    write_log(folder, stages)
    for row in range(1, stages + 1):
        write_view(folder, row)
    LiveFiles(folder).ask(QUESTIONS)
    return folder
