// Draws one turn of the conversation. Texts by people and models are added to the page as text, never as HTML.

export function add(parent, tag, className, content = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = content;
  parent.append(element);
  return element;
}

function addButton(parent, label, action) {
  const button = add(parent, "button", "", label);
  button.type = "button";
  button.addEventListener("click", action);
  return button;
}

function short(number) {
  return number >= 0.01 ? number.toFixed(2) : number.toExponential(0);
}

export function replyOf(turn) {
  return turn.answers ? turn.answers[0].text : "";
}

function drawAnswer(parent, answer, chosen) {
  const block = add(parent, "section", "answer");
  add(block, "h2", "", answer.generator + (chosen ? " (shown)" : ""));
  add(block, "p", "", answer.text || "(no words)");
  add(block, "p", "figures", answer.figures);
  for (const token of answer.tokens) {
    const box = add(block, "span", "token", token.text === "<eos>" ? "end" : token.text);
    if (token.human !== null) {
      box.dataset.band = Math.min(9, Math.floor(token.human * 10));
      add(box, "small", "", `D ${token.human.toFixed(2)}`);
    }
    add(box, "small", "", `p ${short(token.probability)}`);
  }
}

function drawThoughts(bubble, turn, open) {
  const details = add(bubble, "details", "thoughts");
  details.open = open;
  let isAskedFor = false; // the user has opened these details, not the setting that opens all details
  add(details, "summary", "", "Details").addEventListener("click", () => { isAskedFor = true; });
  // The details are drawn when they are opened for the first time, so that a long chat stays small.
  const fill = () => {
    if (!details.open || details.querySelector(".answer")) return;
    details.append(document.getElementById("legend").content.cloneNode(true));
    if (turn.unknown.length) add(details, "p", "unknown", `Words that the bot does not know: ${turn.unknown.join(", ")}`);
    turn.answers.forEach((answer, i) => drawAnswer(details, answer, i === 0));
  };
  details.addEventListener("toggle", () => {
    fill();
    if (details.open && isAskedFor) details.scrollIntoView({ block: "nearest" });
    isAskedFor = false;
  });
  fill();
}

function drawReply(element, turn, options) {
  const bubble = add(element, "div", "bot");
  add(bubble, "p", "who", "Bot");
  add(bubble, "p", "text", replyOf(turn) || "(no words)");
  if (!turn.answers[0].ended) add(bubble, "p", "cut", "… The reply was cut off here, at the length limit.");
  turn.remarks.forEach((remark) => add(bubble, "p", "remark", remark));
  const tools = add(bubble, "p", "tools");
  addButton(tools, "Copy", (event) => options.copy(replyOf(turn), event.target));
  addButton(tools, "Another answer", () => options.another(turn)).className = "another";
  drawThoughts(bubble, turn, options.open);
}

function drawPartial(bubble, turn) {
  bubble.replaceChildren();
  add(bubble, "p", "who", "Bot");
  add(bubble, "p", "text", turn.partial);
}

// Draw only the words of a reply that have arrived so far, and nothing else of the turn.
export function drawWords(element, turn) {
  const bubble = element.querySelector(".pending");
  const shown = bubble.querySelector(".text");
  if (shown) shown.textContent = turn.partial;
  else drawPartial(bubble, turn);
}

// Draw a turn into its element, and replace the element's earlier content.
export function drawTurn(element, turn, options) {
  element.replaceChildren();
  const mine = add(element, "div", "you");
  add(mine, "p", "who", "You");
  add(mine, "p", "text", turn.line);
  addButton(add(mine, "p", "tools"), "Edit", () => options.edit(turn));
  if (turn.note) {
    const note = add(element, "div", "note");
    note.setAttribute("role", "alert");
    add(note, "p", "who", "Please read this");
    add(note, "p", "text", turn.note);
  } else if (turn.answers) {
    drawReply(element, turn, options);
  }
  if (turn.isPending) add(element, "div", "pending", "The bot is answering …");
  if (turn.problem) {
    if (turn.partial) drawPartial(add(element, "div", "partial"), turn);
    const problem = add(element, "div", "problem");
    add(problem, "p", "wrong", turn.problem);
    addButton(add(problem, "p", "tools"), "Try again", () => options.retry(turn));
  }
}
