// Regions that follow what happens. Everything works without this: then a page is as old as its loading.
"use strict";
(() => {
  const EVERY = 5000;
  const region = document.querySelector("[data-live]");
  if (!region) return;
  const bar = document.querySelector("[data-live-bar]");
  const box = document.querySelector("[data-live-toggle]");
  const status = document.querySelector("[data-live-status]");
  let tag = "", last = Date.now(), failures = 0, busy = false, done = false;

  box.closest("label").hidden = false;

  // What somebody marks or types stays until they are finished.
  const disturbs = () => {
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && region.contains(selection.anchorNode)) return true;
    const focus = document.activeElement;
    return region.contains(focus) && focus.matches("input:not([type=checkbox]), select, textarea");
  };

  // Work the new part into the one that is shown: what is the same keeps its focus, ticks, scroll and what is open.
  // Elements are known by their id, rows by the value of the box before them.
  const key = (item) => item.id || (item.localName === "tr" || (item.localName === "tbody" && item.rows.length === 1)
    ? item.querySelector("input.action-select")?.value : "") || "";
  const morph = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(name === "open" && old.localName === "details")) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    morphChildren(old, fresh);
  };
  const morphChildren = (old, fresh) => {
    const known = new Map([...old.children].map((item) => [key(item), item]));
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const id = key(child), same = id ? known.get(id) : at;
      const isKept = same && id && child.matches("[data-keep]");
      if (!isKept && (!same || same.nodeName !== child.nodeName || key(same) !== id)) {
        old.insertBefore(child, at);
        continue;
      }
      if (same === at) at = at.nextSibling; else old.insertBefore(same, at);
      if (!isKept) morph(same, child);
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  };

  const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";
  const replace = (html) => {
    const part = document.createElement("template");
    part.innerHTML = html;
    part.content.querySelectorAll("[data-live-also]").forEach((item) => {
      const shown = document.getElementById(item.id);
      if (shown) morphChildren(shown, item);
      item.remove();
    });
    const focus = document.activeElement, place = [...region.querySelectorAll(FOCUSABLE)].indexOf(focus);
    morphChildren(region, part.content);
    if (place >= 0 && document.activeElement !== focus) {
      // What had the focus was moved, or is gone: then what stands in its place has it.
      const all = region.querySelectorAll(FOCUSABLE);
      (focus.isConnected ? focus : all[Math.min(place, all.length - 1)])?.focus({ preventScroll: true });
    }
    name();
    age();
  };

  // Distances are counted here, so that the server sends nothing while nothing else changes.
  const texts = JSON.parse(bar.dataset.ages), ahead = bar.dataset.server * 1000 - Date.now();
  const long = (seconds) => {
    const [unit, size] = seconds < 60 ? ["s", 1] : seconds < 3600 ? ["min", 60]
      : seconds < 48 * 3600 ? ["h", 3600] : ["d", 86400];
    return texts[unit].replace("%s", Math.floor(seconds / size));
  };
  const age = () => region.querySelectorAll("time > [data-age]").forEach((item) => {
    const seconds = (Date.now() + ahead - Date.parse(item.parentNode.dateTime)) / 1000;
    const isDue = item.dataset.age === "due";
    const text = seconds <= -1 ? texts.in.replace("%s", long(-seconds))
      : seconds < (isDue ? 5 : 1) ? texts.now
      : (isDue ? texts.overdue : texts.ago).replace("%s", long(seconds));
    if (item.textContent !== text) item.textContent = text;
  });

  // The tab says that something fails while it is in the background.
  const name = () => {
    const title = region.querySelector("[data-title]");
    if (!title) return;
    document.title = title.dataset.title;
    const icon = document.querySelector("link[rel~=icon]");
    if (icon && title.dataset.icon && icon.getAttribute("href") !== title.dataset.icon) icon.href = title.dataset.icon;
  };

  const say = () => {
    const age = Math.round((Date.now() - last) / 1000);
    const stale = failures > 2;
    bar.classList.toggle("ols-stale", stale);
    const text = stale ? bar.dataset.stale : box.checked && !done ? bar.dataset.fresh : "";
    status.textContent = text.replace("%s", age);
  };

  const fetchIt = async () => {
    if (busy || done || !box.checked || document.hidden || disturbs()) return;
    busy = true;
    try {
      const answer = await fetch(region.dataset.live, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      if (answer.redirected) {
        status.textContent = bar.dataset.out;
        done = true;
        return;
      }
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(answer.status);
        const html = await answer.text();
        if (!disturbs()) { tag = answer.headers.get("ETag") || ""; replace(html); }
      }
      failures = 0;
      last = Date.now();
      done = region.querySelector("[data-done]") !== null;
    } catch {
      failures += 1;
    } finally {
      busy = false;
    }
  };

  name();
  done = region.querySelector("[data-done]") !== null;
  if (done) box.closest("label").hidden = true;
  setInterval(fetchIt, EVERY);
  setInterval(() => { if (!done) say(); if (box.checked && !disturbs()) age(); }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) fetchIt(); });
})();
