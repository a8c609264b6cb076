// A select that can be searched: the combobox of the ARIA practices in front of a select that is sent as ever.
"use strict";
document.querySelectorAll("select[data-combobox]").forEach((select) => {
  const MOST = 50;
  const make = (tag, values) => Object.assign(document.createElement(tag), values);
  const items = [...select.options].filter((option) => option.value).map((option) => {
    const name = option.dataset.name || option.text;
    const about = [option.dataset.about, option.dataset.more].filter(Boolean).join(" · ");
    return { value: option.value, name, about, low: name.toLowerCase(), text: `${name} ${about}`.toLowerCase() };
  });
  const id = select.id;
  const input = make("input", { type: "text", id, autocomplete: "off", spellcheck: false, placeholder: select.dataset.combobox });
  const list = make("ul", { id: `${id}_list`, hidden: true });
  const status = make("p", { className: "ols-hint" });
  const box = make("div", { className: "ols-widget ols-combobox" });
  let shown = [], active = -1, typed = false;

  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", document.querySelector(`label[for="${id}"]`)?.textContent.trim() || "");
  status.setAttribute("role", "status");
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false",
    "aria-controls": list.id })) input.setAttribute(name, value);
  for (const name of ["aria-describedby", "aria-invalid"]) {
    if (select.hasAttribute(name)) input.setAttribute(name, select.getAttribute(name));
  }
  select.id = `${id}_select`;
  select.hidden = true;
  box.append(input, list, status);
  select.after(box);

  const chosen = () => items.find((item) => item.value === select.value);
  const settle = () => { input.value = chosen()?.name || ""; status.textContent = chosen()?.about || ""; typed = false; };
  select.addEventListener("ols-filled", settle);
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    active = -1;
  };
  const mark = (place) => {
    active = place;
    [...list.children].forEach((line, at) => line.setAttribute("aria-selected", at === place));
    if (place < 0) { input.removeAttribute("aria-activedescendant"); return; }
    input.setAttribute("aria-activedescendant", list.children[place].id);
    list.children[place].scrollIntoView({ block: "nearest" });
  };
  // All words must occur. Names that begin with the text come first, then those that hold it.
  const open = (query) => {
    const text = query.trim().toLowerCase(), parts = text.split(/\s+/);
    const rank = (item) => (item.low.startsWith(text) ? 0 : item.low.includes(text) ? 1 : 2);
    const found = items.filter((item) => parts.every((part) => item.text.includes(part))).sort((a, b) => rank(a) - rank(b));
    shown = found.slice(0, MOST);
    list.replaceChildren(...shown.map((item, at) => {
      const line = make("li", { id: `${list.id}_${at}` });
      line.setAttribute("role", "option");
      line.append(make("strong", { textContent: item.name }), make("span", { textContent: item.about }));
      return line;
    }));
    list.hidden = !shown.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    status.textContent = !shown.length ? select.dataset.none
      : found.length > MOST ? select.dataset.further.replace("%s", found.length - MOST) : "";
    mark(text && shown.length ? 0 : -1);
  };
  const choose = (item) => {
    const changed = select.value !== (item?.value || "");
    select.value = item?.value || "";
    close();
    settle();
    if (changed) select.dispatchEvent(new Event("change", { bubbles: true }));
  };

  input.addEventListener("input", () => { typed = true; open(input.value); });
  input.addEventListener("click", () => { if (list.hidden) open(typed ? input.value : ""); });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (list.hidden) { open(typed ? input.value : ""); mark(Math.max(shown.indexOf(chosen()), 0)); }
      else if (shown.length) mark((active + step + shown.length + (active < 0 && step < 0)) % shown.length);
    } else if (event.key === "Enter" && !list.hidden && active >= 0) {
      event.preventDefault();
      choose(shown[active]);
    } else if (event.key === "Escape" && (typed || !list.hidden)) {
      event.preventDefault();
      close();
      settle();
    }
  });
  input.addEventListener("blur", () => {
    if (!typed) close();
    else choose(input.value.trim() ? shown[active] || chosen() : select.options[0].value ? chosen() : undefined);
    settle();
  });
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const line = event.target.closest("[role=option]");
    if (line) choose(shown[[...list.children].indexOf(line)]);
  });
  settle();
});
