// The page of a run: copying, the end of a log that grows, and marks while searching. Everything works without this.
"use strict";
(() => {
  const EVERY = 2000;
  const html = document.documentElement;
  html.classList.add("ols-has-script");

  // On plain HTTP clipboards are closed: mark the text, so that one key copies it.
  const select = (item, button) => {
    const range = document.createRange();
    range.selectNodeContents(item);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    item.focus();
    button.textContent = button.closest(".ols").querySelector("[data-live-bar]").dataset.marked;
  };
  const textOf = (item) => item.matches(".ols-log")
    ? [...item.querySelectorAll("bdi")].map((line) => line.textContent).join("\n") : item.textContent;
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const item = document.getElementById(button.dataset.copy);
    const around = document.getElementById(button.dataset.opens || "");
    try {
      if (!navigator.clipboard) throw new Error("plain HTTP");
      await navigator.clipboard.writeText(textOf(item));
      button.textContent = button.closest(".ols").querySelector("[data-live-bar]").dataset.copied;
    } catch {
      if (around) around.open = true;
      select(item, button);
    }
  });

  const log = document.getElementById("log");
  if (!log) return;

  // A link to a line that this part of the log does not show leads to the part that does.
  const place = location.hash.match(/^#log-(\d+)$/);
  if (place && !document.getElementById(location.hash.slice(1)) && !location.search.includes("line=")) {
    location.replace(`?line=${place[1]}${location.hash}`);
    return;
  }

  const search = document.getElementById("log-search");
  const hits = document.getElementById("log-hits");
  const mark = () => {
    const wanted = search.value.trim().toLowerCase();
    let found = 0;
    for (const line of log.children) {
      const is = wanted !== "" && line.lastChild.textContent.toLowerCase().includes(wanted);
      line.classList.toggle("ols-hit", is);
      found += is;
    }
    hits.textContent = wanted ? hits.dataset.hits.replace("%s", found) : "";
  };
  search?.addEventListener("input", mark);

  // What happened last is what is looked for first.
  if (!location.hash && !location.search) log.scrollTop = log.scrollHeight;
  if (!log.dataset.tail) { if (search?.value) mark(); return; }
  const toggle = document.querySelector("[data-live-toggle]");
  let busy = false;
  const timer = setInterval(async () => {
    if (busy || document.hidden || (toggle && !toggle.checked)) return;
    const selection = getSelection();
    if (!selection.isCollapsed && log.contains(selection.anchorNode)) return;
    busy = true;
    try {
      const answer = await fetch(`${log.dataset.tail}?after=${log.dataset.last}`, { cache: "no-store" });
      if (!answer.ok || answer.redirected) return;
      const part = document.createElement("div");
      part.innerHTML = await answer.text();
      const news = part.firstElementChild;
      const isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
      log.dataset.last = news.dataset.last;
      const empty = document.getElementById("log-empty");
      if (empty && news.children.length) {
        log.hidden = document.getElementById("log-tools").hidden = false;
        empty.remove();
      } else if (empty && news.dataset.finished !== undefined) empty.textContent = empty.dataset.over;
      log.append(...news.children);
      if (isAtEnd) log.scrollTop = log.scrollHeight;
      if (search?.value) mark();
      if (news.dataset.finished !== undefined) clearInterval(timer);
    } catch {
      // The bar of the page says that nothing is updated.
    } finally {
      busy = false;
    }
  }, EVERY);
})();
