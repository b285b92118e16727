"""Subtitles in several formats."""

# ruff: noqa: UP031  (the sentences and numbers stay as they were first written)

import re

from tests.factories.blind_files.records import add, take


def _clock(second, comma=","):
    """Return a subtitle time."""
    return "%02d:%02d:%02d%s500" % (second // 3600, second // 60 % 60, second % 60, comma)


def subtitles():
    """SRT, WebVTT, OpenSubtitles and other subtitle formats."""
    no = "; numbers, times and tags are no part of an utterance; how cues are cut into conversations is free"
    talk = take(1)[0] + take(1)[0]

    def srt(cues):
        """Return SRT text for a list of cue texts."""
        return "".join(
            "%d\n%s --> %s\n%s\n\n" % (i, _clock(i * 3), _clock(i * 3 + 2), x) for i, x in enumerate(cues, 1)
        )

    add("film.srt", "SubRip subtitles" + no, "either", srt(talk), [talk], "")

    talk = take(1)[0]
    cues = [f"<i>{talk[0]}</i>", f"- {talk[1]}\n- {talk[2]}", "This line is far too long\nto fit on the screen."]
    add(
        "film_two_speakers.srt",
        "SubRip subtitles with <i> tags, a cue of two speakers ('- ' lines, two utterances) "
        "and a cue broken over two lines (one utterance), CRLF and BOM" + no,
        "either",
        srt(cues).replace("\n", "\r\n"),
        [[*talk[:3], "This line is far too long to fit on the screen."]],
        "",
        encoding="utf-8-sig",
    )

    talk = take(1)[0] + take(1)[0]
    add("film_srt_named.txt", "SubRip subtitles in a file named .txt" + no, "either", srt(talk), [talk], "")

    talk = take(1)[0] + take(1)[0]
    text = "WEBVTT\n\nNOTE made for a test\n\n" + "".join(
        "{} --> {} align:start\n<v {}>{}\n\n".format(
            _clock(i * 3, "."), _clock(i * 3 + 2, "."), ["Ann", "Bob"][i % 2], x
        )
        for i, x in enumerate(talk)
    )
    add("talk.vtt", "WebVTT with a NOTE, cue settings and voice tags <v Name>" + no, "either", text, [talk], "")

    talk = take(1)[0]
    body = []
    for i, sentence in enumerate(talk, 1):
        words = re.findall(r"\w+|[^\w\s]", sentence)
        body.append(
            '  <s id="%d">\n    <time id="T%dS" value="%s" />\n    %s\n  </s>\n'
            % (i, i, _clock(i * 3), "".join('<w id="%d.%d">%s</w>' % (i, k, w) for k, w in enumerate(words, 1)))
        )
    add(
        "opensubtitles.xml",
        "OpenSubtitles XML: <s> with <time> and one <w> per word; spaces before punctuation are "
        "fine in the joined text" + no,
        "either",
        '<?xml version="1.0" encoding="utf-8"?>\n<document id="77">\n' + "".join(body) + "</document>\n",
        [talk],
        "",
    )

    talk = take(1)[0] + take(1)[0]
    add(
        "OpenSubtitles.en",
        "OpenSubtitles in the Moses layout: one subtitle line per line, no marks at all",
        "plain",
        "\n".join(talk) + "\n",
        [talk],
    )

    talk = take(1)[0] + take(1)[0]
    add(
        "film.sub",
        "MicroDVD subtitles {start}{end}text; | breaks a line" + no,
        "either",
        "".join("{%d}{%d}%s\n" % (i * 75, i * 75 + 50, x) for i, x in enumerate(talk, 1)),
        [talk],
        "",
    )

    talk = take(1)[0]
    text = (
        "[Script Info]\nTitle: A test\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
        "Style: Default,Arial,20\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    )
    text += "".join(
        "Dialogue: 0,0:00:%02d.00,0:00:%02d.50,Default,,0,0,0,,{\\an8}%s\n" % (i * 4, i * 4 + 3, x)
        for i, x in enumerate(talk)
    )
    add(
        "film.ass",
        "Advanced SubStation Alpha subtitles; the text is the tenth field of Dialogue lines and may hold "
        "commas; {\\an8} is markup" + no,
        "either",
        text,
        [talk],
        "",
    )
