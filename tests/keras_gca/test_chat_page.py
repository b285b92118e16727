"""The chat page: its answers as JSON, what it refuses, and the page in a browser."""

import pytest

from keras_gca.agent import Decoding
from keras_gca.chat_page import LONGEST_HISTORY, LONGEST_UTTERANCE, create_app
from keras_gca.chat_page.shared_batches import SharedBatches


@pytest.fixture
def client(agent):
    return create_app(SharedBatches(agent, Decoding()), "A <b>bot</b>").test_client()


def test_the_answers_are_the_agents(agent, client):
    history = ["Hello there, Tom!", "How are you, zyzzyva?"]
    response = client.post("/answers", json={"history": history})
    assert response.status_code == 200
    assert response.json["unknown"] == ["zyzzyva"]
    expected = agent.answers(history)
    assert [answer["text"] for answer in response.json["answers"]] == [answer.text for answer in expected]
    for sent, answer in zip(response.json["answers"], expected, strict=True):
        assert sent["generator"] == answer.generator.replace("_", " ")
        assert sent["figures"] == agent.figures(answer)
        assert [(token["text"], token["human"]) for token in sent["tokens"]] == list(answer.token_scores)
        assert [token["probability"] for token in sent["tokens"]] == list(answer.token_probabilities)


def test_only_the_last_n_u_utterances_are_answered(agent):
    client = create_app(SharedBatches(agent, Decoding(), context_utterances=1), "bot").test_client()
    long, short = (client.post("/answers", json={"history": h}).json for h in (["Fine.", "Hello"], ["Hello"]))
    assert long == short


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {"history": []},
        {"history": "Hello"},
        {"history": [1]},
        {"history": ["Hello"] * (LONGEST_HISTORY + 1)},
        {"history": ["x" * (LONGEST_UTTERANCE + 1)]},
        {"history": ["*** \x00"]},
    ],
)
def test_what_is_no_conversation_is_refused_in_a_sentence(client, content):
    response = client.post("/answers", json=content)
    assert response.status_code == 400
    assert response.mimetype == "text/plain"
    assert response.text.endswith(".")


def test_other_sites_large_requests_and_other_ways_are_refused(client):
    good = {"history": ["Hello"]}
    assert client.post("/answers", json=good, headers={"Origin": "http://elsewhere.example"}).status_code == 403
    assert client.post("/answers", json=good, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/answers", json={"history": ["x" * 10**6]}).status_code in (400, 413)
    assert client.get("/answers").status_code == 405
    assert client.get("/nowhere").status_code == 404


def test_the_page_escapes_its_title_and_loads_nothing_from_outside(client):
    response = client.get("/")
    assert "A &lt;b&gt;bot&lt;/b&gt;" in response.text
    assert "//" not in response.text.replace("<!doctype html>", "")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_a_conversation_in_a_browser(agent, browser, serve):
    page = browser.new_page()
    page.goto(serve(create_app(SharedBatches(agent, Decoding()), "bot")))
    lines = ["Hello, Tom!", "<img src=x onerror='document.title=1'> How are you?"]
    for number, line in enumerate(lines):
        page.fill("#text", line)
        page.press("#text", "Enter")
        page.locator(".bot").nth(number).wait_for()
    assert page.locator(".you").all_inner_texts() == lines
    assert page.locator("img").count() == 0
    assert page.title() == "bot"
    first = agent.answers(lines[:1])
    bubble = page.locator(".bot").first
    assert bubble.locator("p").inner_text() == first[0].text
    assert bubble.locator(".answer").count() == 2
    tokens = bubble.locator(".answer").first.locator(".token")
    bands = [int(token.get_attribute("data-band")) for token in tokens.all()]
    assert bands == [min(9, int(score * 10)) for _, score in first[0].token_scores]
    expected = agent.answers([lines[0], first[0].text, lines[1]])
    assert page.locator(".bot").nth(1).locator("p").inner_text() == expected[0].text
    page.click("#again")
    assert page.locator(".bot").count() == 0
    page.close()
