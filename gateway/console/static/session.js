// Who is logged in, and what that role may.

import { get, post, setToken } from "./api.js";
import { setClock } from "./time.js";

const ROLES = ["viewer", "operator", "admin"];
let me = null;

/** Who is logged in, or null. */
export function who() {
  return me;
}

/** Whether the one who is logged in has this role or a higher one. */
export function may(role) {
  return me !== null && ROLES.indexOf(me.role) >= ROLES.indexOf(role);
}

/** Ask whether this browser's session still lasts. */
export async function find() {
  try {
    enter(await get("me"));
  } catch (error) {
    if (error.status !== 401) throw error;
    forget();
  }
}

/** Log in. Throws Refused. */
export async function login(name, password) {
  enter(await post("login", { name, password }));
}

/** Log out; the session may have ended already. */
export async function logout() {
  await post("logout").catch(() => null);
  forget();
}

/** Nobody is logged in. */
export function forget() {
  me = null;
  setToken("");
}

function enter(found) {
  me = found;
  setToken(found.csrf);
  setClock(found.now_s, found.utc_offset_h);
}
