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
    const unit = trigger.querySelector("[name$='-unit']").value;
    trigger.querySelectorAll("[data-units]").forEach((part) => { part.hidden = !part.dataset.units.split(" ").includes(unit); });
    trigger.querySelectorAll("[data-unless]").forEach((part) => { part.hidden = part.dataset.unless === kind; });
  };

  // An answer that was overtaken by a newer question is dropped.
  const show = async () => {
    const mine = ++asked;
    try {
      const html = await post(preview.dataset.preview);
      if (mine !== asked) return;
      preview.innerHTML = html;
      // Of all that changed only the sentence is read out, and only if it is another one.
      const sentence = preview.querySelector(".ols-say")?.textContent || "";
      if (say.textContent !== sentence) say.textContent = sentence;
    } catch {
      if (mine === asked) preview.textContent = "";
    }
  };
  const later = () => { clearTimeout(timer); timer = setTimeout(show, 250); };

  // The start of what repeats is its phase. For another kind it would be a limit that nobody asked for.
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

  const holder = document.querySelector("[data-arguments]")?.parentElement;
  if (!holder) return;
  const reveal = () => holder.querySelectorAll("[data-want]").forEach((button) => { button.hidden = false; });
  let wanted = 0;
  const refill = async (want) => {
    const mine = ++wanted;
    const widget = holder.querySelector("[data-arguments]");
    try {
      const html = await post(widget.dataset.arguments, { want });
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
})();
