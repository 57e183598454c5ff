// Login.

import { get } from "../api.js";
import { add, el, link } from "../dom.js";
import { problem } from "../router.js";
import { login } from "../session.js";
import { named, t } from "../words.js";

const WHY = ["denied", "provider", "group", "state", "often"]; // any other text is whose link it is

/** The form; who gets in goes on to where the address says. query: {why}: the code of what a provider's login ended with. */
export async function show(root, _, query) {
  const offered = await get("oidc");
  const name = el("input", { id: "name", name: "name", autocomplete: "username", required: true, maxLength: 32 });
  const password = el("input", { id: "password", type: "password", autocomplete: "current-password", required: true, maxLength: 128 });
  const wrong = el("div", {});
  const enter = el("button", { type: "submit", class: "main" }, t("login"));
  const submit = async (event) => {
    event.preventDefault();
    enter.disabled = true;
    try {
      await login(name.value, password.value);
      dispatchEvent(new HashChangeEvent("hashchange"));
    } catch (error) {
      wrong.replaceChildren(problem(error));
      password.select();
    } finally {
      enter.disabled = false;
    }
  };
  add(root,
    el("form", { class: "card login", onsubmit: submit },
      el("h1", {}, t("login")),
      el("p", { class: "lead" }, t("login.lead")),
      el("label", { for: "name" }, t("login.name")), name,
      el("label", { for: "password" }, t("login.password")), password,
      wrong, enter,
      offered.name ? link("api/oidc/begin", t("login.by", offered.name), { class: "press" }) : null,
      WHY.includes(query.why) ? el("p", { class: "problem", role: "alert" }, named("login.why", query.why)) : null),
  );
}
