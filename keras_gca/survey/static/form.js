// Sends each mark as soon as it is made. The marks are sent one after another, so that the last mark on a line is kept.
"use strict";

const form = document.querySelector("form[data-votes]");
let earlier = Promise.resolve();

form.addEventListener("change", (event) => {
  const mark = event.target;
  earlier = earlier.then(() => send(mark));
});

// The keys 1, 2 and 0 mark the current line: the line that has the focus, or else the first line without a mark.
const fields = [...form.querySelectorAll("fieldset")];
const values = { 1: "first", 2: "second", 0: "none" };
document.getElementById("keys").hidden = false;

function isOpen(field) {
  return !field.querySelector(":checked");
}

function setCurrent(field) {
  fields.forEach((each) => each.classList.toggle("current", each === field));
}

form.addEventListener("focusin", (event) => setCurrent(event.target.closest("fieldset")));
document.addEventListener("keydown", (event) => {
  if (!(event.key in values) || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (document.activeElement !== document.body && !form.contains(document.activeElement)) return;
  const field = form.querySelector("fieldset.current");
  if (!field) return;
  event.preventDefault();
  const mark = field.querySelector(`input[value="${values[event.key]}"]`);
  if (!mark.checked) {
    mark.checked = true;
    mark.dispatchEvent(new Event("change", { bubbles: true }));
  }
  const next = fields.slice(fields.indexOf(field) + 1).find(isOpen);
  (next ? next.querySelector("input") : form.querySelector("button")).focus();
  (next ?? form.querySelector("button")).scrollIntoView({ block: "nearest" });
});
setCurrent(fields.find(isOpen));

async function send(mark) {
  const field = mark.closest("fieldset");
  const state = field.querySelector(".state");
  const vote = new URLSearchParams({ line: field.id.replace("line-", ""), choice: mark.value });
  try {
    const reply = await fetch(form.dataset.votes, { method: "POST", body: vote });
    if (reply.status === 429) {
      const wait = reply.headers.get("Retry-After");
      fail(state, `Not saved: too many lines were marked within a minute. Please mark this line again in ${wait} seconds.`);
      return;
    }
    if (!reply.ok) throw new Error(reply.status);
    show(await reply.json());
    state.textContent = "saved";
    state.classList.remove("failed");
  } catch {
    fail(state, "Not saved. Please mark this line again, or press the button below when the connection is back.");
  }
}

function fail(state, sentence) {
  state.textContent = sentence;
  state.classList.add("failed");
}

function show(progress) {
  document.getElementById("progress").textContent = `${progress.done} of ${progress.total} lines`;
  document.getElementById("meter").value = progress.done;
  document.querySelectorAll("nav a").forEach((link, i) => { link.dataset.left = progress.left[i]; });
}
