// The form with what the user wishes of replies. The wishes are sent with every message. The user may also keep them in
// a file of this computer, if the page offers that.
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
