// The header: where one can go, who one is, language and theme.

import { button, el, link } from "./dom.js";
import { isLive } from "./live.js";
import { leave, to } from "./router.js";
import { logout, who } from "./session.js";
import { choose, otherLanguage, theme } from "./settings.js";
import { zone } from "./time.js";
import { t } from "./words.js";

const NAMES = ["enterprises", "fleet", "alarms", "quarantine", "sinks", "admission", "audit"];
const ABOVE = { enterprise: "enterprises", gaps: "fleet", alarm: "alarms", notice: "alarms", frame: "quarantine" };

/** Draw it for the page `name`. isShown: whether a page is for this role; again: called after a choice. */
export function draw(header, name, isShown, again) {
  const here = ABOVE[name] ?? name;
  const names = who() ? NAMES.filter(isShown) : [];
  const items = names.map((one) => el("li", {}, link(to(one), t(one), { "aria-current": one === here ? "page" : null })));
  header.replaceChildren(
    link("#/", "Wattline", { class: "brand", title: who()?.program ?? null }),
    el("nav", { "aria-label": t("pages") }, el("ul", {}, items)),
    el("div", { class: "tools" }, who() ? self() : null, choices(again)),
  );
  header.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

/** Show whether the line for what changes stands. */
export function drawLamp() {
  document.getElementById("lamp")?.replaceWith(lamp());
}

function lamp() {
  return el("span", { class: isLive() ? "lamp" : "lamp off", id: "lamp" }, el("span", {}, t(isLive() ? "live" : "notLive")));
}

function self() {
  const { name, role } = who();
  const out = async () => {
    await logout();
    leave();
  };
  return [
    lamp(),
    el("span", { class: "zone", title: t("zoneTitle") }, zone()),
    el("span", { class: "self" }, `${name} · ${t(`role.${role}`)}`),
    button(t("logout"), out, { class: "plain" }),
  ];
}

function choices(again) {
  const chosen = (name, value) => () => {
    choose(name, value);
    return again();
  };
  const next = theme() === "dark" ? "light" : "dark";
  const language = otherLanguage();
  return [
    button(language === "zh" ? "中文" : "English", chosen("language", language), { class: "plain", lang: language }),
    button(t(`theme.${next}`), chosen("theme", next), { class: "plain" }),
  ];
}
