// An enterprise: production against treatment, by day, week or month.

import { get, part } from "../api.js";
import { alarmTable, isOf } from "../alarm_table.js";
import { chart } from "../chart.js";
import { add, el, fill, link } from "../dom.js";
import { problem, to } from "../router.js";
import { day, dayNamed, dayStart, now_s, span } from "../time.js";
import { kilowatts, t } from "../words.js";

const SPANS = { day: 1, week: 7, month: 31 };
const DAY_S = 86400;

/** query: {days, from}: without `from` it is the newest span, which goes on by itself. */
export async function show(root, id, query) {
  const days = Object.values(SPANS).includes(Number(query.days)) ? Number(query.days) : SPANS.day;
  const below = el("div", { class: "stack" });

  /** One question: the list of all enterprises is a province's. */
  async function refresh() {
    const from_s = Number(query.from) || dayStart(now_s(), 1 - days);
    const shown = await get(`enterprises/${part(id)}/curves`, { from_s, to_s: from_s + days * DAY_S });
    const charts = await Promise.all(shown.linkages.map((one) => chartOf(one, shown)));
    fill(below,
      el("p", { class: "lead" }, span(shown.from_s, shown.to_s)),
      ...charts,
      charts.length ? el("p", { class: "small" }, t("enterprise.key")) : el("p", { class: "empty" }, t("enterprise.noLinkages")),
      el("h2", {}, t("enterprise.alarmsHere")),
      shown.alarms.length ? alarmTable(shown.alarms) : el("p", { class: "empty" }, t("enterprise.noAlarms")),
    );
    return shown;
  }

  const { name, linkages } = await refresh();
  add(root, el("h1", {}, name, " ", el("small", {}, id)), spans(id, days, query), below, calendars(linkages));
  return query.from ? null : refresh;
}

async function chartOf(linkage, shown) {
  const points = [...linkage.production, ...linkage.treatment];
  const drawn = await chart(linkage, shown, shown.alarms.filter((one) => isOf(one, linkage.name, points))).catch(problem);
  const runs = t("enterprise.runsFrom", kilowatts(linkage.production_on_w), kilowatts(linkage.treatment_on_w));
  return el("section", { class: "card" }, el("h2", {}, linkage.name), drawn, el("p", { class: "small" }, runs));
}

function spans(id, days, query) {
  const from_s = Number(query.from) || dayStart(now_s(), 1 - days);
  const place = (more) => to("enterprise", id, more);
  const choose = Object.entries(SPANS).map(([name, count]) =>
    link(place({ days: count }), t(`enterprise.${name}`), { "aria-current": count === days ? "true" : null }),
  );
  const date = el("input", { type: "date", id: "date", value: day(from_s), "aria-label": t("enterprise.date") });
  date.addEventListener("change", () => {
    const begin_s = dayNamed(date.value);
    if (begin_s > 0) location.hash = place({ days, from: begin_s });
  });
  return el("div", { class: "bar" },
    el("span", { class: "choices" }, choose),
    link(place({ days, from: from_s - days * DAY_S }), `← ${t("enterprise.earlier")}`, { class: "press" }),
    date,
    from_s + days * DAY_S <= now_s() ? link(place({ days, from: from_s + days * DAY_S }), `${t("enterprise.later")} →`, { class: "press" }) : null,
    query.from ? link(place({ days }), t("enterprise.newest"), { class: "press" }) : null,
  );
}

function calendars(linkages) {
  const points = linkages.flatMap((one) => [...one.production, ...one.treatment]);
  const terminals = [...new Set(points.map((one) => one.split("/")[0]))].sort();
  if (!terminals.length) return null;
  return el("p", {}, t("enterprise.terminals"), ": ", terminals.map((one) => [link(to("gaps", one), one), " "]));
}
