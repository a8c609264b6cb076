// What a form as it is typed would do: asked for a moment after the last change.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const shown = document.querySelector("[data-preview-of-form]");
  const form = shown?.closest("form");
  if (!form) return;
  let timer = 0, asked = 0;
  const ask = async () => {
    const mine = ++asked;
    const answer = await fetch(shown.dataset.previewOfForm, { method: "POST", body: new FormData(form) });
    if (!answer.ok || answer.redirected || mine !== asked) return;
    if (answer.headers.get("Content-Type").startsWith("text/html")) shown.innerHTML = await answer.text();
    else shown.textContent = (await answer.json()).text;
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => ask().catch(() => {}), 500);
  });
});
