// Offers the zone of this browser, which only the browser knows.
"use strict";
(() => {
  const line = document.querySelector("[data-browser-zone]");
  const place = document.querySelector("#zone [name=place]");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!line || !zone) return;
  const radio = line.querySelector("input");
  radio.value = zone;
  line.querySelector("span").textContent = zone;
  line.hidden = false;
  if (place.value === zone) { radio.checked = true; place.value = ""; }
  place.addEventListener("input", () => { document.querySelector("#zone [value=place]").checked = true; });
})();
