"""Each file is read in its own format, or an error of one line says what the file looks like."""

# ruff: noqa: E501  (each sample is on one line)

import codecs
import itertools
import json
import re

import pytest

from gail_tf.data.spelling import as_written
from gail_tf.data.trajectories import read_trajectories
from glove.text_files import BadLines
from keras_gca.corpora.detection import detect, sample
from keras_gca.corpora.shapes import recognise
from keras_gca.data.conversations import FORMATS, read_corpus
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from tests.places import PROJECT

TWO = [("Hi there.", "Hello, Tom."), ("Is it late?", "Yes, it is nine.")]
LONG = [("Hi there.", "Hello, Tom.", "Is it late?"), ("Yes, it is nine.", "Bye.")]
JOINED = [("Hi there.", "Hello, Tom.", "Is it late?", "Yes, it is nine.")]


def lines(*parts: str) -> str:
    return "".join(part + "\n" for part in parts)


def json_lines(*values: object) -> str:
    return lines(*map(json.dumps, values))


CONVERSATIONS = [list(each) for each in TWO]
SAID = [[{"speaker": "AB"[i], "text": text} for i, text in enumerate(each)] for each in TWO]
CHATS = [[{"role": "system", "content": "Be kind."}, {"role": "user", "content": a}, {"role": "assistant", "content": b}]
         for a, b in TWO]  # fmt: skip
EMPATHETIC = "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags"
CONVOKIT = [
    {"id": "a2", "conversation_id": "a1", "text": TWO[0][1], "speaker": "Tim", "reply-to": "a1", "timestamp": 2},
    {"id": "a1", "conversation_id": "a1", "text": TWO[0][0], "speaker": "Ann", "reply-to": None, "timestamp": 1},
    {"id": "b1", "root": "b1", "text": TWO[1][0], "user": "Ann", "reply_to": None},
    {"id": "b2", "root": "b1", "text": TWO[1][1], "user": "Tim", "reply_to": "b1"},
    {"id": "b3", "root": "b1", "text": "No.", "user": "Tom", "reply_to": "b1"},
]

