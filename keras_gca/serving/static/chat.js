"use strict";

// The conversation lives here alone; the server is sent its last utterances with every line. What people and models
// write reaches the page as text, never as HTML.
const LONGEST_HISTORY = 20;
const talk = document.getElementById("talk");
const form = document.getElementById("line");
const text = document.getElementById("text");
const send = form.querySelector("button");
let history = [];

function add(parent, tag, className, content = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = content;
  parent.append(element);
  return element;
}

function short(number) {
  return number >= 0.01 ? number.toFixed(2) : number.toExponential(0);
}

function showAnswer(bubble, answer, chosen) {
  const block = add(bubble, "section", "answer");
  const title = add(block, "h2", "", (chosen ? "★ " : "") + answer.generator + " ");
  add(title, "span", "", answer.figures + (chosen ? "  chosen" : ""));
  for (const token of answer.tokens) {
    const box = add(block, "span", "token", token.text === "<eos>" ? "end" : token.text);
    const judged = token.human === null ? "not judged by itself" : `discriminator l ${token.human.toFixed(3)}`;
    if (token.human !== null) box.dataset.band = Math.min(9, Math.floor(token.human * 10));
    box.title = `${judged}, generator p ${token.probability.toFixed(3)}`;
    add(box, "small", "", short(token.probability));
  }
}

async function answersTo(utterances) {
  const response = await fetch("answers", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ history: utterances }),
  }).catch(() => { throw new Error("The server cannot be reached."); });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const line = text.value.trim();
  if (!line || send.disabled) return;
  text.value = "";
  send.disabled = true;
  add(talk, "div", "you", line);
  try {
    const { note, answers, unknown } = await answersTo([...history, line].slice(-LONGEST_HISTORY));
    if (note) {
      add(talk, "p", "notice", note);
      return;
    }
    if (unknown.length) add(talk, "p", "notice", `words that the bot does not know: ${unknown.join(", ")}`);
    const bubble = add(talk, "div", "bot");
    add(bubble, "p", "", answers[0].text);
    answers.forEach((answer, i) => showAnswer(bubble, answer, i === 0));
    history = [...history, line, answers[0].text];
  } catch (error) {
    add(talk, "p", "notice wrong", error.message);
    text.value ||= line; // to be sent again
  } finally {
    send.disabled = false;
    talk.lastElementChild.scrollIntoView({ block: "nearest" });
    text.focus();
  }
});

document.getElementById("again").addEventListener("click", () => {
  history = [];
  talk.replaceChildren();
  text.focus();
});
