"""Tables of numbers, lists of words, prose and verse."""

# ruff: noqa: UP031  (the sentences and numbers stay as they were first written)

from tests.factories.blind_files.records import add, joined


def lists_and_prose():
    """Numbers, words, prose and verse, which are not conversations."""

    def refuse(name, what, text, encoding="utf-8"):
        """Register a file that should be refused."""
        add(name, what, "refuse", text, encoding=encoding)

    refuse(
        "sales.csv",
        "CSV table of sales: no column holds utterances",
        """date,shop,item,amount,price
2024-01-02,north,loaf,12,3.20
2024-01-02,south,loaf,7,3.20
2024-01-02,north,roll,80,0.45
2024-01-03,north,loaf,10,3.20
2024-01-03,south,roll,55,0.45
2024-01-03,south,cake,2,18.00
""",
    )
    refuse(
        "reviews.tsv",
        "TSV of label and text (sentiment): single texts, not pairs; the label is no context",
        joined(
            [
                ["label", "text"],
                ["pos", "The bread was warm and the staff were kind."],
                ["neg", "We waited an hour for a cold soup."],
                ["pos", "Best garden in town."],
                ["neg", "The chairs wobble."],
                ["pos", "I would come back for the jam alone."],
            ]
        ),
    )
    refuse(
        "vocabulary.tsv",
        "word list with counts (word TAB number): two columns, but no contexts and answers",
        joined(
            [["the", 9120], ["and", 7044], ["duck", 512], ["umbrella", 77], ["pond", 64], ["loaf", 31], ["ladder", 12]]
        ),
    )
    refuse(
        "vectors.txt",
        "word vectors: a word and numbers on each line",
        "".join(
            "{} {}\n".format(w, " ".join("%.4f" % ((i * 37 + k * 11) % 100 / 50 - 1) for k in range(8)))
            for i, w in enumerate(["duck", "pond", "loaf", "rain", "choir", "ladder", "soup"])
        ),
    )
    refuse(
        "word_list.txt",
        "a list of words, one per line",
        "\n".join(
            [
                "apple",
                "badger",
                "candle",
                "dagger",
                "eagle",
                "feather",
                "garden",
                "hammer",
                "island",
                "jacket",
                "kettle",
                "ladder",
            ]
        )
        + "\n",
    )
    refuse(
        "numbers.txt",
        "a table of numbers",
        "".join("  ".join("%8.3f" % (row * 1.7 + col * 0.31) for col in range(5)) + "\n" for row in range(8)),
    )
    refuse(
        "numbers.csv",
        "a CSV table of numbers with a header",
        "x,y,z\n" + "".join("%d,%.2f,%.2f\n" % (i, i * 0.5, 10 - i) for i in range(8)),
    )
    refuse(
        "novel.txt",
        "one paragraph of a novel's prose, broken into lines at a fixed width: the lines are no "
        "utterances (hard to tell from plain text; a clear warning is nearly as good as a refusal)",
        """The winter in which my grandmother decided to give up speaking was the coldest
that anyone in the valley could remember. She did not announce it; she merely
put down her cup one evening, looked at the four of us as if we were a page she
had finished reading, and said nothing more until the end of April. My uncle,
who had opinions about everything, thought that it was a matter of the throat
and brought her honey from the far side of the mountain, where the bees were
said to be older. My mother believed that it was grief, though for whom she
could not have told. I alone was not troubled, since I had never talked much
with her in any case, and so it was to me that she first showed the letters.
""",
    )
    refuse(
        "poem.txt",
        "a poem with two stanzas: the lines are no utterances and the stanzas no conversations (hard to "
        "tell from plain text; a clear warning is nearly as good as a refusal)",
        """The kettle hums a silver tune,
    The window wears a coat of frost,
And somewhere underneath the moon
    A single yellow glove is lost.

O glove, who held the hand of May,
    Who brushed the crumbs from garden chairs,
Lie still until the break of day,
    When someone finds you, and despairs.
""",
    )
    refuse(
        "one_long_line.txt",
        "a very long single line of prose (over 8000 characters) without line end: there is no answer to it",
        " ".join(
            "The gardener wrote down number %d and went on to the next row of beans, which was "
            "longer than the last." % i
            for i in range(1, 92)
        ),
    )
