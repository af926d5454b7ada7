"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("filter");
  const search = document.getElementById("search");
  const rows = [...document.querySelectorAll("tbody tr[data-row]")];
  const cells = [...document.querySelectorAll("button.cell")];
  const dialog = document.getElementById("cell");
  const body = document.getElementById("cell-body");
  let wanted = "all";

  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const record = (button) => data.rows[button.dataset.row][button.dataset.column];
  const details = (row) => Object.values(data.rows[row.dataset.row]).map((c) => c.detail).join(" ").toLowerCase();

  const fits = (row) => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = `${row.dataset.text} ${details(row)}`;
    if (!words.every((word) => text.includes(word))) return false;
    if (wanted === "all") return true;
    const mark = wanted === "changed" ? "td[data-change]" : `td[data-verdict="${wanted}"]`;
    return row.querySelector(mark) !== null;
  };
  const filter = () => {
    let count = 0;
    for (const row of rows) {
      row.hidden = !fits(row);
      count += row.hidden ? 0 : 1;
    }
    document.getElementById("shown").textContent = `${count} of ${rows.length} rows`;
    document.getElementById("none").hidden = count > 0;
    rove(cells.find((cell) => cell.tabIndex === 0 && !cell.closest("tr").hidden) || visible()[0]?.[0]);
  };
  for (const button of form.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      wanted = button.dataset.show;
      for (const other of form.querySelectorAll("button")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      filter();
    });
  }
  search.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());

  const visible = () => rows.filter((row) => !row.hidden).map((row) => [...row.querySelectorAll("button.cell")]);
  const rove = (target) => {
    for (const cell of cells) cell.tabIndex = -1;
    if (target) target.tabIndex = 0;
    return target;
  };
  const moves = {
    ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0],
    Home: [0, -1000], End: [0, 1000], PageDown: [10, 0], PageUp: [-10, 0],
  };
  document.querySelector(".grid-table").addEventListener("keydown", (event) => {
    const move = moves[event.key];
    const grid = visible();
    const y = grid.findIndex((row) => row.includes(event.target));
    if (!move || y < 0) return;
    event.preventDefault();
    const x = grid[y].indexOf(event.target);
    const down = Math.min(grid.length - 1, Math.max(0, y + move[0]));
    const across = Math.min(grid[down].length - 1, Math.max(0, x + move[1]));
    rove(grid[down][across]).focus();
  });

  const diff = (text) => {
    const pre = make("pre", undefined, "text diff");
    pre.tabIndex = 0;
    for (const line of text.replace(/\n$/, "").split("\n")) {
      const kind = /^(---|\+\+\+|diff |index |new file)/.test(line) ? "meta"
        : line.startsWith("+") ? "add" : line.startsWith("-") ? "del" : line.startsWith("@@") ? "at" : "";
      pre.append(make("span", line, kind));
    }
    return pre;
  };
  const log = (text) => {
    const pre = make("pre", text, "text");
    pre.tabIndex = 0;
    return pre;
  };
  const folded = (title, content, open) => {
    const element = make("details");
    element.append(make("summary", title));
    element.open = Boolean(open);
    const fill = () => { if (element.open && element.children.length === 1) element.append(content()); };
    element.addEventListener("toggle", fill);
    fill();
    return element;
  };
  const pairs = (entries) => {
    const list = make("dl", undefined, "pairs");
    for (const [name, value] of entries) {
      list.append(make("dt", name), make("dd", typeof value === "object" ? JSON.stringify(value) : String(value)));
    }
    return list;
  };
  const checks = (found) => {
    const list = make("ul", undefined, "changes");
    for (const check of found) {
      list.append(make("li", `step ${check.step}, ${check.title}: expected ${check.expected}, seen ${check.seen}`));
    }
    return list;
  };

  const open = (button) => {
    const cell = record(button);
    const { row, column } = button.dataset;
    document.getElementById("cell-title").textContent = `${row}: ${data.columns[column].title}`;
    body.replaceChildren();
    const verdict = make("p");
    verdict.append(make("span", cell.verdict, `v badge ${cell.verdict.replace(" ", "-")}`));
    body.append(verdict);
    if (cell.detail) body.append(make("p", cell.detail));
    body.append(make("p", `A pass means: ${data.columns[column].meaning}.`, "soft"));
    const drawn = document.querySelector(`template[data-row="${CSS.escape(row)}"][data-column="${column}"]`);
    if (drawn) body.append(drawn.content.cloneNode(true));
    if (cell.checks.length) body.append(checks(cell.checks));
    for (const patch of cell.patches) body.append(folded(patch.name, () => diff(data.texts[patch.digest])));
    for (const text of cell.texts) body.append(folded(text.name, () => log(data.texts[text.digest]), cell.verdict === "fail"));
    if (Object.keys(cell.facts).length) body.append(folded("facts", () => pairs(Object.entries(cell.facts)), true));
    const about = [["took", `${cell.seconds.toFixed(1)} s${cell.cached ? ", from the cache" : ""}`]];
    if (cell.key) about.push(["key", cell.key]);
    body.append(pairs(about));
    rove(button);
    history.replaceState(null, "", `#${encodeURIComponent(row)}:${column}`);
    dialog.showModal();
    body.scrollTop = 0;
    dialog.scrollTop = 0;
  };
  for (const button of cells) button.addEventListener("click", () => open(button));
  document.getElementById("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    history.replaceState(null, "", "#table");
    cells.find((cell) => cell.tabIndex === 0)?.focus();
  });

  form.hidden = false;
  rove(cells[0]);
  filter();
  const asked = decodeURIComponent(location.hash.slice(1));
  const target = cells.find((cell) => `${cell.dataset.row}:${cell.dataset.column}` === asked);
  if (target) open(target);
})();
