"use strict";
(() => {
  const NS = "http://www.w3.org/1999/xhtml";
  const dialog = document.getElementById("cell");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let results = read(document);
  let charts = [];
  let opened = null;

  function read(page) {
    return JSON.parse(page.getElementById("results").textContent);
  }

  // An element; what is given as text stays text, whatever is in it.
  function make(name, attributes = {}, ...children) {
    const element = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  // ---- Tables: sorting, and arrows between cells

  function setUp(table) {
    for (const header of table.tHead.rows[0].cells) {
      header.querySelector(".sort").addEventListener("click", () => sort(table, header));
    }
    const [first, ...others] = table.querySelectorAll("button.cell");
    for (const other of others) other.tabIndex = -1; // one stop of the tabulator for a table; arrows do the rest
    if (first) first.tabIndex = 0;
    fit(table.parentElement);
    table.addEventListener("keydown", move);
    table.addEventListener("focusin", ({ target }) => {
      if (!target.matches("button.cell")) return;
      table.querySelector('button.cell[tabindex="0"]').tabIndex = -1;
      target.tabIndex = 0;
    });
    table.addEventListener("click", ({ target }) => {
      const button = target.closest("button.cell");
      if (button) open(Number(button.dataset.grid), Number(button.dataset.cell));
    });
  }

  // A table that is not too wide scrolls with the page.
  function fit(place) {
    place.classList.remove("fits");
    place.classList.toggle("fits", place.scrollWidth <= place.clientWidth + 20); // a scrollbar's width
  }

  function sort(table, header, direction) {
    const column = header.cellIndex;
    direction ??= header.ariaSort === "ascending" ? "descending" : "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const number = (row) => (row.cells[column].dataset.value === "" ? NaN : Number(row.cells[column].dataset.value));
    const rows = [...table.tBodies[0].rows].map((row) => [number(row), row]);
    // What has no number stays last in either direction.
    rows.sort(([a], [b]) => Number.isNaN(a) - Number.isNaN(b) || sign * (a - b) || 0);
    table.tBodies[0].append(...rows.map(([, row]) => row));
    say(`Sorted by ${header.textContent.trim()}, ${direction}.`);
  }

  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

  function move(event) {
    const from = event.target.closest("button.cell")?.parentElement;
    const ends = { Home: 0, End: from?.parentElement.cells.length - 1 };
    if (!from || !(event.key in STEPS || event.key in ends) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const rows = [...event.currentTarget.rows].slice(1);
    const [down, across] = STEPS[event.key] ?? [0, event.key === "Home" ? 1 : -1];
    let y = rows.indexOf(from.parentElement) + down;
    let x = event.key in ends ? ends[event.key] : from.cellIndex + across;
    for (; rows[y]?.cells[x]; y += down, x += across) { // over what cannot be opened
      const button = rows[y].cells[x].querySelector("button.cell");
      if (button) return show(button);
    }
  }

  function show(button) {
    button.focus();
    button.scrollIntoView({ block: "nearest", inline: "nearest", behavior: still.matches ? "auto" : "smooth" });
  }

  function say(text) {
    let place = document.getElementById("said");
    if (!place) document.body.append((place = make("p", { id: "said", class: "hidden", role: "status" })));
    place.textContent = text;
  }

  // ---- A cell

  function open(grid, number) {
    const known = results.grids[grid], cell = known?.cells[number];
    if (!cell) return;
    opened = [grid, number];
    const title = document.getElementById("cell-title");
    title.replaceChildren(make("bdi", {}, cell.title || known.title));
    const body = document.getElementById("cell-body");
    if (!dialog.open) dialog.showModal(); // before the charts, which ask how wide it is
    body.replaceChildren(...sections(known, cell));
    draw(cell);
    dialog.scrollTop = 0;
    title.focus();
    history.replaceState(null, "", `#cell-${grid}-${number}`);
  }

  function sections(grid, cell) {
    const entry = entryOf(grid, cell);
    return [
      make("h3", {}, "Values"),
      values(grid, cell, entry),
      entry?.test && make("p", {}, make("bdi", {}, `Against ${grid.compared_with} over the same seeds: `
        + `${entry.test.text} (sign-flip test of ${entry.test.num_seeds} pairs; interval of the mean in brackets).`)),
      ...(cell.charts.length ? [make("h3", {}, "Over the rounds"), make("div", { class: "charts" })] : []),
      ...command(grid, cell),
      facts(grid, cell),
    ].filter(Boolean);
  }

  function entryOf(grid, cell) {
    for (const table of grid.tables) {
      for (const [y, line] of table.entries.entries()) {
        for (const [x, entry] of line.entries()) {
          if (table.rows[y].is_level && table.columns[x].is_level && grid.cells[entry.cell] === cell) return entry;
        }
      }
    }
    return null;
  }

  function values(grid, cell, entry) {
    const seeds = Object.keys(cell.runs);
    const rows = Object.entries(entry?.values ?? {});
    const published = rows.some(([, value]) => value.published);
    const names = ["mean", "spread", ...seeds.map((seed) => `seed ${seed}`)];
    if (published) names.push(`${grid.source} value`, "difference");
    const head = make("tr", {}, make("td"), ...names.map((name) => make("th", { scope: "col" }, name)));
    const lines = rows.map(([measure, value]) => {
      const texts = [value.text, value.spread_text === null ? "–" : `±${value.spread_text}`,
        ...seeds.map((seed) => cell.runs[seed][measure]?.text ?? "–")];
      const known = value.published;
      if (published) texts.push(known ? known.text + (known.is_target ? "" : " (no target)") : "–", known?.difference_text ?? "–");
      return make("tr", {}, make("th", { scope: "row" }, grid.measures[measure].label), ...texts.map((text) => make("td", {}, text)));
    });
    const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines));
    return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Values" }, table);
  }

  function command(grid, cell) {
    if (cell.command === null) return [make("h3", {}, "Repeat it"), make("p", {}, "The settings of its runs are not in this folder.")];
    const seeds = Object.keys(cell.runs);
    const code = make("code", { id: "command" });
    const choice = make("select", { "aria-label": "Seed" }, ...seeds.map((seed) => make("option", { value: seed }, `seed ${seed}`)));
    const write = () => {
      const parts = ["flt fit", grid.command, cell.command, `--seed_everything=${choice.value}`].filter(Boolean);
      const words = parts.join(" ").split(" "); // each breaks at its own end alone, and what is copied stays the same
      code.replaceChildren(...words.flatMap((word) => [make("span", {}, word), " "]).slice(0, -1));
    };
    choice.addEventListener("change", write);
    write();
    const button = make("button", { type: "button", class: "button" }, "Copy command");
    button.addEventListener("click", async () => {
      button.textContent = (await copy(code)) ? "Copied" : "Press Ctrl+C";
      say(button.textContent);
      setTimeout(() => (button.textContent = "Copy command"), 2500);
    });
    return [make("h3", {}, "Repeat it"), make("div", { class: "command" }, seeds.length > 1 ? choice : null, button), make("pre", {}, code)];
  }

  async function copy(code) {
    try {
      await navigator.clipboard.writeText(code.textContent);
      return true;
    } catch { // not allowed here: selected, so that a keystroke does it
      getSelection().selectAllChildren(code);
      return document.execCommand("copy");
    }
  }

  function facts(grid, cell) {
    const seconds = Object.values(cell.seconds).filter((value) => value !== null);
    const mean = seconds.reduce((sum, value) => sum + value, 0) / seconds.length;
    const versions = cell.versions.map((each) => Object.entries(each).map((pair) => pair.join(" ")).join(" · "));
    const list = [
      ["Attack", cell.attack],
      ["Runtime", seconds.length ? `${mean.toFixed(1)} s a run` : null],
      ["Versions", versions.join("; ")],
      ["Settings", cell.settings_hash && make("code", {}, cell.settings_hash)],
      ...Object.entries(cell.states ?? {}).map(([seed, hash]) => [`Final model, seed ${seed}`, make("code", {}, hash)]),
    ].filter(([, value]) => value);
    return make("dl", { class: "facts" }, ...list.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  }

  // ---- Charts

  function draw(cell) {
    for (const chart of charts.splice(0)) chart.destroy();
    const place = dialog.querySelector(".charts");
    if (!place) return;
    const figures = cell.charts.map((chart) => {
      const key = make("ul", { class: "key", "aria-hidden": "true" });
      const canvas = make("div", { role: "img", "aria-label": summary(chart) });
      return make("figure", { class: "chart" }, make("figcaption", {}, chart.label), key, canvas, asTable(chart));
    });
    place.replaceChildren(...figures); // all at once, as their widths depend on how many there are
    charts = cell.charts.map((chart, number) => plot(chart, ...figures[number].querySelectorAll(".key, [role=img]")));
  }

  function plot(chart, key, canvas) {
    const style = getComputedStyle(document.documentElement);
    const [ink, line] = ["--soft", "--line"].map((name) => style.getPropertyValue(name));
    const data = [chart.rounds], series = [{}], bands = [];
    chart.lines.forEach((each, number) => {
      data.push(each.mean);
      series.push({ label: each.label, stroke: each.colour, width: 2, dash: number ? [7, 3] : undefined, spanGaps: true, points: { show: chart.rounds.length < 2 } });
    });
    for (const each of chart.lines.filter((one) => one.low)) {
      bands.push({ series: [data.length + 1, data.length], fill: `${each.colour}3a` });
      data.push(each.low, each.high);
      series.push(...[0, 1].map(() => ({ label: each.label, stroke: "transparent", width: 0, points: { show: false }, spanGaps: true })));
    }
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "12px system-ui, sans-serif" };
    const made = new uPlot({
      width: Math.max(200, canvas.clientWidth), height: 210, series, bands,
      scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.06 : 1] } },
      axes: [{ ...axis, label: "round", labelSize: 18, labelFont: axis.font, size: 34 }, { ...axis, size: 46 }],
      legend: { show: false }, cursor: { y: false, points: { show: false } },
      hooks: { setCursor: [(self) => write(key, chart, self.cursor.idx)] },
    }, data, canvas);
    write(key, chart, null);
    return made;
  }

  // The key of a chart, with the values under the pointer, or the last ones.
  function write(key, chart, index) {
    const at = index ?? chart.rounds.length - 1;
    key.replaceChildren(make("li", {}, `round ${chart.rounds[at]}`), ...chart.lines.map((each, number) => {
      const mark = make("i", { class: number ? "dashed" : "" });
      mark.style.background = mark.style.borderColor = each.colour;
      return make("li", {}, mark, `${each.label} ${each.mean[at] ?? "–"}`);
    }));
  }

  function summary(chart) {
    const [first, last] = [chart.rounds[0], chart.rounds.at(-1)];
    const ends = chart.lines.map((each) => `${each.label} ${each.mean[0] ?? "none"} to ${each.mean.at(-1) ?? "none"}`);
    return `${chart.label} from round ${first} to ${last}: ${ends.join("; ")}.`;
  }

  function asTable(chart) {
    const details = make("details", {}, make("summary", {}, "As a table"));
    details.addEventListener("toggle", () => { // made when it is first asked for
      if (details.children.length > 1) return;
      const head = make("tr", {}, ...["round", ...chart.lines.map((each) => each.label)].map((name) => make("th", { scope: "col" }, name)));
      const rows = chart.rounds.map((round, at) => make("tr", {}, make("th", { scope: "row" }, `${round}`),
        ...chart.lines.map((each) => make("td", {}, `${each.mean[at] ?? "–"}`))));
      details.append(make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": chart.label },
        make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))));
    });
    return details;
  }

  function redraw() {
    document.querySelectorAll("main .scroll").forEach(fit);
    if (opened && dialog.open) draw(results.grids[opened[0]].cells[opened[1]]);
  }

  // ---- A page that is served while its grid goes on

  async function follow() {
    const place = () => document.getElementById("live");
    let version = null, failures = 0;
    place().textContent = "This page follows the grid.";
    for (;;) {
      try {
        const state = await (await fetch("state", { cache: "no-store" })).json();
        failures = 0;
        if (version !== null && state.version !== version) await refresh();
        version = state.version;
        place().textContent = state.is_over ? "The grid has ended: this is its result." : `The grid goes on: ${state.text}.`;
        if (state.is_over) return;
      } catch {
        if (++failures > 4) {
          place().textContent = "The grid's command has ended: this page shows what it had last.";
          return;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 1500));
    }
  }

  async function refresh() {
    const page = new DOMParser().parseFromString(await (await fetch("./", { cache: "no-store" })).text(), "text/html");
    const focus = document.activeElement?.closest?.("button.cell")?.dataset;
    const sorted = [...document.querySelectorAll("table.sortable")].map((table) => table.querySelector("[aria-sort]"));
    const scrolled = [...document.querySelectorAll("main .scroll")].map((each) => [each.scrollLeft, each.scrollTop]);
    results = read(page);
    document.getElementById("content").replaceWith(document.adoptNode(page.getElementById("content")));
    document.querySelectorAll("table.sortable").forEach((table, number) => {
      setUp(table);
      const before = sorted[number];
      const header = before && table.tHead.rows[0].cells[before.cellIndex];
      if (header) sort(table, header, before.ariaSort);
    });
    document.querySelectorAll("main .scroll").forEach((each, number) => each.scrollTo(...(scrolled[number] ?? [0, 0])));
    if (focus) document.querySelector(`button.cell[data-grid="${focus.grid}"][data-cell="${focus.cell}"]`)?.focus({ preventScroll: true });
  }

  // ---- Start

  document.querySelectorAll("table.sortable").forEach(setUp);
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    if (dialog.open) return; // by the next cell already
    for (const chart of charts.splice(0)) chart.destroy();
    history.replaceState(null, "", location.pathname + location.search);
  });
  addEventListener("resize", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const named = /^#cell-(\d+)-(\d+)$/.exec(location.hash);
  if (named) open(Number(named[1]), Number(named[2]));
  if ("live" in document.documentElement.dataset) follow();
})();
