// What is done with refused frames, and why each was refused.

import { post } from "./api.js";
import { confirmed, say } from "./dialog.js";
import { button, el } from "./dom.js";
import { problem } from "./router.js";
import { language } from "./settings.js";
import { number, named, t } from "./words.js";

/** Why a frame was refused, in words. */
export function reason(frame) {
  const known = named("reason", frame.reason);
  return language() === "zh" && known !== frame.reason ? known : frame.meaning;
}

/**
 * Buttons that replay or discard the frames that `chosen()` numbers; `after` is called when it was done. words: their
 * names, `quarantine` for many frames: then both ask first.
 */
export function orders(chosen, after, words = "frame") {
  const asked = words === "quarantine" ? "quarantine.replayAsk" : null; // one may be replayed at once: it is tried again, no more
  const order = (what, question) => async () => {
    const ids = chosen();
    if (!ids.length) return say(t("nothingFound"));
    if (question && !(await confirmed(t(question, number(ids.length)), t(`${words}.${what}`), what === "discard" ? "danger" : "main"))) return undefined;
    try {
      say(became(await post("quarantine/orders", { do: what, ids })));
      await after();
    } catch (error) {
      say(problem(error).textContent);
    }
    return undefined;
  };
  return el("div", { class: "bar" },
    button(t(`${words}.replay`), order("replay", asked), { class: "main" }),
    button(t(`${words}.discard`), order("discard", "frame.discardAsk"), { class: "danger" }));
}

function became(found) {
  if (found.under_way) return t("frame.underWay");
  const parts = ["taken", "refused", "discarded", "gone", "cut"].filter((name) => found[name]);
  return parts.map((name) => t(`frame.${name}`, number(found[name]))).join("; ") || t("done");
}
