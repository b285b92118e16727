"""Transcripts with the tags of speakers of many kinds."""

# ruff: noqa: UP031  (the sentences and numbers stay as they were first written)

import re
from xml.sax.saxutils import escape

from tests.factories.blind_files.records import add, as_talks, pairs_of, spoken, take


def transcripts():
    """Transcripts with speaker tags of many kinds."""
    tags = "; the tags are no part of an utterance"
    talks = take(3)
    add(
        "switchboard_ab.txt",
        "Switchboard-like transcript, 'A:' and 'B:', blank lines between conversations" + tags,
        "read",
        spoken(talks, "AB"),
        talks,
    )

    talks = take(3)
    add(
        "person_1_2.txt",
        "transcript with 'Person 1:' and 'Person 2:', blank lines between conversations" + tags,
        "read",
        spoken(talks, ["Person 1", "Person 2"]),
        talks,
    )

    talk = [take(1)[0] + take(1)[0]]
    add(
        "interview.txt",
        "interview with 'Name:' speakers (one of two words)" + tags,
        "read",
        spoken(talk, ["Interviewer", "Rosa Blum"]),
        talk,
    )

    talk = [take(1)[0] + take(1)[0]]
    add(
        "interview_spaced.txt",
        "interview with 'Name:' speakers and a blank line after every utterance: one "
        "conversation, not one per line" + tags,
        "read",
        spoken(talk, ["Host", "Guest"]).replace("\n", "\n\n"),
        talk,
    )

    talks = [
        [
            "Tell us about the shop. How did it begin?",
            "With a borrowed table. My uncle gave me his old sewing machine, and I put it in the window.",
            "And people came in?",
            "Slowly, yes. At first only to ask the time.",
        ]
    ]
    text = (
        "HOST: Tell us about the shop.\nHow did it begin?\nMS BLUM: With a borrowed table.\nMy uncle gave me his "
        "old sewing machine,\nand I put it in the window.\nHOST: And people came in?\nMS BLUM: Slowly, yes.\n"
        "At first only to ask the time.\n"
    )
    add(
        "interview_wrapped.txt",
        "interview with 'NAME:' speakers whose utterances run over several lines; lines "
        "without a tag continue the utterance, joined by a space" + tags,
        "either",
        text,
        talks,
    )

    talks = take(3)
    add(
        "three_speakers.txt",
        "transcript with three names in turn" + tags,
        "read",
        spoken(talks, ["Ella", "Max", "Grandma"]),
        talks,
    )

    pairs = pairs_of(take(4, even=True))
    add(
        "q_and_a.txt",
        "'Q:' and 'A:' pairs, a blank line between pairs" + tags,
        "read",
        "\n".join("Q: {}\nA: {}\n".format(*pair) for pair in pairs),
        as_talks(pairs),
    )

    pairs = pairs_of(take(4, even=True))
    add(
        "q_and_a_no_gap.txt",
        "'Q:' and 'A:' lines without blank lines; pairs or one conversation, the number of "
        "conversations is free" + tags,
        "either",
        "".join("Q: {}\nA: {}\n".format(*pair) for pair in pairs),
        as_talks(pairs),
        "",
    )

    talks = take(3, even=True)
    add(
        "user_bot.txt",
        "transcript with 'User:' and 'Bot:', conversations separated by a line '---', which is not an utterance" + tags,
        "read",
        spoken(talks, ["User", "Bot"], gap="---\n"),
        talks,
    )

    talks = take(3, even=True)
    add(
        "human_assistant_hashes.txt",
        "transcript with '### Human:' and '### Assistant:', one conversation per paragraph" + tags,
        "either",
        spoken(talks, ["Human", "Assistant"], "### {}: {}"),
        talks,
    )

    talks = take(2, even=True)
    text = "\n".join(
        "".join("<|im_start|>{}\n{}<|im_end|>\n".format(["user", "assistant"][i % 2], x) for i, x in enumerate(t))
        for t in talks
    )
    add(
        "chatml.txt",
        "ChatML text: <|im_start|>role, text, <|im_end|>; a blank line between conversations" + tags,
        "either",
        text,
        talks,
    )

    talks = take(3)
    add(
        "bold_names.md",
        "Markdown transcript with '**Name:** text', conversations under headings, which are no utterances" + tags,
        "either",
        "\n".join(
            "## Talk %d\n\n%s" % (i + 1, spoken([t], ["Ida", "Ben"], "**{}:** {}\n")) for i, t in enumerate(talks)
        ),
        talks,
    )

    talks = take(2)
    text = "".join(
        "".join("[00:%02d:%02d] %s: %s\n" % (n, i * 7, ["Speaker 1", "Speaker 2"][i % 2], x) for i, x in enumerate(t))
        + "\n"
        for n, t in enumerate(talks)
    )
    add(
        "timed_transcript.txt",
        "transcript with '[HH:MM:SS] Speaker N:' in front of each utterance; times and tags "
        "are no part of it; a blank line between conversations",
        "either",
        text,
        talks,
    )

    play = """INT. KITCHEN - NIGHT

Rain on the window. OLGA (60) peels potatoes. PIT (17) comes in, wet.

                    OLGA
          Where is your umbrella?

                    PIT
               (shaking his hair)
          I gave it to a duck.

                    OLGA
          To a duck.

She puts down the knife.

                    PIT
          It looked cold.

                                                  CUT TO:

EXT. POND - NIGHT

A duck sits under a red umbrella.
"""
    add(
        "screenplay.txt",
        "screenplay: scene headings, action, names in capitals above indented speech, parentheses; "
        "only the speech holds utterances",
        "either",
        play,
        [["Where is your umbrella?", "I gave it to a duck.", "To a duck.", "It looked cold."]],
    )

    add(
        "swda.utt",
        "Switchboard Dialogue Act .utt file: header, then act tag, speaker and turn, 'uttN:', text with "
        "{F uh, } and / marks; none of this markup belongs in an utterance",
        "either",
        "FILENAME:\t9001_1111_2222\nTOPIC#:\t\t301\nDATE:\t\t920323\nTRANSCRIBER:\tnone\n\n" + "=" * 75 + "\n\n"
        "o          A.1 utt1: Okay. /\n\nqy         A.1 utt2: {F Uh, } do you keep any pets? /\n\n"
        "ny         B.2 utt1: Yes, /\n\nsd         B.2 utt2: [ we, + we ] have two old cats. /\n\n"
        "b          A.3 utt1: Uh-huh. /\n\nsd         B.4 utt1: {C And } a fish. /\n",
    )

    add(
        "childes.cha",
        "CHILDES CHAT transcript: @ headers, *CHI: and *MOT: lines, %mor: tiers; only * lines hold "
        "utterances, without the codes",
        "either",
        "@UTF8\n@Begin\n@Languages:\teng\n@Participants:\tCHI Child, MOT Mother\n*MOT:\twhat is that ?\n"
        "%mor:\tpro|what cop|be&3S pro|that ?\n*CHI:\ta big boat .\n*MOT:\tand where is it going ?\n"
        "*CHI:\thome .\n%com:\tlaughs\n@End\n",
        [["what is that ?", "a big boat .", "and where is it going ?", "home ."]],
    )

    talks = take(4)
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<corpus>\n'
        + "".join(
            '  <dialogue id="%d">\n' % n
            + "".join('    <turn speaker="{}">{}</turn>\n'.format("AB"[i % 2], escape(x)) for i, x in enumerate(t))
            + "  </dialogue>\n"
            for n, t in enumerate(talks)
        )
        + "</corpus>\n"
    )
    add("dialogues.xml", "XML of <dialogue> and <turn speaker> elements", "either", text, talks)

    pairs = pairs_of(take(2, even=True))
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<aiml version="2.0">\n'
        + "".join(
            "  <category>\n    <pattern>{}</pattern>\n    <template>{}</template>\n  </category>\n".format(
                re.sub(r"[^\w ]", "", a).upper(), escape(b)
            )
            for a, b in pairs
        )
        + "</aiml>\n"
    )
    add(
        "bot.aiml",
        "AIML: categories of pattern (in capitals) and template",
        "either",
        text,
        [[re.sub(r"[^\w ]", "", a).upper(), b] for a, b in pairs],
    )

    talks = take(4)
    text = "categories:\n- home\nconversations:\n" + "".join(
        "".join(("- - " if i == 0 else "  - ") + x + "\n" for i, x in enumerate(t)) for t in talks
    )
    add(
        "chatterbot.yml",
        "ChatterBot YAML: categories and conversations, lists of lists of strings; the category is not an utterance",
        "either",
        text,
        talks,
    )
