// Asking before what can't be undone, and saying what was done.

import { el } from "./dom.js";
import { t } from "./words.js";

const SAID_MS = 6000;
let timer = 0;

/** Ask; true: the button named `yes` was pressed. Esc and a press on cancel say no. look: of that button. */
export function confirmed(question, yes, look = "danger") {
  return new Promise((resolve) => {
    const dialog = el("dialog", { "aria-label": question },
      el("form", { method: "dialog" },
        el("p", {}, question),
        el("p", { class: "ways" },
          el("button", { value: "no" }, t("cancel")),
          el("button", { value: "yes", class: look }, yes))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Say what was done, for some seconds; screen readers say it, too. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => place.replaceChildren(), SAID_MS);
}