# name: the name of the file, its content, the format, and the conversations
READ: dict[str, tuple[str, str, str, list[tuple[str, ...]]]] = {
    "text": ("a.txt", "Hi there.\nHello, Tom.\n\nIs it late?\nYes, it is nine.\n", "text", TWO),
    "text with commas": ("a.txt", "Well, no.\nOh, yes.\nSo, why?\n", "text", [("Well, no.", "Oh, yes.", "So, why?")]),
    "text with a name": ("a.txt", "I know: him.\nHi.\nTom: no!\nOh.\n", "text", [("I know: him.", "Hi.", "Tom: no!", "Oh.")]),
    "text with one tab": ("a.txt", "A\tb.\nC.\nD.\n", "text", [("A\tb.", "C.", "D.")]),
    "text with numbers": ("a.txt", "2 apples.\nNo, 3.\nOh.\n5?\n", "text", [("2 apples.", "No, 3.", "Oh.", "5?")]),
    "text with an arrow": ("a.txt", "A --> B?\nYes.\nNo.\n", "text", [("A --> B?", "Yes.", "No.")]),
    "tags": ("a.txt", "A: Hi there.\nB: Hello, Tom.\n\nA: Is it late?\nB: Yes, it is nine.\n", "speakers", TWO),
    "persons": ("a.txt", lines("Person 1: Hi there.", "Person 2: Hello, Tom.", "Person 1: Is it late?", "Person 2: Yes, it is nine."), "speakers", JOINED),
    "names": ("a.txt", lines("Mrs O'Neill: Hi there.", "Tom: Hello, Tom.", "Mrs O'Neill: Is it late?", "Tom: Yes, it is nine."), "speakers", JOINED),
    "brackets": ("a.txt", lines("[Ann]: Hi there.", "[Tim]: Hello, Tom.", "[Ann]: Is it late?", "[Tim]: Yes, it is nine."), "speakers", JOINED),
    "questions": ("a.txt", lines("Q: Hi there.", "A: Hello, Tom.", "Q: Is it late?", "A: Yes, it is nine."), "speakers", TWO),
    "user and bot": ("a.txt", lines("user: Hi there.", "bot: Hello, Tom.", "", "user: Is it late?", "bot: Yes, it is nine."), "speakers", TWO),
    "text with lines between conversations": ("a.txt", "Hi there.\nHello, Tom.\n-----\nIs it late?\nYes, it is nine.\n", "text", TWO),
    "text with brackets": ("a.txt", "[sighs] Hi.\n{laughs} Yes.\nOh.\n", "text", [("[sighs] Hi.", "{laughs} Yes.", "Oh.")]),
    "tags with lines between conversations": ("a.txt", "User: Hi there.\nBot: Hello, Tom.\n---\nUser: Is it late?\nBot: Yes, it is nine.\n", "speakers", TWO),
    "tags with an empty line after each": ("a.txt", "".join(f"{'Ann' if i % 2 == 0 else 'Tim'}: {text}\n\n" for i, text in enumerate(JOINED[0])), "speakers", JOINED),
    "tags with more empty lines between conversations": ("a.txt", "Ann: Hi there.\n\nTim: Hello, Tom.\n\n\nAnn: Is it late?\n\nTim: Yes, it is nine.\n", "speakers", TWO),
    "tags with text over several lines": ("a.txt", "HOST: Hi\nthere.\nTOM: Hello,\nTom.\nHOST: Is it\nlate?\nTOM: Yes,\nit is nine.\n", "speakers", JOINED),
    "tags on lines of their own": ("a.txt", "Ann:\nHi there.\nTim:\nHello, Tom.\n\nAnn:\nIs it late?\nTim:\nYes, it is nine.\n", "speakers", TWO),
    "ChatML": ("a.txt", "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi there.<|im_end|>\n<|im_start|>assistant\nHello,\n\nTom.<|im_end|>\n\n<|im_start|>user\nIs it late?\n<|im_start|>assistant\nYes, it is nine.", "speakers", TWO),
    "tabs": ("a.txt", "Hi there.\tHello, Tom.\nIs it late?\tYes, it is nine.\n", "table", TWO),
    "tabs with a header": ("a.tsv", 'question\tanswer\nHi there.\tHello, Tom.\nIs it late?\t"Yes, it is nine."\n', "table", TWO),
    "pairs": ("a.csv", 'id,Question,Answer\n1,Hi there.,"Hello, Tom."\n2,Is it late?,"Yes, it is nine."\n', "table", TWO),
    "pairs of a spreadsheet": ("a.csv", "Input;Response\nHi there.;Hello, Tom.\nIs it late?;Yes, it is nine.\n", "table", TWO),
    "pairs in a text file": ("a.txt", 'prompt,completion\n"Hi there.","Hello, Tom."\n"Is it late?","Yes, it is nine."\n', "table", TWO),
    "pairs in quotation marks": ("a.csv", '"Hi there.","Hello, Tom."\n"Is it late?","Yes, it is nine."\n', "table", TWO),
    "lines in a field": ("a.csv", 'question,answer\n"Hi\nthere.","Hello,\r\nTom."\nIs it late?,"Yes, it is nine."\n', "table", TWO),
    "pairs with spaces after commas": ("a.csv", 'question, answer\n"Hi there.", "Hello, Tom."\n"Is it late?", "Yes, it is nine."\n', "table", TWO),
    "pairs in quotation marks with spaces": ("a.csv", '"Hi there.", "Hello, Tom."\n"Is it late?", "Yes, it is nine."\n', "table", TWO),
    "pairs with bars and spaces": ("a.csv", 'question | answer\nHi there. | "Hello, Tom."\n"Is it late?"| Yes, it is nine.\n', "table", TWO),
    "turns": ("a.csv", 'dialogueId,speaker,text\n1,A,Hi there.\n1,B,"Hello, Tom."\n2,A,Is it late?\n2,B,"Yes, it is nine."\n', "table", TWO),
    "turns out of order": ("a.tsv", "conversation_id\tturn\ttext\n1\t2\tHello, Tom.\n1\t1\tHi there.\n2\t10\tYes, it is nine.\n2\t9\tIs it late?\n", "table", TWO),
    "turns of a series": ("a.csv", 'Sr No.,Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID\n1,Hi there.,Al,joy,0,0\n2,"Hello, Tom.",Jo,joy,0,1\n3,Is it late?,Al,joy,1,0\n4,"Yes, it is nine.",Jo,joy,1,1\n', "table", TWO),
    "personas": ("a.txt", "1 your persona: i ski.\n2 partner's persona: i sing.\n3 Hi there.\tHello, Tom.\t\tNo.|Hello, Tom.\n1 your persona: i run.\n2 Is it late?\tYes, it is nine.\t\tNo.|Yes, it is nine.\n", "parlai", TWO),
    "episodes": ("a.txt", "1 Hi there.\tHello, Tom.\n1 Is it late?\tYes, it is nine.\n", "parlai", TWO),
    "an episode": ("a.txt", "1 Hi there.\tHello, Tom.\n2 Is it late?\tYes, it is nine.\n", "parlai", JOINED),
    "fields of ParlAI": ("a.txt", "text:your persona: i ski.\\nHi there.\tlabels:Hello, Tom.\tepisode_done:True\ntext:Is it late?\tlabels:Yes, it is nine.\tlabel_candidates:a|b\tepisode_done:True\n", "parlai", TWO),
    "DailyDialog": ("a.txt", "Hi there. __eou__ Hello, Tom. __eou__\nIs it late? __eou__ Yes, it is nine. __eou__\n", "dailydialog", TWO),
    "DailyDialog with labels": ("a.txt", "Hi there. __eou__ Hello, Tom. __eou__ # 1 2 # 0 4\nIs it late? __eou__ Yes, it is nine. __eou__ #### 0 0\n", "dailydialog", TWO),
    "DailyDialog with numbers": ("a.txt", "Hi there. __eou__ Hello, Tom. __eou__ 0 4\nIs it late? __eou__ Yes, it is nine. __eou__ 0 0\n", "dailydialog", TWO),
    "DailyDialog with columns of numbers": ("a.txt", "Hi there. __eou__ Hello, Tom. __eou__\t1 2\t0 4\nIs it late? __eou__ Yes, it is nine. __eou__\t2 1\t0 0\n", "dailydialog", TWO),
    "EmpatheticDialogues": ("a.csv", f"{EMPATHETIC}\nc1,1,sad,A_comma_ b,1,Hi there.,5,\nc1,2,sad,A,2,Hello_comma_ Tom.,5,\nc2,1,joy,B,3,Is it late?,5,\nc2,2,joy,B,4,Yes_comma_ it is nine.,5,\n", "empathetic", TWO),
    "EmpatheticDialogues with real commas": ("a.csv", f'{EMPATHETIC}\nc1,1,sad,"A, b",1,Hi there.,5,\nc1,2,sad,A,2,"Hello, Tom.",5,\nc2,1,joy,B,3,Is it late?,5,\nc2,2,joy,B,4,"Yes, it is nine.",5,\n', "empathetic", TWO),
    "EmpatheticDialogues of a spreadsheet": ("a.csv", 'conv_id;utterance_idx;context;prompt;speaker_idx;utterance;selfeval;tags\nc1;1;sad;A;1;Hi there.;5;\nc1;2;sad;A;2;Hello, Tom.;5;\nc2;1;joy;B;3;Is it late?;5;\nc2;2;joy;B;4;Yes_comma_ it is nine.;5;\n', "empathetic", TWO),
    "EmpatheticDialogues with other columns": ("a.csv", '"","conv_id","utterance_idx","utterance","context","speaker_idx"\n"0","c1","1","Hi there.","sad","1"\n"1","c1","2","Hello, Tom.","sad","2"\n"2","c2","1","Is it late?","joy","3"\n"3","c2","2","Yes, it is nine.","joy","4"\n', "empathetic", TWO),
    "EmpatheticDialogues with tabs": ("a.tsv", 'conv_id\tutterance_idx\tspeaker_idx\tutterance\nc1\t1\t1\tHi there.\nc1\t2\t2\tHello, Tom.\nc2\t1\t1\tIs it late?\nc2\t2\t2\tYes, it is nine.\n', "empathetic", TWO),
    "JSON lines": ("a.jsonl", json_lines(*CONVERSATIONS), "jsonl", TWO),
    "JSON lines of texts in a text file": ("a.txt", json_lines(*CONVERSATIONS), "jsonl", TWO),
    "JSON lines of utterances": ("a.jsonl", json_lines(*({"dialog_id": n, "turn": i, "speaker": "AB"[i], "text": TWO[n][i]} for n, i in ((0, 1), (0, 0), (1, 0), (1, 1)))), "jsonl", TWO),
    "JSON lines of objects": ("a.jsonl", json_lines(*({"utterances": each} for each in SAID)), "jsonl", TWO),
    "JSON lines of messages": ("a.jsonl", json_lines(*({"messages": each} for each in CHATS)), "jsonl", TWO),
    "JSON lines of pairs": ("a.jsonl", json_lines(*({"prompt": a, "completion": b} for a, b in TWO)), "jsonl", TWO),
    "JSON lines of DailyDialog": ("a.jsonl", json_lines(*({"dialog": each, "act": [1, 2], "emotion": [0, 4]} for each in CONVERSATIONS)), "jsonl", TWO),
    "a list in a line": ("a.json", json.dumps(CONVERSATIONS), "json", TWO),
    "a printed list": ("a.json", json.dumps(CONVERSATIONS, indent=2), "json", TWO),
    "a printed list of objects": ("a.json", json.dumps([{"id": 1, "dialogue": each} for each in SAID], indent=1), "json", TWO),
    "a printed list in a text file": ("a.txt", json.dumps(CONVERSATIONS, indent=4), "json", TWO),
    "a printed list under another name": ("a.jsonl", json.dumps(CONVERSATIONS, indent=4), "json", TWO),
    "an object of conversations": ("a.json", json.dumps({"version": 1, "data": [{"turns": each} for each in SAID]}), "json", TWO),
    "an object with names of conversations": ("a.json", json.dumps({"a": {"log": SAID[0]}, "b": {"log": SAID[1]}}, indent=1), "json", TWO),
    "a list of pairs": ("a.json", json.dumps([{"instruction": "", "question": a, "answer": b} for a, b in TWO]), "json", TWO),
    "a list of utterances": ("a.json", json.dumps([{"conversation_id": n, "text": TWO[n][i], "turn": i} for n, i in ((0, 1), (0, 0), (1, 0), (1, 1))]), "json", TWO),
    "an object of utterances": ("a.json", json.dumps({"data": [{"dialog_id": f"d{n}", "text": TWO[n][i], "turn": i} for n, i in ((0, 1), (0, 0), (1, 0), (1, 1))]}), "json", TWO),
    "a printed list of utterances": ("a.json", json.dumps([{"conversation_id": n, "text": text} for n, pair in enumerate(TWO) for text in pair], indent=1), "json", TWO),
    "a list of chats": ("a.json", json.dumps([{"id": "x", "conversations": [{"from": "human", "value": a}, {"from": "gpt", "value": b}]} for a, b in TWO]), "json", TWO),
    "PersonaChat in JSON": ("a.json", json.dumps({"train": [{"personality": ["i ski."], "utterances": [{"candidates": ["No.", b], "history": [a]}]} for a, b in TWO]}), "json", TWO),
    "ConvoKit": ("utterances.jsonl", json_lines(*CONVOKIT), "convokit", TWO),
}  # fmt: skip

