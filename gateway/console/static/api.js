// The API, asked: what is refused is thrown with its reason in both languages.

import { language } from "./settings.js";

let token = "";

/** The session's token, to be sent with each change. */
export function setToken(value) {
  token = value;
}

/** What the console refused, or that it could not be reached (status 0). */
export class Refused extends Error {
  constructor(status, why) {
    super(`${status} ${why.code}`);
    this.status = status;
    this.code = why.code;
    this.text = language() === "zh" ? why.zh : why.en;
  }
}

/** GET path with a query; undefined and "" are left out. Throws Refused. */
export function get(path, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(pairs).toString();
  return ask(text ? `${path}?${text}` : path, {});
}

/** POST a change. Throws Refused. */
export function post(path, body = {}) {
  const headers = { "content-type": "application/json", "x-csrf-token": token };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** A name as a part of a path. */
export function part(name) {
  return encodeURIComponent(name);
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(`api/${path}`, { credentials: "same-origin", ...options });
  } catch {
    throw new Refused(0, { code: "unreachable", en: "the console does not answer", zh: "控制台无应答，请检查网络" });
  }
  const given = await answer.json().catch(() => null);
  if (answer.ok && given !== null) return given;
  const odd = { code: "answer", en: `an answer that is none (${answer.status})`, zh: `应答异常（${answer.status}）` };
  throw new Refused(answer.status, given?.error ?? odd);
}
