// What a rule as it is typed would have done: asked for a moment after the last change.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const shown = document.getElementById("rule-preview");
  const form = shown && shown.closest("form");
  if (!form || !shown.dataset.preview) return;
  let timer = 0;
  let asked = 0;
  const ask = async () => {
    const mine = ++asked;
    const response = await fetch(shown.dataset.preview, {method: "POST", body: new FormData(form)});
    if (!response.ok || mine !== asked) return;
    shown.textContent = (await response.json()).text;
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => ask().catch(() => {}), 500);
  });
});
