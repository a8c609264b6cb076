// The form of a job: only the parts of the chosen kind, a preview while typing, the fields of the chosen task.
"use strict";
(() => {
  const trigger = document.querySelector("[data-trigger]");
  const form = trigger?.closest("form");
  if (!form) return;
  const preview = form.querySelector("[data-preview]"), say = form.querySelector("[data-say]");
  let asked = 0, timer = 0;

  const post = async (address, extra) => {
    const body = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (typeof value === "string") body.append(name, value);
    for (const [name, value] of Object.entries(extra || {})) body.set(name, value);
    const answer = await fetch(address, { method: "POST", body, headers: { "X-Requested-With": "fetch" } });
    if (!answer.ok || answer.redirected) throw new Error(answer.status);
    return answer.text();
  };

  const fold = () => {
    const kind = form.querySelector("input[name$='-kind']:checked")?.value || "json";
    trigger.querySelectorAll("[data-kind]").forEach((part) => { part.hidden = part.dataset.kind !== kind; });
    const is = (said) => {
      const [name, ...values] = said.split(" ");
      return values.includes(trigger.querySelector(`[name$='-${name}']`).value);
    };
    trigger.querySelectorAll("[data-if], [data-if-not]").forEach((part) => {
      const { if: wanted, ifNot: unwanted } = part.dataset;
      part.hidden = (wanted && !is(wanted)) || (unwanted && is(unwanted)) || false;
    });
    trigger.querySelectorAll("[data-unless]").forEach((part) => { part.hidden = part.dataset.unless === kind; });
  };

  // Drop an answer that a newer question overtook.
  const show = async () => {
    const mine = ++asked;
    preview.ariaBusy = "true";
    try {
      const html = await post(preview.dataset.preview);
      if (mine !== asked) return;
      preview.innerHTML = html;
      // Only the sentence is read out, and only a new one.
      const sentence = preview.querySelector(".ols-say")?.textContent || "";
      if (say.textContent !== sentence) say.textContent = sentence;
    } catch {
      if (mine === asked) preview.textContent = "";
    } finally {
      if (mine === asked) preview.ariaBusy = "false";
    }
  };
  const later = () => { clearTimeout(timer); timer = setTimeout(show, 250); };

  // The start is the phase of what repeats. For another kind it would be an unwanted limit.
  const start = trigger.querySelector("[name$='-start_at']");
  const phase = form.querySelector("input[name$='-kind']:checked")?.value === "every" ? start.value : "";
  trigger.addEventListener("input", (event) => {
    if (phase && event.target.name.endsWith("-kind") && ["", phase].includes(start.value)) {
      start.value = event.target.value === "every" ? phase : "";
    }
    fold();
    later();
  });
  // The rules are said in words as well, and some of them change what is warned of.
  const rules = preview.dataset.fields.split(" ");
  form.addEventListener("input", (event) => { if (rules.includes(event.target.name)) later(); });
  form.querySelector("[name=task]")?.addEventListener("change", later);
  fold();
  show();

  // After a refusal the first field that is wrong has the focus.
  addEventListener("load", () => {
    const wrong = form.querySelector("[aria-invalid=true]");
    if (!wrong) return;
    wrong.closest("details")?.setAttribute("open", "");
    wrong.focus();
  });

  // Keep what was typed while it is sent: if the session had ended, it comes back after the login.
  const DRAFT = `ols-draft:${location.pathname}`;
  const draftable = (item) => item.name && !["hidden", "password", "submit", "file"].includes(item.type);
  form.addEventListener("submit", () => {
    const typed = [...form.elements].filter(draftable).map((item) =>
      [item.name, item.value, ["radio", "checkbox"].includes(item.type) ? item.checked : null]);
    try { sessionStorage.setItem(DRAFT, JSON.stringify({ at: Date.now(), typed })); } catch { /* it is full, or off */ }
  });
  const draft = () => {
    const kept = sessionStorage.getItem(DRAFT);
    sessionStorage.removeItem(DRAFT);
    const wasSentAway = /\/login\//.test(document.referrer) || document.referrer === location.href;
    if (!kept || !wasSentAway || form.querySelector(".errornote, .errorlist, .ols-error")) return null;
    if (document.querySelector(".messagelist .success")) return null;
    const { at, typed } = JSON.parse(kept);
    return Date.now() - at < 12 * 3600 * 1000 ? typed : null;
  };
  const fill = (typed) => {
    for (const [name, value, checked] of typed) {
      for (const item of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
        if (checked === null) item.value = value;
        else if (item.value === value) item.checked = checked;
      }
    }
  };

  const holder = document.querySelector("[data-arguments]")?.parentElement;
  if (!holder) return;
  const reveal = () => holder.querySelectorAll("[data-want]").forEach((button) => { button.hidden = false; });
  let wanted = 0;
  const refill = async (want, extra) => {
    const mine = ++wanted;
    const widget = holder.querySelector("[data-arguments]");
    try {
      const html = await post(widget.dataset.arguments, { want, ...extra });
      if (mine === wanted) widget.outerHTML = html;
    } catch {
      // What stands there can be edited and saved all the same.
    }
    reveal();
  };
  holder.addEventListener("click", (event) => {
    const want = event.target.closest("[data-want]")?.dataset.want;
    if (want) refill(want);
  });
  form.querySelector("[name=task]")?.addEventListener("change", () => refill("fields"));
  reveal();

  const typed = draft();
  if (!typed) return;
  fill(typed);
  form.querySelector("[name=task]")?.dispatchEvent(new Event("ols-filled"));
  const given = Object.fromEntries(typed.filter(([name]) => name.startsWith("kwargs")));
  const mode = "kwargs" in given ? "json" : "fields";
  refill(mode, { ...given, "kwargs-mode": mode });
  fold();
  later();
  document.querySelector("[data-draft]").hidden = false;
})();
