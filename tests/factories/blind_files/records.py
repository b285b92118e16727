"""The records of the files, the invented conversations in them, and the forms in which several files write them."""

import csv
import io
import itertools
import json

COLUMNS = ["file", "what_it_is", "verdict", "conversations", "utterances", "first_context", "first_answer"]

EXPECTED = []  # one dictionary per file, folder or archive, with the keys in COLUMNS
FILES = {}  # path below the target folder -> the bytes to write

# Invented conversations: one utterance a line, a blank line between conversations.  Without tabs, double
# quotes, colons or digits at the start of a line, so that every format can hold them unchanged.
POOL = """
Did you feed the rabbit, or is she still waiting?
She had her carrots an hour ago, but she pretends otherwise.
Typical, she is a very good actress.
Then let us give her a prize instead of more food.

The bus was full again this morning.
So you walked all the way up the hill?
I did, and I was only five minutes late.
Nobody noticed, the boss was later than you.

Could you lend me your ladder for the weekend?
Of course, it is behind the shed, next to the bins.
Thank you, I want to clean the gutters before the rain comes.
Be careful, the third step is loose.
I will skip that one, I promise.

My sister is getting married in June.
How lovely, have you chosen something to wear?
Not yet, I am hoping for green.

What does this soup need?
A little lemon, I think, and more pepper.
You are right, it tastes flat without them.
Shall I cut some bread while you stir?
Yes please, the dark loaf is the fresh one.
It smells wonderful in here already.

I cannot find my glasses anywhere.
They are on your head, dear.
Oh, how embarrassing.
It happens to me about once a week.

Are you coming to choir tonight?
I have a sore throat, so I will only listen.
Bring some tea and sit by the heater.
That sounds like the best seat in the hall.

The printer says it has no paper, but the tray is full.
Take the paper out and tap it on the desk.
That worked, who taught you that?
Ten years in this office taught me.

Our train leaves at noon, so we should pack now.
I packed yesterday, while you were watching football.
Did you pack my charger as well?
It is in the side pocket, under the sandwiches.

Is this seat taken?
No, please sit down.
Thanks, my feet are killing me.
There is a bench outside too, if you want the sun.

We painted the hall yellow over the holidays.
Bright yellow, or something softer?
Like butter, it makes the whole house feel warm.

How was your first day at the bakery?
I burned a tray of rolls, and everyone clapped.
That means you belong to the team now.
They gave me the burnt ones to take home.

Can you hear that noise in the wall?
It sounds like a mouse, or maybe the pipes.
Pipes do not scratch, I am afraid.
Then I will ask the neighbour to lend us his cat.

Why are you up so early?
I wanted to see the fog over the lake.
Was it worth leaving a warm bed?
Completely, I even saw a heron.
Wake me next time, I love herons.

The doctor says I should walk more.
Come with me and the dog every evening, then.
Does he pull on the lead?
Only when he sees a squirrel, so about all the time.

Do you still play the guitar?
Hardly ever, my fingers have gone soft.
You should join us on Fridays, we are not very good either.
That is exactly the kind of band I need.

I think I left the oven on.
You say that every time we reach the motorway.
And once I was right.
Fine, I will turn round at the next exit.

Which film do you want to see tonight?
Something short, because I have to be up at six.
There is a comedy about a lighthouse.
Perfect, I will bring the popcorn.

Your tomatoes look much better than mine.
I talk to them while I water them.
What do you talk about?
Mostly the weather, and sometimes politics.
No wonder they turn red.

Excuse me, does this tram go to the market?
It does, but you must change at the old bridge.
How many stops is that?
Four, I will tell you when we get there.

I passed my driving test at last.
Congratulations, I knew you would.
The examiner even laughed at my joke.

Have you seen how much snow fell last night?
I could hardly open the front door.
The children are already building something huge.
I think it is supposed to be a dinosaur.

Would you like the window or the aisle?
The window, if you do not mind.
Not at all, I will be asleep before we take off.
Lucky you, I can never sleep on planes.

This coffee tastes strange.
I used the salt jar by mistake.
And you watched me drink it?
I wanted to see whether you would notice.

The library wants its book back.
Which one, the atlas or the cookbook?
The cookbook, and it has jam on page ten.
Then we had better buy them a new one.

Guess who I met at the swimming pool.
Somebody from school, by the look of you.
Our old maths teacher, and she still swims faster than me.
She always said practice was everything.

My phone fell into the bath.
Put it in a bowl of rice, quickly.
We only have noodles.
Then put it on the heater and hope.

Are these mushrooms safe to eat?
I would not bet my dinner on it.
The book says they are fine when cooked.
The book is older than my grandmother.
And she is very healthy.
Because she never ate mushrooms.

Shall we take the stairs?
It is the ninth floor, you know.
The lift smells of fish today.
Stairs it is, then.

I dreamed that I could fly again.
Where did you go this time?
Over the supermarket, to see whether the queue was long.
Even your dreams are practical.

The dog ate my homework, honestly.
That is the oldest excuse in the world.
I have a photograph of him doing it.
Then you may hand it in on Monday.

Could we have a table for three, please?
Inside, or out in the garden?
In the garden, as long as there is shade.
Follow me, the one under the pear tree is free.

How do you keep your kitchen so tidy?
I never cook, that is the whole secret.
I had hoped for a better answer.

Somebody parked in front of our gate.
A blue van, with a surfboard on the roof?
Yes, do you know whose it is?
It is my cousin, he is early for once.

Did the parcel come today?
It came, but it is the wrong size.
Again, after you measured twice?
I measured in inches, and they sell in centimetres.

I would like to learn a new language.
Which one are you thinking of?
Portuguese, because I like the songs.
Start with the songs, then, and the rest will follow.
"""


