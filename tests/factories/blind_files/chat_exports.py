"""Exports of chat programs."""

# ruff: noqa: UP031  (the sentences and numbers stay as they were first written)

import csv

from tests.factories.blind_files.records import add, dump, jsonl, table, take


def chats():
    """Exports of chat programs."""
    no = "; how messages are cut into conversations is free"
    names = ["Paula", "Erik Holm"]
    talk = take(1)[0] + take(1)[0]
    lines = ["3/14/23, 9:0%d PM - %s: %s" % (i % 10, names[i % 2], x) for i, x in enumerate(talk)]
    lines.insert(
        0,
        "3/14/23, 8:59 PM - Messages and calls are end-to-end encrypted. No one outside of this chat, "
        "not even WhatsApp, can read or listen to them.",
    )
    lines.insert(4, "3/14/23, 9:03 PM - Paula: <Media omitted>")
    add(
        "whatsapp_android.txt",
        "WhatsApp export, 'M/D/YY, H:MM PM - Name: text'; the encryption notice and <Media "
        "omitted> are no utterances, times and names no part of one" + no,
        "either",
        "\n".join(lines) + "\n",
        [talk],
        "",
    )

    talk = take(1)[0] + take(1)[0]
    lines = ["[14.03.23, 21:0%d:17] %s: %s" % (i % 10, names[i % 2], x) for i, x in enumerate(talk)]
    lines.insert(2, "\u200e[14.03.23, 21:02:00] Erik Holm: \u200eimage omitted")
    lines.append("[14.03.23, 21:30:00] Paula: One more thing.\nBring the big umbrella.")
    if len(talk) % 2:
        lines[-1] = lines[-1].replace("Paula", "Erik Holm")
    add(
        "whatsapp_ios.txt",
        "WhatsApp export, '[DD.MM.YY, HH:MM:SS] Name: text', CRLF; 'image omitted' is no "
        "utterance; the last message has two lines (one utterance)" + no,
        "either",
        "\r\n".join(lines) + "\r\n",
        [[*talk, "One more thing.\nBring the big umbrella."]],
        "",
    )

    talk = take(1)[0]
    rows = [
        {
            "id": i + 2,
            "type": "message",
            "date": "2023-05-01T10:0%d:00" % i,
            "from": names[i % 2],
            "from_id": "user%d" % (i % 2),
            "text": x,
        }
        for i, x in enumerate(talk)
    ]
    rows[1]["text"] = [talk[1][:9], {"type": "bold", "text": talk[1][9:]}]
    rows.insert(
        0,
        {
            "id": 1,
            "type": "service",
            "date": "2023-05-01T09:59:00",
            "actor": "Paula",
            "action": "phone_call",
            "text": "",
        },
    )
    add(
        "telegram.json",
        "Telegram export (result.json): messages of type message; text is a string or a list of "
        "strings and objects to be joined; service messages are no utterances" + no,
        "either",
        dump({"name": "Paula", "type": "personal_chat", "id": 99, "messages": rows}, indent=1),
        [talk],
        "",
    )

    talk = take(1)[0]
    rows = [
        {
            "id": str(900 + i),
            "type": "Default",
            "timestamp": "2024-02-02T18:0%d:00+00:00" % i,
            "content": x,
            "author": {"id": str(i % 2), "name": ["moss", "juniper"][i % 2], "isBot": False},
            "attachments": [],
        }
        for i, x in enumerate(talk)
    ]
    add(
        "discord.json",
        "Discord chat exporter JSON: guild, channel, messages with content and author" + no,
        "either",
        dump(
            {
                "guild": {"id": "1", "name": "Garden club"},
                "channel": {"id": "2", "name": "general"},
                "messages": rows,
                "messageCount": len(rows),
            }
        ),
        [talk],
        "",
    )

    talk = take(1)[0] + take(1)[0]
    text = "=" * 62 + "\nGuild: Garden club\nChannel: Text / general\n" + "=" * 62 + "\n\n"
    text += "".join(
        "[02-Feb-24 06:0%d PM] %s\n%s\n\n" % (i % 10, ["moss", "juniper"][i % 2], x) for i, x in enumerate(talk)
    )
    text += "=" * 62 + "\nExported %d message(s)\n" % len(talk) + "=" * 62 + "\n"
    add(
        "discord.txt",
        "Discord chat exporter text: a time and name line, then the message; the headings are no utterances" + no,
        "either",
        text,
        [talk],
        "",
    )

    talk = take(1)[0]
    rows = [["AuthorID", "Author", "Date", "Content", "Attachments", "Reactions"]]
    rows += [[i % 2, ["moss", "juniper"][i % 2], "2024-02-02T18:0%d:00" % i, x, "", ""] for i, x in enumerate(talk)]
    add(
        "discord.csv",
        "Discord chat exporter CSV: only Content holds utterances" + no,
        "either",
        table(rows, quoting=csv.QUOTE_ALL),
        [talk],
        "",
    )

    talks = take(2)
    folder = {
        "users.json": dump([{"id": "U1", "name": "paula"}, {"id": "U2", "name": "erik"}]),
        "channels.json": dump([{"id": "C1", "name": "lunch", "members": ["U1", "U2"]}]),
    }
    for n, talk in enumerate(talks):
        rows = [
            {"type": "message", "user": ["U1", "U2"][i % 2], "text": x, "ts": "170%d00010%d.000200" % (n, i)}
            for i, x in enumerate(talk)
        ]
        rows.insert(
            0,
            {
                "type": "message",
                "subtype": "channel_join",
                "user": "U2",
                "ts": "170%d000000.000100" % n,
                "text": "<@U2> has joined the channel",
            },
        )
        folder["lunch/2023-11-1%d.json" % n] = dump(rows, indent=1)
    add(
        "slack_export/",
        "Slack export folder: users.json, channels.json and one JSON array of messages per channel "
        "and day; channel_join is not an utterance" + no,
        "either",
        folder,
        talks,
        "",
    )

    talk = take(1)[0]
    rows = [
        {"type": "message", "user": ["U1", "U2"][i % 2], "text": x, "ts": "170000010%d.000200" % i}
        for i, x in enumerate(talk)
    ]
    add(
        "slack_day.json",
        "one day of a Slack export: JSON array of messages with type, user, text, ts; user and ts "
        "are no utterances" + no,
        "either",
        dump(rows, indent=1),
        [talk],
        "",
    )

    talk = take(1)[0]
    rows = [
        {"sender_name": names[i % 2], "timestamp_ms": 1600000000000 + i * 60000, "content": x, "type": "Generic"}
        for i, x in enumerate(talk)
    ]
    add(
        "messenger.json",
        "Facebook Messenger export: participants and messages (sender_name, content), newest first: "
        "order by timestamp_ms; file order is a misreading" + no,
        "either",
        dump({"participants": [{"name": n} for n in names], "messages": rows[::-1], "title": "Paula"}, indent=1),
        [talk],
        "",
    )

    talk = take(1)[0] + take(1)[0]
    lines = ["[10:%02d] <%s> %s" % (15 + i, ["anke", "rolf_"][i % 2], x) for i, x in enumerate(talk)]
    lines.insert(0, "[10:14] *** rolf_ (~rolf@example.org) has joined #garden")
    lines.append("[10:40] *** anke has quit IRC (Quit: lunch)")
    add(
        "irc_brackets.log",
        "IRC log, '[HH:MM] <nick> text'; join and quit lines are no utterances, times and nicks no part of one" + no,
        "either",
        "\n".join(lines) + "\n",
        [talk],
        "",
    )

    talk = take(1)[0] + take(1)[0]
    lines = [
        "{} <{}{}> {}".format("10:%02d" % (15 + i), " @"[i % 2], ["anke", "rolf"][i % 2], x) for i, x in enumerate(talk)
    ]
    lines.insert(0, "--- Log opened Mon Mar 06 10:14:02 2023")
    lines.insert(2, "10:15 -!- tilda [~t@example.org] has joined #garden")
    lines.insert(4, "10:17  * anke waves at everybody")
    lines.append("--- Log closed Mon Mar 06 11:00:00 2023")
    add(
        "irssi.txt",
        "irssi log, 'HH:MM < nick> text', with --- and -!- lines, which are no utterances, and one "
        "action line ' * nick ...', which may be left out (not counted)" + no,
        "either",
        "\n".join(lines) + "\n",
        [talk],
        "",
    )

    talks = take(3)
    rows = []
    for n, talk in enumerate(talks):
        for i, x in enumerate(talk):
            rows.append(
                {
                    "id": "c%d%d" % (n, i),
                    "parent_id": "t1_c%d%d" % (n, i - 1) if i else "t3_post%d" % n,
                    "link_id": "t3_post%d" % n,
                    "author": ["mossy", "quill"][i % 2],
                    "body": x,
                    "score": 3,
                    "created_utc": 1500000000 + n * 1000 + i,
                    "subreddit": "CasualTalk",
                }
            )
    rows.append(
        {
            "id": "zz",
            "parent_id": "t1_c00",
            "link_id": "t3_post0",
            "author": "[deleted]",
            "body": "[deleted]",
            "score": 1,
            "created_utc": 1500009999,
            "subreddit": "CasualTalk",
        }
    )
    add(
        "reddit_comments.jsonl",
        "Reddit comments: JSON lines linked by parent_id; only body is the utterance, a [deleted] comment is none",
        "either",
        jsonl(rows),
        talks,
    )
