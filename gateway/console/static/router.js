// Which page is shown: #/NAME/ARGUMENT?QUERY.

import { el } from "./dom.js";
import { forget, may, who } from "./session.js";
import { t } from "./words.js";

const PAGES = {
  fleet: () => import("./pages/fleet.js"),
  enterprises: () => import("./pages/enterprises.js"),
  enterprise: () => import("./pages/enterprise.js"),
  gaps: () => import("./pages/gaps.js"),
  alarms: () => import("./pages/alarms.js"),
  alarm: () => import("./pages/alarm.js"),
  notice: () => import("./pages/notice.js"),
  quarantine: () => import("./pages/quarantine.js"),
  frame: () => import("./pages/frame.js"),
  sinks: () => import("./pages/sinks.js"),
  admission: () => import("./pages/admission.js"),
  audit: () => import("./pages/audit.js"),
  login: () => import("./pages/login.js"),
};
const FIRST = "enterprises";
let turn = 0;
let again = null;

/** The place that the address names: {name, arg, query}. */
export function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, arg = ""] = path.split("/");
  const known = Object.hasOwn(PAGES, name) ? name : FIRST;
  return { name: who() ? known : "login", arg: decode(arg), query: Object.fromEntries(new URLSearchParams(query)) };
}

/** An address for `place`. */
export function to(name, arg = "", query = {}) {
  const text = new URLSearchParams(query).toString();
  return `#/${name}${arg === "" ? "" : `/${encodeURIComponent(arg)}`}${text ? `?${text}` : ""}`;
}

/** Show the page that the address names. `changed` is called with its name before. */
export async function open(changed) {
  const mine = ++turn;
  const { name, arg, query } = place();
  changed(name);
  again = null;
  const root = el("div", { class: `page page-${name}` });
  const main = document.getElementById("main");
  main.setAttribute("aria-busy", "true");
  try {
    const page = await PAGES[name]();
    const refresh = (await page.show(root, arg, query)) ?? null;
    if (mine === turn) again = refresh;
  } catch (error) {
    root.replaceChildren(problem(error));
  }
  if (mine !== turn) return;
  main.replaceChildren(root);
  main.removeAttribute("aria-busy");
  document.title = `${root.querySelector("h1")?.textContent ?? ""} · Wattline`;
}

/** Ask again what the page shows, if it does. */
export async function refresh() {
  const before = turn;
  try {
    await again?.();
  } catch (error) {
    if (error.status === 401 && before === turn) leave();
  }
}

/** The session is over: to the login. */
export function leave() {
  forget();
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** What went wrong, to be read. */
export function problem(error) {
  if (error.status === 401 && who()) queueMicrotask(leave);
  const text = error.text ?? `${t("failed")}: ${error.message}`;
  return el("p", { class: "problem", role: "alert" }, text);
}

/** Whether the page of this name is for the one who is logged in. */
export function isShown(name) {
  return name !== "audit" || may("admin");
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
