"""Episodes of PersonaChat and other corpora in the formats of ParlAI."""

# ruff: noqa: UP031  (the sentences and numbers stay as they were first written)

from tests.factories.blind_files.records import add, as_talks, dump, pairs_of, take


def persona():
    """PersonaChat and other ParlAI text formats."""
    persona = ["i keep bees in my garden.", "my brother drives a tram."]

    def counted(talks, tail="", head=()):
        """Return ParlAI's numbered lines, context and answer separated by a tab."""
        lines = []
        for talk in talks:
            body = list(head) + [a + "\t" + b + tail for a, b in pairs_of([talk])]
            lines += ["%d %s" % (i, text) for i, text in enumerate(body, 1)]
        return "\n".join(lines) + "\n"

    mine = ["your persona: " + text for text in persona]
    talks = take(3, even=True)
    add(
        "personachat_self.txt",
        "PersonaChat: turn counters that begin again at 1 with each conversation, 'your "
        "persona:' lines, then context TAB answer; counters and personas are no part of an utterance",
        "read",
        counted(talks, head=mine),
        talks,
    )

    talks = take(3, even=True)
    cands = "\t\tno, i never did.|the sea is cold.|what is your job?"
    add(
        "personachat_candidates.txt",
        "PersonaChat with candidates, separated by |, after an empty column; counters, "
        "personas and candidates are no part of an utterance",
        "read",
        counted(talks, cands, mine),
        talks,
    )

    talks = take(3, even=True)
    both = [*mine, "partner's persona: i am afraid of ducks.", "partner's persona: i bake on sundays."]
    add(
        "personachat_both.txt",
        "PersonaChat with 'your persona:' and \"partner's persona:\" lines, which are no utterances",
        "read",
        counted(talks, cands, both),
        talks,
    )

    talks = take(4, even=True)
    add(
        "parlai_counters.txt",
        "ParlAI numbered lines without personas: N context TAB answer; a counter 1 begins a conversation",
        "read",
        counted(talks),
        talks,
    )

    talks = take(3, even=True)
    lines = ["1 your persona: i like short walks.", "2 __SILENCE__\t" + talks[0][0]]
    lines += [
        "%d %s\t%s" % (i + 3, a, b) for i, (a, b) in enumerate(zip(talks[0][1:-1:2], talks[0][2::2], strict=False))
    ]
    silent = [talks[0][:-1]]
    for talk in talks[1:]:
        lines += ["%d %s\t%s" % (i, a, b) for i, (a, b) in enumerate(pairs_of([talk]), 1)]
    add(
        "personachat_silence.txt",
        "PersonaChat where __SILENCE__ stands for the missing first context of the first "
        "conversation; __SILENCE__ is not an utterance",
        "either",
        "\n".join(lines) + "\n",
        silent + talks[1:],
    )

    def parlai(talks, extra="", first=""):
        """Return the text:/labels: lines of ParlAI's format."""
        lines = []
        for talk in talks:
            couples = pairs_of([talk])
            for i, (a, b) in enumerate(couples):
                line = "text:" + (first if i == 0 else "") + a + "\tlabels:" + b + extra
                lines.append(line + ("\tepisode_done:True" if i == len(couples) - 1 else ""))
        return "\n".join(lines) + "\n"

    talks = take(4, even=True)
    add(
        "parlai_text_labels.txt",
        "ParlAI 'text:... TAB labels:...'; episode_done:True ends a conversation; the "
        "field names are no part of an utterance",
        "read",
        parlai(talks),
        talks,
    )

    talks = take(6, even=True)
    talks = as_talks(pairs_of(talks))
    add(
        "parlai_single_turns.txt",
        "ParlAI text/labels with episode_done:True on each line: every line a conversation of two",
        "read",
        parlai(talks),
        talks,
    )

    talks = take(3, even=True)
    add(
        "parlai_label_candidates.txt",
        "ParlAI text/labels with label_candidates, id and reward fields, which are no utterances",
        "read",
        parlai(talks, "\tlabel_candidates:maybe later|not today|ask my mother\tid:garden_talk\treward:0.5"),
        talks,
    )

    talks = take(3, even=True)
    add(
        "parlai_persona_in_text.txt",
        "ParlAI text/labels, the first text of each conversation begins with two "
        "persona lines and the two characters \\n as line break; a reader that keeps the persona as part of the "
        "first context is acceptable, the literal characters \\n are not; first_context given without personas",
        "either",
        parlai(talks, first="".join(text + "\\n" for text in mine)),
        talks,
    )

    story = [
        "1 Nora went to the kitchen.",
        "2 Tom took the lamp to the attic.",
        "3 Where is Nora? \tkitchen\t1",
        "4 Nora walked to the garden.",
        "5 Where is the lamp? \tattic\t2",
        "1 Lea is in the cellar.",
        "2 Lea picked up the apple.",
        "3 Where is the apple?\tcellar\t1 2",
    ]
    add(
        "babi_tasks.txt",
        "bAbI question answering tasks: numbered story lines, then question TAB answer TAB "
        "supporting line numbers; counters and line numbers are no utterances",
        "either",
        "\n".join(story) + "\n",
    )

    talks = take(2, even=True)
    dialogs = [
        {
            "personality": persona,
            "utterances": [
                {"candidates": ["i am a baker.", "the moon is far away.", talk[i + 1]], "history": talk[: i + 1]}
                for i in range(0, len(talk) - 1, 2)
            ],
        }
        for talk in talks
    ]
    add(
        "personachat_convai.json",
        "PersonaChat JSON with train/valid, personality, utterances of candidates and "
        "history: the true answer is the last candidate, histories grow; wrong candidates are no utterances",
        "either",
        dump({"train": dialogs, "valid": []}),
        talks,
    )
