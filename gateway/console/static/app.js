// The console: begins with who is logged in, then shows what the address names.

import { draw, drawLamp } from "./header.js";
import { listen, stop } from "./live.js";
import { isShown, open, problem, refresh } from "./router.js";
import { find, who } from "./session.js";
import { apply } from "./settings.js";
import { t } from "./words.js";

let listens = false;

function shown() {
  apply();
  document.getElementById("skip").textContent = t("skip");
  return open((name) => {
    if (who() && !listens) listen(refresh, drawLamp);
    if (!who()) stop();
    listens = who() !== null;
    draw(document.getElementById("header"), name, isShown, shown);
  });
}

function onKey(event) {
  const field = event.target.closest?.("input, textarea, select");
  if (event.key === "/" && !field) {
    const search = document.querySelector("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  }
  if (event.key === "Escape" && field?.type === "search") {
    field.value = "";
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.blur();
  }
}

addEventListener("hashchange", shown);
addEventListener("keydown", onKey);
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
apply();
try {
  await find();
  await shown();
} catch (error) {
  document.getElementById("main").replaceChildren(problem(error));
}
