// A terminal's gaps: a calendar of a month, each gap with its cause, and asking the terminal for what is missing.

import { get, part, post } from "../api.js";
import { say } from "../dialog.js";
import { add, button, chip, el, fill, link, table } from "../dom.js";
import { problem, to } from "../router.js";
import { may } from "../session.js";
import { day, dayNumber, monthStart, now_s, span, stamp, weekday } from "../time.js";
import { either, named, number, t } from "../words.js";

const ROWS_MAX = 300; // a page of gaps; the calendar counts them all
const GOOD = 0.999;
const FAIR = 0.9;
const WINDOW_S = 900;
const OUTCOMES = { open: "warn", came: "good", gone: "bad", refused: "bad", given_up: "bad" };

/** query: {from}: any second of the month. */
export async function show(root, id, query) {
  const from_s = monthStart(Number(query.from) || now_s());
  const to_s = monthStart(from_s, 1);
  const below = el("div", { class: "stack" });

  async function refresh() {
    const found = await get(`terminals/${part(id)}/gaps`, { from_s, to_s });
    const ask = backfill(id, refresh);
    fill(below,
      calendar(found, from_s, to_s),
      el("h2", {}, t("gaps.list")),
      found.gaps.length ? gapTable(found, ask) : el("p", { class: "empty" }, t("gaps.none")),
      found.is_cut || found.gaps.length > ROWS_MAX ? el("p", { class: "small" }, t("isCut", number(ROWS_MAX))) : null,
      ...asked(found.asked),
    );
  }

  await refresh();
  const place = (months) => to("gaps", id, { from: monthStart(from_s, months) });
  add(root,
    el("h1", {}, t("gaps.title", id)),
    el("div", { class: "bar" },
      link(place(-1), `← ${t("enterprise.earlier")}`, { class: "press" }),
      el("strong", {}, day(from_s).slice(0, 7)),
      to_s <= now_s() ? link(place(1), `${t("enterprise.later")} →`, { class: "press" }) : null,
      may("operator") ? button(t("gaps.backfillMonth"), () => backfill(id, refresh)(from_s, to_s), { class: "main" }) : null),
    below);
  return refresh;
}

/** What asks the terminal for all records of a span that the gateway lacks. */
function backfill(id, refresh) {
  return async (from_s, to_s) => {
    try {
      const { numbers } = await post(`terminals/${part(id)}/backfill`, { from_s, to_s });
      say(numbers ? t("gaps.asked", number(numbers)) : t("gaps.nothingToAsk"));
      await refresh();
    } catch (error) {
      say(problem(error).textContent);
    }
  };
}

function calendar(found, from_s, to_s) {
  const meaning = Object.fromEntries(found.gaps.map((one) => [one.state, either(one.meaning)]));
  const names = t("gaps.weekdays").split(" ").map((name) => el("li", { class: "name", "aria-hidden": "true" }, name));
  const before = Array.from({ length: weekday(from_s) }, () => el("li", { class: "none", "aria-hidden": "true" }));
  const of = new Map(found.days.map((one) => [one.day, one]));
  const days = [];
  for (let at = dayNumber(from_s); at < dayNumber(to_s); at++) days.push(dayCell(at - dayNumber(from_s) + 1, of.get(at), meaning));
  return el("ol", { class: "calendar", "aria-label": t("gaps.calendar") }, names, before, days);
}

function dayCell(date, found, meaning) {
  if (!found || found.completeness === null) return el("li", { class: "calm" }, el("b", {}, date));
  const causes = Object.entries(found.missing).map(([code, count]) => `${meaning[code] ?? code} ${count}`);
  if (found.late) causes.push(t("gaps.late", found.late));
  const kind = found.completeness >= GOOD ? "good" : found.completeness >= FAIR ? "warn" : "bad";
  return el("li", { class: kind, title: causes.join("\n") },
    el("b", {}, date), el("span", {}, percent(found.completeness)), causes.length ? el("small", {}, causes.join("; ")) : null);
}

function percent(share) {
  return `${(Math.floor(share * 1000) / 10).toFixed(share === 1 ? 0 : 1)}%`;
}

function gapTable(found, ask) {
  const heads = [t("gaps.point"), t("alarms.when"), t("gaps.windows"), t("gaps.cause")];
  const rows = found.gaps.slice(0, ROWS_MAX).map((one) => [
    found.points[one.point] ? `${one.point} ${found.points[one.point]}` : String(one.point),
    span(one.from_s, one.to_s),
    String((one.to_s - one.from_s) / WINDOW_S),
    either(one.meaning),
    may("operator") && one.state !== "late" ? button(t("gaps.backfill"), () => ask(one.from_s, one.to_s)) : "",
  ]);
  return table(may("operator") ? [...heads, ""] : heads, rows);
}

function asked(requests) {
  if (!requests.length) return [];
  const heads = [t("gaps.numbers"), t("gaps.by"), t("gaps.at"), t("gaps.sent"), t("gaps.outcome")];
  const rows = requests.map((one) => [
    one.first === one.last ? String(one.first) : `${one.first} – ${one.last}`,
    named("by", one.asked_by),
    stamp(one.asked_ms / 1000),
    String(one.sent),
    chip(OUTCOMES[one.outcome] ?? "calm", named("outcome", one.outcome)),
  ]);
  return [el("h2", {}, t("gaps.requests")), table(heads, rows)];
}
