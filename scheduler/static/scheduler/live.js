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

  // What somebody reads, marks or types stays as it is until they are finished.
  const disturbs = () => {
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && region.contains(selection.anchorNode)) return true;
    const focus = document.activeElement;
    return region.contains(focus) && focus.matches("input:not([type=checkbox]), select, textarea");
  };

  // Rows with a box before them stay, and with them ticks and focus; only the cells that differ are replaced.
  // A theme may give each row a body of its own, with what listens to its box: then bodies are what moves.
  // Two cells that differ only in how long ago something was are the same.
  const bare = (cell) => cell.innerHTML.replace(/(<span data-age="\w+">)[^<]*/g, "$1");
  const replaceRows = (table, fresh) => {
    const rowsOf = (one) => [...one.querySelectorAll("tbody > tr")];
    const key = (row) => row.querySelector("input.action-select")?.value;
    const apart = table.tBodies.length > 1 || fresh.tBodies.length > 1;
    const moved = (row) => apart ? row.parentNode : row;
    const known = new Map(rowsOf(table).map((row) => [key(row), row]));
    const shown = rowsOf(table).map(moved);
    const wanted = rowsOf(fresh).map((row) => {
      const old = known.get(key(row));
      [...row.cells].forEach((cell, place) => {
        const before = old?.cells[place];
        if (!before || cell.matches(".action-checkbox") || bare(before) === bare(cell)) return;
        const at = [...before.querySelectorAll("a, button")].indexOf(document.activeElement);
        before.innerHTML = cell.innerHTML;
        before.querySelectorAll("a, button")[at]?.focus({ preventScroll: true });
      });
      return moved(old || row);
    });
    if (wanted.length === shown.length && wanted.every((item, place) => item === shown[place])) return;
    const focus = document.activeElement, place = apart ? table : table.tBodies[0];
    shown.forEach((item) => item.remove());
    place.append(...wanted);
    if (place.contains(focus)) focus.focus({ preventScroll: true });
  };

  // Where the focus is, for what comes in its place: the same link or button, or the one that stands there now.
  const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";
  const placeOf = (item) => {
    const name = ["id", "formaction", "href", "aria-labelledby"].find((one) => item.getAttribute(one));
    const same = name ? `${item.localName}[${name}="${CSS.escape(item.getAttribute(name))}"]` : item.localName;
    return [[same, [...region.querySelectorAll(same)].indexOf(item)],
      [FOCUSABLE, [...region.querySelectorAll(FOCUSABLE)].indexOf(item)]];
  };
  const refocus = (places) => {
    for (const [same, place] of places) {
      const found = region.querySelectorAll(same);
      const item = found[Math.min(place, found.length - 1)];
      if (item) return item.focus({ preventScroll: true });
    }
  };

  const replace = (html) => {
    const part = document.createElement("template");
    part.innerHTML = html;
    part.content.querySelectorAll("[data-live-also]").forEach((item) => {
      const shown = document.getElementById(item.id);
      if (shown && shown.innerHTML.trim() !== item.innerHTML.trim()) shown.innerHTML = item.innerHTML;
      item.remove();
    });
    const table = region.querySelector("#result_list"), fresh = part.content.querySelector("#result_list");
    if (table && fresh?.querySelector("input.action-select")) return replaceRows(table, fresh);
    const open = new Map([...region.querySelectorAll("details[id]")].map((item) => [item.id, item.open]));
    const scrolls = new Map([...region.querySelectorAll("[data-keep-scroll]")].map((item) => [
      item.id, item.scrollTop + item.clientHeight >= item.scrollHeight - 4 ? Infinity : item.scrollTop]));
    const kept = [...region.querySelectorAll("[data-keep]")].map((item) => [item, [...item.querySelectorAll("*")]
      .filter((inner) => inner.scrollTop).map((inner) => [inner, inner.scrollTop])]);
    const focus = region.contains(document.activeElement) ? placeOf(document.activeElement) : [];
    const aside = new Map([...region.querySelectorAll(".ols-scroll")].map((item, place) => [place, item.scrollLeft]));
    region.replaceChildren(part.content);
    region.querySelectorAll(".ols-scroll").forEach((item, place) => { item.scrollLeft = aside.get(place) || 0; });
    for (const [item, inner] of kept) {
      document.getElementById(item.id)?.replaceWith(item);
      inner.forEach(([one, top]) => { one.scrollTop = top; });
    }
    open.forEach((is, id) => { const item = document.getElementById(id); if (item) item.open = is; });
    scrolls.forEach((top, id) => {
      const item = document.getElementById(id);
      if (item) item.scrollTop = top === Infinity ? item.scrollHeight : top;
    });
    refocus(focus);
    name();
    age();
  };

  // How far away instants are is counted on here, so that the server sends nothing while nothing else changes.
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
