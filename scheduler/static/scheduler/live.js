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
        if (!before || cell.matches(".action-checkbox") || before.innerHTML === cell.innerHTML) return;
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
    const focus = region.contains(document.activeElement) ? document.activeElement.id : "";
    region.replaceChildren(part.content);
    for (const [item, inner] of kept) {
      document.getElementById(item.id)?.replaceWith(item);
      inner.forEach(([one, top]) => { one.scrollTop = top; });
    }
    open.forEach((is, id) => { const item = document.getElementById(id); if (item) item.open = is; });
    scrolls.forEach((top, id) => {
      const item = document.getElementById(id);
      if (item) item.scrollTop = top === Infinity ? item.scrollHeight : top;
    });
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
    name();
  };

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
  setInterval(() => { if (!done) say(); }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) fetchIt(); });
})();
