// A refused frame: its bytes, and what they say.

import { get, part } from "../api.js";
import { add, el, facts } from "../dom.js";
import { orders, reason } from "../frames.js";
import { to } from "../router.js";
import { may } from "../session.js";
import { stamp } from "../time.js";
import { number, t } from "../words.js";

/** The frame of this number. */
export async function show(root, id) {
  const { frame, data, explained } = await get(`quarantine/${part(id)}`);
  const back = () => {
    location.hash = to("quarantine");
  };
  add(root,
    el("h1", {}, t("frame.title", frame.id)),
    el("p", { class: "lead strong" }, reason(frame)),
    may("operator") ? orders(() => [frame.id], back) : null,
    el("section", { class: "card" },
      facts([
        [t("fleet.id"), frame.source || "—"],
        [t("frame.topic"), frame.topic],
        [t("quarantine.code"), frame.reason],
        [t("quarantine.received"), stamp(frame.received_ms / 1000)],
        [t("quarantine.bytes"), number(frame.length)],
        [t("frame.offset"), String(frame.offset)],
      ])),
    el("section", { class: "card" }, el("h2", {}, t("frame.says")), tree(explained.fields ?? explained)),
    el("section", { class: "card" }, el("h2", {}, t("frame.data")), bytes(data, frame.offset)),
  );
}

/** Bytes in hex, in groups of two; the one at which the reason was seen is marked. */
function bytes(data, offset) {
  const pairs = data.match(/../g) ?? [];
  const at = Math.min(offset, pairs.length);
  const text = (some) => some.map((pair) => `${pair} `).join("");
  return el("pre", { class: "hex", tabIndex: 0 },
    text(pairs.slice(0, at)), at < pairs.length ? el("mark", {}, pairs[at]) : null, " ", text(pairs.slice(at + 1)));
}

function tree(value) {
  if (value === null || typeof value !== "object") return String(value);
  const pairs = Object.entries(value).filter(([, one]) => one !== null);
  return facts(pairs.map(([name, one]) => [Array.isArray(value) ? `#${Number(name) + 1}` : name, tree(one)]));
}
