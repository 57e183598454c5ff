// Sinks: how far each is behind, what it refuses, and handing over again.

import { get, part, post } from "../api.js";
import { say } from "../dialog.js";
import { add, button, chip, el, facts, fill } from "../dom.js";
import { problem } from "../router.js";
import { may } from "../session.js";
import { dayNamed, stamp } from "../time.js";
import { named, number, t } from "../words.js";

const KIND = { ok: "good", failing: "bad", "not started": "calm" };

/** All sinks; returns what asks again. */
export async function show(root) {
  const below = el("div", { class: "columns" });
  async function refresh() {
    if (below.contains(document.activeElement) && document.activeElement.type === "date") return; // somebody is choosing
    const sinks = await get("sinks");
    fill(below, ...(sinks.length ? sinks.map((one) => card(one, refresh)) : [el("p", { class: "empty" }, t("sinks.none"))]));
  }
  await refresh();
  add(root, el("h1", {}, t("sinks")), el("p", { class: "lead" }, t("sinks.lead")), below);
  return refresh;
}

function card(one, refresh) {
  const dead = Object.entries(one.dead).map(([code, count]) => `${code} ${number(count)}`).join("; ");
  const failing = one.reason ? [[t("sinks.reason"), named("sink", one.reason)], [t("sinks.detail"), one.detail || "—"]] : [];
  return el("section", { class: "card" },
    el("h2", {}, one.name, " ", el("small", {}, one.kind), " ", chip(KIND[one.state] ?? "calm", named("sinks", one.state))),
    facts([
      [t("sinks.since"), one.since_ms ? stamp(one.since_ms / 1000) : "—"],
      ...failing,
      [t("sinks.lag"), number(one.lag)],
      [t("sinks.underWay"), number(one.under_way)],
      [t("sinks.refeed"), number(one.refeed)],
      [t("sinks.dead"), dead || t("none")],
      ...(one.texts_waiting || one.texts_refused ? [[t("sinks.texts"), `${number(one.texts_waiting)} / ${number(one.texts_refused)}`]] : []),
    ]),
    may("operator") ? refeeds(one, refresh) : null);
}

function refeeds(one, refresh) {
  const since = el("input", { type: "date", "aria-label": t("sinks.sinceDay") });
  const refeed = async (since_s) => {
    try {
      const { records, placements } = await post(`sinks/${part(one.name)}/refeeds`, { since_s });
      say(t("sinks.ordered", number(records + placements)));
      await refresh();
    } catch (error) {
      say(problem(error).textContent);
    }
  };
  const from = () => (dayNamed(since.value) > 0 ? refeed(dayNamed(since.value)) : since.focus());
  return el("div", { class: "bar act" },
    button(t("sinks.refeedDead"), () => refeed(null)), since, button(t("sinks.refeedSince"), from));
}
