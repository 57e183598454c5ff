// An alarm: what, where, when; the curve that shows it; what was done about it and what can be.

import { get, part, post } from "../api.js";
import { isOf, stateChip } from "../alarm_table.js";
import { chart } from "../chart.js";
import { button, chip, el, facts, fill, link } from "../dom.js";
import { problem, to } from "../router.js";
import { may } from "../session.js";
import { dayStart, span, stamp } from "../time.js";
import { either, kilowatts, lasts, named, t } from "../words.js";

const AROUND_S = 6 * 3600; // before and after: whether it was otherwise then
const LONGEST_S = 60 * 86400; // of a curve
const TOLD = { told: "good", given_up: "bad", waiting: "calm", failing: "warn" };

/** The alarm of this number; returns what asks again. */
export async function show(root, id) {
  async function refresh() {
    const { alarm, steps, told } = await get(`alarms/${part(id)}`);
    const note = root.querySelector("textarea");
    if (note?.value) return; // somebody is writing
    fill(root,
      el("h1", {}, t("alarm.title", alarm.id), " ", stateChip(alarm), " ", alarm.maintenance ? chip("calm", t("alarm.maintenance")) : null),
      el("p", { class: "lead strong" }, either(alarm.meaning)),
      el("div", { class: "columns" },
        el("section", { class: "card" }, about(alarm), ways(alarm)),
        el("section", { class: "card" }, el("h2", {}, t("alarm.steps")), stepsTaken(steps), may("operator") ? act(alarm, refresh) : null)),
      told.length ? el("section", { class: "card" }, el("h2", {}, t("alarm.told")), toldTo(told)) : null,
      el("section", {}, el("h2", {}, t("alarm.evidence")), ...(await evidence(alarm))),
    );
  }

  await refresh();
  return refresh;
}

/** The curves of an alarm's enterprise around it, one for each linkage that it is of; or why there are none. */
export async function evidence(alarm) {
  if (!alarm.enterprise) return [el("p", { class: "empty" }, t("alarm.unplaced"))];
  try {
    return await curves(alarm);
  } catch (error) {
    return [problem(error)]; // enterprises.toml has it no more, say: the alarm is dealt with all the same
  }
}

async function curves(alarm) {
  const from_s = alarm.from_s - AROUND_S;
  const to_s = Math.min(alarm.to_s + AROUND_S, from_s + LONGEST_S);
  const shown = await get(`enterprises/${part(alarm.enterprise)}/curves`, { from_s, to_s });
  const linkages = shown.linkages.filter((one) => concerns(alarm, one));
  return Promise.all(linkages.map((one) => chart(one, shown, [alarm])));
}

function concerns(alarm, linkage) {
  const points = [...linkage.production, ...linkage.treatment];
  return isOf(alarm, linkage.name, points) || points.some((one) => one.startsWith(`${alarm.subject}/`));
}

function about(alarm) {
  return facts([
    [t("alarms.where"), [alarm.enterprise, alarm.subject].filter(Boolean).join(" · ")],
    [t("alarms.when"), span(alarm.from_s, alarm.to_s)],
    [t("alarms.lasted"), lasts(alarm.to_s - alarm.from_s)],
    ...factsOf(alarm),
    [t("alarm.found"), stamp(alarm.found_ms / 1000)],
    ...(alarm.maintenance ? [[t("alarm.maintained"), alarm.maintenance]] : []),
  ]);
}

/** What became of each change at each channel. */
function toldTo(told) {
  const why = (one) => [one.reason ? named("fault", one.reason) : "", one.detail].filter(Boolean).join(": ");
  const when = (one) => [one.at_ms === null ? "" : stamp(one.at_ms / 1000), why(one)].filter(Boolean).join(" · ");
  return el("ul", { class: "alarms" }, told.map((one) =>
    el("li", {}, chip(TOLD[one.state], t(`told.${one.state}`)), el("span", {}, `${t(`change.${one.change}`)} → ${one.channel}`),
      el("span", { class: "when" }, when(one)))));
}

/** What the rule measured, as pairs to show. */
export function factsOf(alarm) {
  return Object.entries(alarm.facts).map(([name, value]) => [t(`fact.${name}`), factText(name, value)]);
}

function factText(name, value) {
  if (name.endsWith("_w")) return kilowatts(value);
  if (name.endsWith("_s")) return `${value} s`;
  if (name.endsWith("_mv")) return `${value / 1000} V`;
  return typeof value === "string" ? stamp(Date.parse(value) / 1000) : String(value);
}

function ways(alarm) {
  const terminal = alarm.subject.split("/")[0];
  const isTerminals = alarm.subject.includes("/") || !alarm.enterprise;
  return el("p", { class: "ways" },
    alarm.enterprise ? link(to("enterprise", alarm.enterprise, { days: 1, from: dayStart(alarm.from_s) }), t("alarm.curve"), { class: "press" }) : null,
    isTerminals ? link(to("gaps", terminal, { from: alarm.from_s }), t("alarm.calendar"), { class: "press" }) : null,
    link(to("notice", alarm.id), t("alarm.notice"), { class: "press" }));
}

function stepsTaken(steps) {
  if (!steps.length) return el("p", { class: "empty" }, t("alarm.noSteps"));
  return el("ol", { class: "steps" }, steps.map((one) =>
    el("li", {}, el("strong", {}, t(`state.${one.state}`)), ` · ${one.who} · ${stamp(one.at_ms / 1000)}`, one.note ? el("p", {}, one.note) : null)));
}

function act(alarm, refresh) {
  if (!alarm.may.length) return null;
  const note = el("textarea", { id: "note", rows: 2, maxLength: 2000 });
  const wrong = el("div", {});
  const step = (state) => async () => {
    try {
      await post(`alarms/${part(alarm.id)}/steps`, { state, note: note.value });
      note.value = "";
      await refresh();
    } catch (error) {
      wrong.replaceChildren(problem(error));
    }
  };
  const buttons = alarm.may.map((state) => button(t(`step.${state}`), step(state), { class: state === "dispatched" ? "main" : null }));
  return el("div", { class: "act" }, el("label", { for: "note" }, t("alarm.note")), note, wrong, el("p", { class: "ways" }, buttons));
}
