// Who is admitted: terminals that knock, a technician's document, and revoking.

import { get, part, post } from "../api.js";
import { confirmed, say } from "../dialog.js";
import { add, chip, el, fill, table } from "../dom.js";
import { problem } from "../router.js";
import { may } from "../session.js";
import { stamp } from "../time.js";
import { number, t } from "../words.js";

/** Fetch and show; returns what asks again. */
export async function show(root) {
  const knocking = el("div", {});
  async function refresh() {
    const found = await get("knocking");
    fill(knocking, found.length ? knockTable(found) : el("p", { class: "empty" }, t("admission.nobody")));
  }
  await refresh();
  const forms = may("admin") ? el("div", { class: "columns" }, takeForm(refresh), revokeForm(refresh)) : null;
  add(root, el("h1", {}, t("admission")), el("h2", {}, t("admission.knocking")), el("p", { class: "lead" }, t("admission.lead")), knocking, forms);
  return refresh;
}

function knockTable(found) {
  const heads = [t("fleet.id"), t("fleet.state"), t("admission.first"), t("admission.last"), t("admission.frames")];
  const rows = found.map((one) => [
    one.id,
    one.is_revoked ? chip("bad", t("fleet.revoked")) : chip("warn", t("admission.unknown")),
    stamp(one.first_ms / 1000),
    stamp(one.last_ms / 1000),
    number(one.frames),
  ]);
  return table(heads, rows);
}

function takeForm(refresh) {
  const text = el("textarea", { id: "document", rows: 6, required: true, maxLength: 512 * 1024, spellcheck: false });
  const file = el("input", { type: "file", accept: ".json,application/json", "aria-label": t("admission.file") });
  file.addEventListener("change", async () => {
    if (file.files[0]) text.value = await file.files[0].text();
  });
  const take = async () => {
    const { terminal, kind } = await post("admissions", { text: text.value });
    text.value = file.value = "";
    say(t(`admission.${kind}`, terminal));
    await refresh();
  };
  return form(t("admission.take"), t("admission.takeLead"), [file, el("label", { for: "document" }, t("admission.document")), text], t("admission.takeIt"), take);
}

function revokeForm(refresh) {
  const name = el("input", { id: "revoked", required: true, maxLength: 32, autocomplete: "off" });
  const revoke = async () => {
    const id = name.value.trim();
    if (!(await confirmed(t("admission.revokeAsk", id), t("admission.revoke")))) return;
    await post(`terminals/${part(id)}/revocation`);
    name.value = "";
    say(t("admission.revoked", id));
    await refresh();
  };
  return form(t("admission.revoke"), t("admission.revokeLead"), [el("label", { for: "revoked" }, t("fleet.id")), name], t("admission.revoke"), revoke, "danger");
}

/** A card with fields and one button; what `act` is refused stands below. */
function form(title, lead, fields, text, act, kind = "main") {
  const wrong = el("div", {});
  const press = el("button", { type: "submit", class: kind }, text);
  const submit = async (event) => {
    event.preventDefault();
    press.disabled = true;
    wrong.replaceChildren();
    try {
      await act();
    } catch (error) {
      wrong.replaceChildren(problem(error));
    } finally {
      press.disabled = false;
    }
  };
  return el("form", { class: "card stack", onsubmit: submit }, el("h2", {}, title), el("p", { class: "small" }, lead), fields, wrong, el("p", { class: "ways" }, press));
}
