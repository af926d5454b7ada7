"use strict";
(() => {
  const group = document.getElementById("filter");
  if (!group) return;
  const buttons = [...group.querySelectorAll("button")];
  const rows = [...document.querySelectorAll("#checks tbody tr[data-verdict]")];
  const none = document.getElementById("none");
  const told = document.getElementById("shown");
  const show = (what) => {
    let count = 0;
    for (const row of rows) {
      row.hidden = what === "bad" && row.dataset.verdict === "pass";
      count += row.hidden ? 0 : 1;
    }
    none.hidden = count > 0;
    told.textContent = `${count} of ${rows.length} shown`;
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.show === what));
    }
  };
  for (const button of buttons) {
    button.addEventListener("click", () => show(button.dataset.show));
  }
  for (const link of document.querySelectorAll("a[data-show]")) {
    link.addEventListener("click", () => show(link.dataset.show));
  }
  group.hidden = false;
  show("all");
})();
