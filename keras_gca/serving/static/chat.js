// The conversation is kept only here and in this tab's storage, so that it survives when the page is reloaded. With
// every message, the page sends the last utterances to the server.
//
// A turn is a message with its reply: {line, attempt, answers, remarks, unknown} or {line, note}. While the reply is
// awaited, the turn has isPending, and partial with the words that have arrived so far. After a failure it has problem.
import { selects, wishes } from "./calibration.js";
import { drawTurn, drawWords, replyOf } from "./turns.js";

const $ = (id) => document.getElementById(id);
const LONGEST = Number(document.body.dataset.longest);
const LONGEST_HISTORY = Number(document.body.dataset.longestHistory);
const KEPT = `chat ${document.title}`;
const STOPPED = "The reply was stopped.";
const [talk, form, text, hint, said] = ["talk", "line", "text", "hint", "said"].map($);
const choices = [...["verbose", "generator", "decoding", "temperature"].map($).filter(Boolean), ...selects];
const panels = document.querySelectorAll("header details");

let turns = [];
const elements = new Map();
let awaited = null; // {turn, controller} while a reply is awaited
let edited = null; // the turn whose message is in the box
let isLeaving = false; // true while the page is reloaded: the requests that the browser then ends are not failures

// Drawing

function draw(turn) {
  if (!elements.has(turn)) {
    elements.set(turn, document.createElement("article"));
    talk.append(elements.get(turn));
  }
  drawTurn(elements.get(turn), turn, { open: $("verbose").checked, copy, another, edit, retry });
}

// Draw new turns, remove deleted turns, and leave the other turns unchanged.
function update() {
  for (const [turn, element] of elements) {
    if (turns.includes(turn)) continue;
    element.remove();
    elements.delete(turn);
  }
  turns.filter((turn) => !elements.has(turn)).forEach(draw);
  if ($("examples")) $("examples").hidden = turns.length > 0;
  document.body.classList.toggle("busy", awaited !== null);
  $("send").hidden = awaited !== null;
  $("stop").hidden = awaited === null;
  keep();
}

function showEnd() {
  $("scroller").scrollTop = $("scroller").scrollHeight;
}

function isAtEnd() {
  const { scrollHeight, scrollTop, clientHeight } = $("scroller");
  return scrollHeight - scrollTop - clientHeight < 40;
}

function fit() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

function tell(sentence, isWrong = false) {
  hint.textContent = sentence;
  hint.classList.toggle("wrong", isWrong);
}

// Keeping

function keep() {
  const chosen = Object.fromEntries(choices.map((each) => [each.id, each.type === "checkbox" ? each.checked : each.value]));
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ turns, chosen, draft: text.value }));
  } catch {
    tell("This browser does not keep the conversation when the page is reloaded.");
  }
}

function restore() {
  let kept = null;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    tell("The conversation that this browser has kept cannot be read.");
  }
  if (!kept) return;
  turns = kept.turns;
  text.value = kept.draft;
  for (const turn of turns) {
    if (turn.isPending) Object.assign(turn, { isPending: false, problem: "The page was reloaded before the reply arrived." });
    delete turn.partial;
  }
  for (const each of choices) {
    if (each.type === "checkbox") each.checked = kept.chosen[each.id];
    else if ([...each.options].some((option) => option.value === kept.chosen[each.id])) each.value = kept.chosen[each.id];
  }
}

// Asking

function historyOf(turn) {
  const before = turns.slice(0, turns.indexOf(turn)).filter((each) => each.answers);
  return [...before.flatMap((each) => [each.line, replyOf(each)]), turn.line].slice(-LONGEST_HISTORY);
}

// Yield the values of a response's server-sent events as they arrive. If the connection fails, throw what lost() returns.
async function* eventsOf(response, lost) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { value, done } = await reader.read().catch(() => { throw lost(); });
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) yield JSON.parse(event.slice("data: ".length));
  }
}

// Return the answers to a turn. Call `hear` with each word of the reply when it arrives.
async function answersTo(turn, attempt, signal, hear) {
  const content = { history: historyOf(turn), turn: turns.indexOf(turn), attempt, generator: $("generator")?.value ?? "", stream: true };
  if (selects.length) content.wishes = wishes();
  if ($("decoding")?.value) content.temperature = Number($("temperature").value);
  const response = await fetch("answers", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
    signal,
  }).catch((error) => { throw new Error(error.name === "AbortError" ? STOPPED : "The server cannot be reached."); });
  const lost = () => new Error(signal.aborted ? STOPPED : "The reply did not arrive.");
  if (!response.ok) throw new Error(await response.text().catch(() => { throw lost(); }));
  for await (const event of eventsOf(response, lost)) {
    if (event.whole) return event.whole;
    hear(event.word);
  }
  throw lost(); // the connection ended before the reply did
}

