// The form with the user's preferences for replies. They are sent with every message. If the page offers it, the user
// can also store them in a file on this computer.
const part = document.getElementById("calibration");
export const selects = part ? [...part.querySelectorAll("select")] : [];

export function wishes() {
  return Object.fromEntries(selects.filter((each) => each.value).map((each) => [each.name, each.value]));
}

async function post(address, content) {
  const result = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
  }).then(async (response) => (response.ok ? response.json() : { problem: await response.text() }))
    .catch(() => ({ problem: "The server cannot be reached." }));
  const said = document.getElementById("wishes-said");
  said.textContent = result.note ?? result.problem ?? result.said;
  said.classList.toggle("wrong", !result.said);
  said.scrollIntoView({ block: "nearest" });
  return Boolean(result.said);
}

document.getElementById("keep")?.addEventListener("click", () => post("profile", { answers: wishes() }));
document.getElementById("forget")?.addEventListener("click", async () => {
  if (!await post("profile/delete", {})) return;
  selects.forEach((each) => { each.value = ""; });
  selects[0].dispatchEvent(new Event("change", { bubbles: true })); // so that the tab keeps the empty form
});
part?.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
