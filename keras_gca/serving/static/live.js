// The live view reads the state of a training run every few seconds and draws what has changed. Texts by models and
// people are added to the page as text, never as HTML.

import { drawPanel, phasesOf, short } from "./live_chart.js";
import { add } from "./turns.js";

const SECONDS = 3;
const at = (id) => document.getElementById(id);
const views = new Map(); // by the number of the row
let tag = "", chosen = "", edited = false;

async function read(address, options) {
  const response = await fetch(address, options);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

async function refresh() {
  try {
    const state = await read(`/state?tag=${encodeURIComponent(tag)}`);
    if (state.rows) {
      for (const row of state.views) {
        if (!views.has(row)) views.set(row, await read(`/views/${row}`));
      }
      for (const row of views.keys()) if (!state.views.includes(row)) views.delete(row); // rows that are trained again
      show(state);
      tag = state.tag;
    }
    say(state);
  } catch (error) {
    const gone = error instanceof TypeError;
    at("status").textContent = gone
      ? `The program that serves this page has ended. To see the run again, use ${document.body.dataset.watch}.`
      : error.message;
  }
}

let rows = 0;

function say({ age, has_bot: hasBot }) {
  if (age === null || !rows) return;
  const ago = age < 90 ? `${Math.round(age)} seconds` : `${Math.round(age / 60)} minutes`;
  const done = `${rows} ${rows === 1 ? "epoch or update is" : "epochs and updates are"} done`;
  const text = hasBot ? `${done}, and the bot has been written.` : `${done}; the last one ended ${ago} ago.`;
  if (at("status").textContent !== text) at("status").textContent = text;
}

function show(state) {
  rows = state.rows.length;
  at("phases").textContent = phasesOf(state.rows)
    .map(({ name, first, last }) => `${name} ${first === last ? first : `${first} to ${last}`}`).join(", ");
  at("curves").replaceChildren();
  for (const panel of state.panels) drawPanel(at("curves"), panel, state.rows);
  if (!edited) {
    document.querySelectorAll("#ask input").forEach((input, i) => { input.value = state.questions[i] || ""; });
  }
  showAsked();
  const numbers = [...views.keys()].sort((a, b) => b - a);
  at("view").replaceChildren();
  at("view").parentElement.hidden = !numbers.length;
  for (const row of numbers) {
    const option = add(at("view"), "option", "", `row ${row}: ${views.get(row).stage.replace(/\s+/g, " ")}`);
    option.value = row;
  }
  if (chosen && numbers.includes(Number(chosen))) at("view").value = chosen;
  showSamples();
}

function scoreOf(judged) {
  return judged.score === null ? "" : ` D ${short(judged.score)}`;
}

// The replies to each question, the newest first.
function showAsked() {
  const newest = [...views.values()].sort((a, b) => b.row - a.row);
  at("asked").replaceChildren();
  if (!newest.length) return;
  const table = add(at("asked"), "table", "");
  add(table, "caption", "", "Replies to your questions after each epoch, the newest first");
  const questions = [...new Set(newest[0].asked.map(({ context }) => context))];
  const head = add(add(table, "thead", ""), "tr", "");
  for (const text of ["After", ...questions]) add(head, "th", "", text).scope = "col";
  const body = add(table, "tbody", "");
  for (const view of newest) {
    const replies = questions.map((question) => view.asked.find(({ context }) => context === question));
    if (!replies.some(Boolean)) continue; // there were other questions at that time
    const line = add(body, "tr", "");
    add(line, "th", "", view.stage.replace(/\s+/g, " ")).scope = "row";
    for (const [i, reply] of replies.entries()) {
      const cell = add(line, "td", "", reply ? reply.note || reply.reply.text || "(no words)" : "");
      cell.dataset.question = questions[i];
      if (reply && reply.reply) add(cell, "span", "score", scoreOf(reply.reply));
    }
  }
}

function showSamples() {
  const view = views.get(Number(at("view").value));
  at("samples").replaceChildren();
  if (!view) {
    add(at("samples"), "p", "quiet", "None yet: replies are recorded after each epoch or update, once this page has been opened.");
    return;
  }
  for (const { context, reply, human } of view.samples) {
    const article = add(at("samples"), "article", "");
    add(article, "h3", "", context);
    for (const [who, judged] of [["The network in training", reply], ["A human", human]]) {
      add(article, "h4", "", who);
      const line = add(article, "p", "", judged.text || "(no words)");
      add(line, "span", "score", judged.score === null ? " (D has not been trained yet)" : scoreOf(judged));
      for (const [text, probability] of judged.tokens) {
        const box = add(article, "span", "token", text === "<eos>" ? "end" : text);
        box.dataset.band = Math.min(9, Math.floor(probability * 10));
        add(box, "small", "", `D ${probability.toFixed(2)}`);
      }
    }
  }
}

at("view").addEventListener("change", () => {
  chosen = at("view").selectedIndex ? at("view").value : ""; // the first entry always shows the latest row
  showSamples();
});
at("ask").addEventListener("input", () => { edited = true; });
at("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const questions = [...document.querySelectorAll("#ask input")].map((input) => input.value.trim()).filter(Boolean);
  try {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ questions }) };
    const { note } = await read("/questions", options);
    edited = false;
    at("note").hidden = note === null;
    at("note").textContent = note || "";
    at("hint").className = "";
    at("hint").textContent = "The bot answers these questions from the next epoch on.";
  } catch (error) {
    at("hint").className = "wrong";
    at("hint").textContent = error.message;
  }
});

setInterval(() => { if (!document.hidden) refresh(); }, 1000 * SECONDS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
refresh();
