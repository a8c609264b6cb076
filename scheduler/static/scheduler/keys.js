// Shortcuts: they lead somewhere or move the focus, and never run or change anything. They can be switched off.
"use strict";
(() => {
  const STORED = "scheduler-shortcuts";
  const dialog = document.querySelector("dialog.ols-keys");
  const button = document.querySelector("[data-keys]");
  if (!dialog?.showModal) return;
  const box = dialog.querySelector("[data-keys-on]");
  let first = "", at = 0;

  // A browser that keeps nothing has the shortcuts on each page anew.
  try { box.checked = localStorage.getItem(STORED) !== "off"; } catch { box.checked = true; }
  box.addEventListener("change", () => {
    try { localStorage.setItem(STORED, box.checked ? "on" : "off"); } catch { /* for this page alone, then */ }
  });
  // Not before the admin's script has put the focus on the first field: it would choose the button.
  addEventListener("load", () => { button.hidden = false; });
  button.addEventListener("click", () => dialog.showModal());
  dialog.querySelector("[data-keys-close]").addEventListener("click", () => dialog.close());

  const move = (step) => {
    const links = [...document.querySelectorAll("#result_list tbody tr, .ols-table tbody tr")]
      .map((row) => row.querySelector("a[href]")).filter((link) => link?.offsetParent);
    const here = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    links[Math.min(Math.max(here + step, 0), links.length - 1)]?.focus();
  };
  const keys = {
    "/": () => document.querySelector("#searchbar, [role=search] input:not([type=hidden])")?.focus(),
    "?": () => dialog.showModal(),
    j: () => move(1),
    k: () => move(-1),
    r: () => { const live = document.querySelector("[data-live-toggle]"); if (live?.offsetParent) live.click(); },
  };

  document.addEventListener("keydown", (event) => {
    if (!box.checked || dialog.open || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.defaultPrevented || event.target.closest?.("input, select, textarea, [contenteditable]")) return;
    // After a g only what follows a g: a page that somebody may not see has no key, and no other meaning either.
    const isSecond = first === "g" && Date.now() - at < 1500;
    const act = isSecond ? dialog.querySelector(`[data-key="g${CSS.escape(event.key)}"]`) : keys[event.key];
    first = event.key;
    at = Date.now();
    if (!act) return;
    event.preventDefault();
    first = "";
    if (typeof act === "function") act(); else act.click();
  });
})();