# name: the name of the file, its content, and what the message says
REFUSED: dict[str, tuple[str, str | bytes, str]] = {
    "subtitles": ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nHi.\n\n2\n00:00:03,000 --> 00:00:04,000\nYes.\n", "subtitles"),
    "web subtitles": ("a.txt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHi.\n", "subtitles"),
    "scripted subtitles": ("a.txt", "[Script Info]\nTitle: x\n\n[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,,Hi.\n", "subtitles"),
    "a chat with dates": ("a.txt", "12/31/20, 9:41 PM - Ann: Hi.\n12/31/20, 9:42 PM - Tim: Hello.\n", "a chat export"),
    "a chat with dates in brackets": ("a.txt", "[31.12.20, 21:41:07] Ann: Hi.\n[31.12.20, 21:42:00] Tim: Hello.\n", "a chat export"),
    "a chat with times": ("a.log", "[12:34] <ann> Hi.\n[12:35] <tim> Hello.\n", "a chat export"),
    "a chat with long dates": ("a.txt", "2020-12-31T21:41:07Z ann Hi.\n2020-12-31T21:42:07Z tim Hello.\n", "a chat export"),
    "numbers": ("a.txt", "1. Hi.\n2. Hello.\n3. Bye.\n4. See you.\n", "a number at the beginning of each line"),
    "fields": ("a.txt", "context: Hi.\nresponse: Hello.\nscore: 3\ncontext: Bye.\nresponse: No.\nscore: 2\n", "named fields, such as context:"),
    "YAML": ("a.yml", "categories:\n- greetings\nconversations:\n- - Hi.\n  - Hello.\n", "YAML"),
    "XML": ("a.xml", '<?xml version="1.0"?>\n<dialog>\n<s>Hi.</s>\n<s>Hello.</s>\n</dialog>\n', "XML or HTML"),
    "HTML": ("a.html", "<!DOCTYPE html>\n<html>\n<p>Hi.</p>\n</html>\n", "XML or HTML"),
    "bars": ("a.txt", "Hi. ||| Hello. ||| Bye.\nNo. ||| Yes.\n", "the separator |||"),
    "marks of a separator": ("a.txt", "Hi. <sep> Hello.\nNo. <sep> Yes.\n", "the separator <sep>"),
    "Ubuntu": ("a.csv", "Context,Utterance,Label\nhi __eou__ __eot__ hello __eou__ __eot__,yes __eou__,1\n", "the Ubuntu Dialogue Corpus"),
    "labels with tabs": ("a.txt", "ham\tHi there, Tom.\nspam\tBuy this now.\nham\tSee you.\nham\tNo, thanks.\n", "a tab-separated table"),
    "three columns with tabs": ("a.txt", "Go.\tVa !\tCC-BY 1\nRun.\tCours !\tCC-BY 2\n", "a tab-separated table"),
    "tweets": ("a.csv", "tweet_id,time,text\n1,12,Joy to all.\n2,13,Peace to all.\n", "a table whose first line"),
    "reviews": ("a.txt", "id,stars,comment\n1,5,Very good.\n2,1,Very bad.\n", "a table whose first line"),
    "columns without names": ("a.txt", '"1","Hi there.","Hello."\n"2","Bye.","No."\n', "a table without a line of column names"),
    "lines of a series": ("a.csv", "name,line\nAnn,Hi there.\nTim,Hello.\n", "a table whose first line"),
    "Markdown": ("a.md", "# Talks\n\nA text.\nMore.\n\n## Usage\n\nAnother text.\n", "Markdown"),
    "SQL": ("a.sql", "CREATE TABLE a (b text);\nINSERT INTO a VALUES ('Hi.');\n", "SQL"),
    "a program": ("a.py", "import re\n\n\ndef main():\n    return re\n", "a program"),
    "vectors": ("a.txt", "the 0.1 0.2 -0.3 0.4\nof 0.1 0.2 -0.3 0.5\n", "word vectors"),
    "labels": ("dialogues_act.txt", "1 2 1\n2 1\n3 4 1\n", "number"),
    "a log": ("a.txt", "2024-01-05 10:00:01,201 INFO start\n2024-01-05 10:00:02,301 INFO stop\n", "or a log"),
    "a chat with names of months": ("a.txt", "Guild: Garden\nChannel: general\n\n[02-Feb-24 06:01 PM] moss\nHi.\nAre you there?\n\n[02-Feb-24 06:02 PM] fern\nYes.\nI am.\n", "a chat export"),
    "settings": ("a.txt", "Model: Kettle\nColour: steel\nWeight: 1.2 kg\nManual: yes\n", "named fields, such as Model:"),
    "settings in sections": ("a.ini", "[display]\nwidth: 1280\ntheme = dark\n\n[sound]\nvolume: 70\n", "settings in sections"),
    "YAML of settings": ("a.txt", "name: build\non: push\njobs:\n  test:\n    steps:\n      - run: make\n", "YAML"),
    "trees": ("a.txt", "(S (NP (DT The) (NN cat)) (VP (VBZ sits)))\n(S (NP (PRP It)) (VP (VBZ eats)))\n", "the trees of a treebank"),
    "columns of words and tags": ("a.txt", "The DT\ncat NN\nsits VBZ\n. .\n\nIt PRP\neats VBZ\n", "the columns of a treebank"),
    "columns with tabs": ("a.txt", "# text = It eats\n" + "".join(f"{i}\t{word}\t_\tX\t_\t_\t0\troot\t_\t_\n" for i, word in enumerate(("It", "eats", "."), 1)), "the columns of a treebank"),
    "an e-mail": ("a.txt", "From: a@b.org\nTo: c@d.org\nSubject: Rain\n\nHi Tom,\n\nit rains.\n", "an e-mail"),
    "a patch": ("a.txt", "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n", "a patch"),
    "a calendar": ("a.txt", "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n", "a calendar"),
    "BibTeX": ("a.txt", "@book{pond,\n  title = {Ponds},\n}\n", "BibTeX"),
    "words": ("a.txt", "apple\nbadger\ncandle\ndagger\neagle\nfeather\ngarden\nhammer\nisland\n", "a list of words"),
    "names": ("a.txt", "\n".join(f"{first} {last}" for first in ("Ann", "Tim", "Tom", "Eve", "Pam") for last in ("Hill", "Wood", "Lane", "Field")), "a list of words"),
    "prose": ("a.txt", "The winter in which she gave up speaking was the\ncoldest that anyone could remember. She did not\nannounce it; she merely put down her cup. We were\nas a page that she had finished, and she said\nnothing until the end of April.\n", "prose broken into lines"),
    "verse": ("a.txt", "The kettle hums a tune,\nThe window wears a coat,\nAnd underneath the moon\nThere lies a little boat.\n", "verse"),
    "a play": ("a.txt", "ANN\nWhere is it?\n\nTIM\nIn the box.\n\nANN\nI see.\n\nTIM\nGood.\n", "a screenplay or a play"),
    "CHILDES": ("a.cha", "@Begin\n*MOT:\twhat is that ?\n%mor:\tpro|what ?\n*CHI:\ta boat .\n@End\n", "a transcript of CHILDES"),
    "Switchboard": ("a.utt", "o          A.1 utt1: Okay. /\nny         B.2 utt1: Yes, /\n", "the Switchboard Dialogue Act corpus"),
    "weights": ("a.tsv", "0.0 Hi. EOS 1.0 Hello.\t1.0 Bye.\n1.0 Is it late?\t1.0 Yes.\n", "the training rows of DialoGPT"),
    "tags of some lines": ("a.txt", "Hi.\nBot: Hello.\nIs it late?\nBot: Yes.\nOh.\nBot: Bye.\n", "only some lines name a speaker"),
    "tags in brackets": ("a.txt", "[Ann] Hi.\n[Tim] Hello.\n[Ann] Is it late?\n[Tim] Yes.\n", "tags in brackets, such as [Ann]"),
    "a chat template": ("a.txt", "<s>[INST] Hi. [/INST] Hello.\n[INST] Is it late? [/INST] Yes.\n", "the chat template of a language model"),
    "a ZIP archive": ("a.zip", b"PK\x03\x04" + bytes(40), "a ZIP archive"),
    "a gzip archive": ("a.gz", b"\x1f\x8b\x08" + bytes(40), "a gzip archive"),
    "a tar archive": ("a.tar", b"a.txt".ljust(257, b"\0") + b"ustar\x0000" + bytes(300), "a tar archive"),
    "PDF": ("a.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document"),
    "Arrow": ("a.arrow", b"\xff\xff\xff\xff" + bytes(40), "an Arrow table"),
    "Feather": ("a.feather", b"ARROW1" + bytes(40), "an Arrow table"),
    "a pickle": ("a.pkl", b"\x80\x04\x95" + bytes(20), "a Python pickle"),
    "a database": ("a.db", b"SQLite format 3\0" + bytes(80), "an SQLite database"),
    "a picture": ("a.txt", b"\x89PNG\r\n\x1a\n" + bytes(40), "a PNG picture"),
    "RTF": ("a.rtf", b"{\\rtf1\\ansi Hi.\\par Hello.}", "an RTF document"),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_what_is_supported_is_read_alike_in_both_packages(tmp_path, name, ends):
    file, content, format, expected = READ[name]
    path = tmp_path / file
    path.write_text(content.replace("\r\n", "\n"), encoding="utf-8", newline=ends)
    corpus = read_corpus(path)
    assert corpus.format == format
    assert [conversation.utterances for conversation in corpus.conversations] == expected
    trajectories = read_trajectories([path], turns="staggered")
    assert [(each.prompt, each.response) for each in trajectories] == [
        (as_written(prompt), as_written(response))
        for conversation in expected
        for prompt, response in itertools.pairwise(conversation)
    ]
    assert {each.source for each in trajectories} == {format}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_recognised_but_not_supported_is_refused_in_one_line(tmp_path, name):
    file, content, message = REFUSED[name]
    path = tmp_path / file
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    for read in (read_corpus, lambda path: read_trajectories([path])):
        with pytest.raises(
            UserError, match=rf"{file}: the file looks like [^\n]*, which cannot be read;[^\n]*$"
        ) as caught:
            read(path)
        assert message in str(caught.value)
        assert ("--format text" in str(caught.value)) == isinstance(content, str)


@pytest.mark.parametrize("name", [name for name, (_, content, _) in REFUSED.items() if isinstance(content, str)])
def test_the_user_can_insist_on_plain_text(tmp_path, name):
    file, content, _ = REFUSED[name]
    path = tmp_path / file
    path.write_text(content)
    said = [line.strip() for line in content.splitlines() if line.strip()]
    assert [text for each in read_corpus(path, "text").conversations for text in each.utterances] == said


@pytest.mark.thorough
def test_conversations_without_marks_and_capitals_stay_plain_text():
    for file in sorted((PROJECT / "keras_gca" / "data" / "corpus").glob("*.txt")):
        text = file.read_text(encoding="utf-8")
        lower = re.sub(r"[^\w\s']", "", text.lower())
        for written in (text, text.lower(), lower, re.sub(r"[.?!,]", "", text), text.upper(), lower.upper()):
            for count in (4, 6, 10, 20, 1000):
                sample = "".join(written.splitlines(keepends=True)[:count])
                assert recognise(sample, True, ".txt").format == "text", (file.name, sample[:200])


def test_short_utterances_stay_plain_text():
    for text in (
        "hi\nhello\nwho is it\nme\n",
        "你好\n你是谁\n我是小明\n是的\n好啊\n走吧\n再见\n明天见\n",
        "Yes.\nNo.\n" * 8,
        "yes\nno\n" * 8,
    ):
        assert recognise(text, True, ".txt").format == "text", text


def test_every_format_is_detected():
    assert {format for _, _, format, _ in READ.values()} == set(FORMATS) - {"cornell", "datasets"}


def test_folders(tmp_path):
    with pytest.raises(UserError, match=r"the folder contains no corpus; \*\.txt, movie_lines\.txt with"):
        detect(tmp_path)
    (tmp_path / "a.txt").write_text("A: Hi.\nB: Yes.\nA: No.\nB: Oh.\n")
    (tmp_path / "b.txt").write_text("Hi.\nYes.\n")
    assert [each.utterances for each in read_corpus(tmp_path).conversations] == [
        ("Hi.", "Yes.", "No.", "Oh."),
        ("Hi.", "Yes."),
    ]
    (tmp_path / "utterances.jsonl").write_text(READ["ConvoKit"][1])
    assert [each.utterances for each in read_corpus(tmp_path).conversations] == TWO


@pytest.mark.parametrize("name", ["train.csv", "test.csv", "train/train.csv"])
def test_a_folder_with_another_table_is_not_empathetic_dialogues(tmp_path, name):
    folder = tmp_path / "folder"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text(READ["pairs"][1])
    (folder / "valid.csv").write_text(READ["EmpatheticDialogues"][1])
    message = (
        rf"{name}: the first line does not name the columns of EmpatheticDialogues \(conv_id,.*give the file instead"
    )
    with pytest.raises(UserError, match=message):
        read_corpus(folder)
    assert [each.utterances for each in read_corpus(folder / name).conversations] == TWO
    (folder / name).write_text(READ["EmpatheticDialogues"][1])
    assert detect(folder) == "empathetic"


@pytest.mark.parametrize("between", ["\n", "\n\n", ""])
def test_a_system_message_of_chatml_begins_a_conversation(tmp_path, between):
    messages = (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n{}<|im_end|>"
    )
    chats = [messages.format(*pair) for pair in TWO]
    (tmp_path / "a.txt").write_text(f"{between}\n".join(chats) + "\n")
    corpus = read_corpus(tmp_path / "a.txt")
    assert (corpus.format, [each.utterances for each in corpus.conversations]) == ("speakers", TWO)


def test_what_is_left_out_is_said(tmp_path):
    for name, said in (
        ("personas", "left out: 3 persona lines, 2 candidate lists"),
        ("DailyDialog with labels", "left out: 2 label lists"),
        ("JSON lines of messages", "left out: 2 system instructions"),
        ("ChatML", "left out: 1 system instruction"),
        ("ConvoKit", "left out: 1 side utterance"),
    ):
        file, content, _, _ = READ[name]
        (tmp_path / file).write_text(content)
        assert str(read_corpus(tmp_path / file)).endswith(f"2 conversations, 4 utterances; {said}"), name


def test_speakers_are_counted(tmp_path):
    for name, speakers in (
        ("tags", {"A": 2, "B": 2}),
        ("persons", {"Person 1": 2, "Person 2": 2}),
        ("turns", {"A": 2, "B": 2}),
        ("JSON lines of objects", {"A": 2, "B": 2}),
        ("JSON lines of utterances", {"A": 2, "B": 2}),
        ("ChatML", {"user": 2, "assistant": 2}),
        ("ConvoKit", {"Ann": 2, "Tim": 2, "Tom": 1}),
    ):
        file, content, _, _ = READ[name]
        (tmp_path / file).write_text(content)
        assert read_corpus(tmp_path / file).speakers == speakers, name


def test_a_mark_of_byte_order_hides_no_header(tmp_path):
    for name in ("pairs", "EmpatheticDialogues", "a printed list", "JSON lines", "personas", "tags"):
        file, content, format, expected = READ[name]
        (tmp_path / file).write_bytes(codecs.BOM_UTF8 + content.encode())
        corpus = read_corpus(tmp_path / file)
        assert (corpus.format, [each.utterances for each in corpus.conversations]) == (format, expected), name


LONG = [[f"Is it {number} o'clock?", f"No, it is {number + 1}."] for number in range(30_000)]


@pytest.mark.parametrize("value", [LONG, {"conversations": LONG}], ids=["list", "object"])
@pytest.mark.parametrize(("before", "encoding"), [("", "utf-8"), ("", "utf-16"), ("\n", "utf-8"), ("", "utf-8-sig")])
def test_a_json_file_of_one_long_line(tmp_path, value, before, encoding):
    path = tmp_path / "a.json"
    path.write_text(before + json.dumps(value), encoding=encoding)
    assert path.stat().st_size > 1_000_000  # the limit of a line in other files
    corpus = read_corpus(path)
    assert corpus.format == "json"
    assert [list(each.utterances) for each in corpus.conversations] == LONG


def test_a_json_file_over_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(json_files, "LARGEST", 40)
    (tmp_path / "a.json").write_text('[["Hi.", "Yes."], ["No.", "Oh."], ["Ah."]]')
    with pytest.raises(
        UserError, match=r"a\.json: the file is larger than 40 bytes; use JSON lines \(one conversation"
    ):
        read_corpus(tmp_path / "a.json")


@pytest.mark.parametrize("count", [3, 80_000])  # the second file is longer than the sample
def test_a_sample_has_the_lines_that_can_be_decoded(tmp_path, count):
    lines = [f"Line {number}.\n" for number in range(count)]
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff\n" + b"a\0\n" + "".join(lines).encode())
    text, is_whole = sample(path)
    assert text == "".join(lines[:1000])
    assert is_whole == (count == 3)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (("2.0", "1.0", "10.0"), ["b", "a", "c"]),
        (("2", "1.5", "-1"), ["c", "b", "a"]),
        (("20000000000000000000002", "20000000000000000000001", "2e22"), ["c", "b", "a"]),
        (("1_2", "1_1", "1_3"), ["a", "b", "c"]),
        (("", "", ""), ["a", "b", "c"]),
    ],
)
def test_turns_are_sorted_by_any_numbers(tmp_path, numbers, expected):
    table = "".join(f"x,{number},{text}\n" for number, text in zip(numbers, "abc", strict=True))
    (tmp_path / "a.csv").write_text(f"conversation_id,turn,text\n{table}")
    (tmp_path / "a.jsonl").write_text(
        json_lines(*({"dialog_id": 1, "turn": n, "text": t} for n, t in zip(numbers, "abc", strict=True)))
    )
    for file in ("a.csv", "a.jsonl"):
        bad = BadLines(error=UserError)
        assert [list(each.utterances) for each in read_corpus(tmp_path / file, bad=bad).conversations] == [expected]
        said = [note for note in bad.notes if "'1_2' is not a number, nor is any other turn" in note]
        assert len(said) == (numbers[0] == "1_2")


@pytest.mark.parametrize("number", ["two", "", "nan", "inf", "1e999", "None"])
def test_a_turn_that_is_not_a_number_among_numbers_is_a_bad_line(tmp_path, number):
    path = tmp_path / "a.csv"
    path.write_text(f"conversation_id,turn,text\nx,3,c\nx,{number},b\nx,1.0,a\n")
    with pytest.raises(UserError, match=rf"a\.csv:3: the turn '{number}' is not a number; a number is expected"):
        read_corpus(path)
    bad = BadLines(skip=True, error=UserError)
    assert [each.utterances for each in read_corpus(path, bad=bad).conversations] == [("a", "c")]
    assert bad.counts == {"without the number of a turn": 1}
