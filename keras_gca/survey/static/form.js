// Sends each mark as it is made, one after another, so that the last one on a line is the one that stays.
"use strict";

const form = document.querySelector("form[data-votes]");
let earlier = Promise.resolve();

form.addEventListener("change", (event) => {
  const mark = event.target;
  earlier = earlier.then(() => send(mark));
});

async function send(mark) {
  const field = mark.closest("fieldset");
  const state = field.querySelector(".state");
  const vote = new URLSearchParams({ line: field.id.replace("line-", ""), choice: mark.value });
  try {
    const reply = await fetch(form.dataset.votes, { method: "POST", body: vote });
    if (reply.status === 429) {
      const wait = reply.headers.get("Retry-After");
      fail(state, `Not saved: those were too many marks within a minute. Please mark it again in ${wait} seconds.`);
      return;
    }
    if (!reply.ok) throw new Error(reply.status);
    show(await reply.json());
    state.textContent = "saved";
    state.classList.remove("failed");
  } catch {
    fail(state, "Not saved. Please mark it again, or press the button below when the connection is back.");
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