def _split_pool(text):
    """Return the conversations of `text` as lists of utterances."""
    return [block.splitlines() for block in text.strip().split("\n\n")]


TALKS = _split_pool(POOL)
_NEXT = itertools.cycle(TALKS)


def take(count, even=False, comma=False):
    """Return the next `count` conversations of the pool.

    With `even`, only those with an even number of utterances, for formats which hold whole exchanges.
    With `comma`, the first one has a comma in its first or second utterance.
    """
    taken = []
    while len(taken) < count:
        talk = next(_NEXT)
        if even and len(talk) % 2:
            continue
        if comma and not taken and "," not in talk[0] + talk[1]:
            continue
        taken.append(list(talk))
    return taken


def add(name, what, verdict, content, talks=None, conversations=None, encoding="utf-8"):
    """Register one file, archive or folder together with its record.

    `content` is text, bytes, or for a folder a dictionary from inner path to text or bytes.  Counts and first
    texts come from `talks`.  Pass conversations="" where the number of utterances is clear but not how a
    reader should cut them into conversations.
    """
    if verdict not in ("read", "refuse", "either", "plain"):
        raise ValueError("unknown verdict " + verdict)
    if isinstance(content, dict):
        for inner, part in content.items():
            FILES[name + inner] = part.encode(encoding) if isinstance(part, str) else part
    else:
        if name in FILES:
            raise ValueError("written twice: " + name)
        FILES[name] = content.encode(encoding) if isinstance(content, str) else content
    row = dict.fromkeys(COLUMNS, "")
    row.update(file=name, what_it_is=what, verdict=verdict)
    if talks:
        row["conversations"] = len(talks) if conversations is None else conversations
        row["utterances"] = sum(len(talk) for talk in talks)
        row["first_context"], row["first_answer"] = talks[0][:2]
    EXPECTED.append(row)


def paragraphs(talks, end="\n"):
    """Return one utterance per line and a blank line between conversations."""
    return (end + end).join(end.join(talk) for talk in talks) + end


def pairs_of(talks):
    """Return the conversations of even length as (context, answer) couples, two by two."""
    return [(talk[i], talk[i + 1]) for talk in talks for i in range(0, len(talk) - 1, 2)]


def as_talks(pairs):
    """Return each couple as a conversation of two utterances."""
    return [list(pair) for pair in pairs]


def dump(value, **options):
    """Return JSON text with its characters as they are and a line end."""
    return json.dumps(value, ensure_ascii=False, **options) + "\n"


def jsonl(values):
    """Return one JSON value per line."""
    return "".join(dump(value) for value in values)


def table(rows, delimiter=",", quoting=csv.QUOTE_MINIMAL, end="\n"):
    """Return `rows` as delimited text, quoted by the rules of the csv module."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)
    return out.getvalue()


def joined(rows, delimiter="\t"):
    """Return `rows` as delimited text without any quoting."""
    return "".join(delimiter.join(str(cell) for cell in row) + "\n" for row in rows)


def spoken(talks, names, form="{}: {}", gap="\n"):
    """Return conversations with a speaker tag before each utterance, the names taking turns."""
    blocks = []
    for talk in talks:
        blocks.append("".join(form.format(names[i % len(names)], text) + "\n" for i, text in enumerate(talk)))
    return gap.join(blocks)