// Ask for a reply, or for another reply, to a turn. If this fails, an earlier reply stays.
async function ask(turn, attempt = turn.attempt) {
  if (awaited) return;
  const mine = { turn, controller: new AbortController() };
  awaited = mine;
  delete turn.problem;
  delete turn.partial;
  Object.assign(turn, { isPending: true, asked: attempt });
  if (text.value.trim() === turn.line) endEdit(); // the message in the box is the one that is being answered
  draw(turn);
  update();
  showEnd();
  said.textContent = "The bot is answering.";
  text.focus();
  let found;
  try {
    found = await answersTo(turn, attempt, mine.controller.signal, (word) => {
      if (awaited !== mine) return;
      const atEnd = isAtEnd(); // otherwise the user is reading something further up
      turn.partial = (turn.partial ?? "") + word;
      drawWords(elements.get(turn), turn);
      if (atEnd) showEnd();
    });
  } catch (error) {
    found = { problem: error.message };
  }
  if (awaited !== mine || isLeaving) return; // a new conversation has begun, or the page is being reloaded
  awaited = null;
  turn.isPending = false;
  Object.assign(turn, found);
  if (turn.answers) delete turn.partial; // if there is no earlier reply, the words that arrived before a failure stay visible
  if (!found.problem) turn.attempt = attempt;
  else if (!turn.answers && !text.value) text.value = turn.line; // so that the user can change it and send it again
  draw(turn);
  update();
  fit();
  showEnd();
  if (turn.note) said.textContent = ""; // the note itself is an alert
  else said.textContent = turn.problem ?? `The bot says: ${replyOf(turn) || "no words"}`;
}

function another(turn) {
  ask(turn, turn.attempt + 1);
}

function retry(turn) {
  ask(turn, turn.asked);
}

function edit(turn) {
  edited = turn;
  text.value = turn.line;
  fit();
  tell("You are editing a message. Sending it removes everything after it; Escape cancels the edit.");
  text.focus();
}

function endEdit() {
  edited = null;
  text.value = "";
  fit();
  tell("");
}

function submit() {
  const line = text.value.trim();
  if (!line || awaited) return;
  if (line.length > LONGEST) {
    tell(`Your message has ${line.length.toLocaleString("en")} characters; at most ${LONGEST.toLocaleString("en")} can be sent.`, true);
    return;
  }
  const last = turns.at(-1);
  if (edited) turns = turns.slice(0, turns.indexOf(edited));
  else if (last?.problem && !last.answers) turns.pop(); // it was never answered
  else if (last?.problem) {
    delete last.problem;
    draw(last);
  }
  endEdit();
  const turn = { line, attempt: 0 };
  turns.push(turn);
  ask(turn);
}

// The user's actions

async function copy(line, button) {
  try {
    await navigator.clipboard.writeText(line);
  } catch { // only local pages and HTTPS pages may use the clipboard functions
    const box = document.createElement("textarea");
    box.value = line;
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
    button.focus();
  }
  button.textContent = "Copied";
  said.textContent = "Copied.";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function download() {
  const lines = turns.map((turn) => `you> ${turn.line}\n${turn.note ? `note> ${turn.note}` : `bot> ${replyOf(turn)}`}\n`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "text/plain" }));
  link.download = "chat.txt";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
text.addEventListener("input", () => {
  fit();
  if (!edited) tell(text.value.length > 0.8 * LONGEST ? `${text.value.length} of ${LONGEST} characters` : "");
});
text.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    submit();
  } else if (event.key === "ArrowUp" && !text.value && turns.length && !awaited) {
    event.preventDefault();
    edit(turns.at(-1));
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const opened = [...panels].find((each) => each.open);
  if (opened) {
    opened.open = false;
    opened.querySelector("summary").focus();
  } else if (awaited) awaited.controller.abort();
  else if (edited) endEdit();
});
document.addEventListener("click", (event) => {
  panels.forEach((each) => { if (!each.contains(event.target)) each.open = false; });
});
$("stop").addEventListener("click", () => awaited?.controller.abort());
$("again").addEventListener("click", () => {
  awaited?.controller.abort();
  awaited = null;
  turns = [];
  endEdit();
  update();
  said.textContent = "A new conversation begins.";
  text.focus();
});
$("download").addEventListener("click", download);
document.querySelectorAll(".example").forEach((each) => each.addEventListener("click", () => {
  text.value = each.textContent;
  submit();
}));

function applyChoices() {
  if ($("decoding")) $("temperature").disabled = !$("decoding").value;
}
choices.forEach((each) => each.addEventListener("change", () => {
  applyChoices();
  if (each.id === "verbose") talk.querySelectorAll(".thoughts").forEach((details) => { details.open = each.checked; });
  keep();
}));
window.addEventListener("beforeunload", () => { isLeaving = true; });
window.addEventListener("pageshow", () => { isLeaving = false; });
window.addEventListener("pagehide", keep);

restore();
applyChoices();
update();
fit();
showEnd();
