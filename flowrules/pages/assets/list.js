// The list beside the picture: rules and, unfolded, their jobs, as a tree for keyboard and screen reader. Only rows in view exist.

const ROW = 28;

class List {
  constructor(root, model) {
    this.root = root;
    this.model = model;
    this.rows = [];
    this.active = 0;
    this.space = el("div", { class: "list-space", role: "none" });
    root.append(this.space);
    this.render = everyFrame(() => this.draw());
    root.addEventListener("scroll", this.render);
    new ResizeObserver(this.render).observe(root);
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("click", (event) => this.click(event));
    this.refresh();
  }

  /** Work out the rows anew: rules, jobs that match below those that are unfolded, and what the page leaves out. */
  refresh() {
    const { model } = this;
    const before = this.rows[this.active];
    this.rows = [];
    for (const rule of model.rules) {
      this.rows.push({ rule: rule.index });
      if (!rule.open) continue;
      for (let job = rule.first; job < rule.first + rule.kept; job++) if (model.jobs.matches[job]) this.rows.push({ rule: rule.index, job });
      if (rule.kept < rule.count) this.rows.push({ rule: rule.index, left: rule.count - rule.kept });
    }
    const same = before ? this.find(before) : -1;
    this.active = Math.max(0, same >= 0 ? same : before ? this.find({ rule: before.rule }) : 0);
    this.space.style.height = `${this.rows.length * ROW}px`;
    this.render();
  }

  find({ rule, job }) {
    return this.rows.findIndex((row) => row.rule === rule && row.job === job && row.left === undefined);
  }

  /** Go to a row and show it. */
  go(at, { focus = false } = {}) {
    if (at < 0 || at >= this.rows.length) return;
    this.active = at;
    const top = at * ROW;
    if (top < this.root.scrollTop) this.root.scrollTop = top;
    else if (top + ROW > this.root.scrollTop + this.root.clientHeight) this.root.scrollTop = top + ROW - this.root.clientHeight;
    if (focus) this.root.focus();
    this.draw(); // at once: who listens is told the active row by its id
  }

  draw() {
    const first = Math.max(0, Math.floor(this.root.scrollTop / ROW) - 6);
    const last = Math.min(this.rows.length, Math.ceil((this.root.scrollTop + this.root.clientHeight) / ROW) + 6);
    const shown = [];
    for (let at = first; at < last; at++) shown.push(this.row(at));
    if (this.active < first || this.active >= last) if (this.rows.length) shown.push(this.row(this.active));
    this.space.replaceChildren(...shown);
    if (this.rows.length) this.root.setAttribute("aria-activedescendant", `row-${this.active}`);
    else this.root.removeAttribute("aria-activedescendant");
  }

  row(at) {
    const row = this.rows[at];
    const made = row.left !== undefined ? this.leftRow(row) : row.job !== undefined ? this.jobRow(row) : this.ruleRow(row);
    const { chosen } = this.model;
    const selected = chosen && row.left === undefined && chosen.rule === row.rule && (chosen.job === row.job || (row.job === undefined && this.model.alone(this.model.rules[row.rule])));
    made.id = `row-${at}`;
    made.dataset.at = at;
    made.style.transform = `translateY(${at * ROW}px)`;
    made.setAttribute("aria-selected", String(Boolean(selected)));
    made.setAttribute("aria-posinset", at + 1);
    made.setAttribute("aria-setsize", this.rows.length);
    if (at === this.active) made.classList.add("active"); // seen while the list has the focus
    return made;
  }

  ruleRow({ rule: index }) {
    const { model } = this, rule = model.rules[index];
    const foldable = model.foldable(rule);
    const arrow = el("span", { class: "arrow", "data-do": foldable ? "open" : null, "aria-hidden": "true" }, foldable ? (rule.open ? "▾" : "▸") : "");
    const check = el("span", { class: "check", "data-do": "check", title: rule.checked ? "Shown: click to filter it out" : "Filtered out: click to show it", "aria-hidden": "true" }, rule.checked ? "✓" : "");
    const count = model.filtered ? `${rule.matched.toLocaleString("en")} / ${rule.count.toLocaleString("en")}` : rule.count.toLocaleString("en");
    const bar = el("span", { class: "spread", "aria-hidden": "true" });
    rule.totals.forEach((number, state) => {
      if (!number || number === rule.count) return;
      const part = el("span");
      part.style.flexGrow = number;
      part.style.background = `var(--${model.states[state].key})`;
      bar.append(part);
    });
    const states = rule.totals.flatMap((number, state) => (number ? [`${number.toLocaleString("en")} ${model.states[state].text}`] : []));
    return el(
      "div",
      {
        class: `item rule${rule.matched ? "" : " dim"}`,
        role: "treeitem",
        "aria-level": 1,
        "aria-checked": String(rule.checked),
        "aria-expanded": foldable ? String(rule.open) : null,
        "aria-label": `${rule.name}, ${counted(rule.count, "job")}: ${states.join(", ")}`,
        title: `${rule.name}: ${states.join(", ")}`,
      },
      arrow, check, markOf(rule.state), el("span", { class: "name" }, rule.name), bar, el("span", { class: "count num" }, count),
    );
  }

  jobRow({ job }) {
    const { model } = this, state = model.stateOfJob(job);
    const label = model.labelOf(job);
    return el(
      "div",
      { class: "item job", role: "treeitem", "aria-level": 2, "aria-label": `${label}, ${state.text}`, title: `${label}: ${state.text}` },
      markOf(state.key), el("span", { class: "name" }, label),
    );
  }

  leftRow({ left }) {
    return el("div", { class: "item job left", role: "treeitem", "aria-level": 2, "aria-disabled": "true" }, `… ${counted(left, "more job")} not on this page`);
  }

  click(event) {
    const item = event.target.closest(".item");
    if (!item) return;
    const at = Number(item.dataset.at), row = this.rows[at];
    this.active = at;
    this.render(); // not when the button goes down: a row that was replaced by the time it goes up is not clicked
    if (row.left !== undefined) return;
    const what = event.target.closest("[data-do]");
    if (what && what.dataset.do === "check") this.check(row);
    else if (what) this.model.open(row.rule);
    else this.model.choose({ rule: row.rule, job: row.job }, { from: "list" });
  }

  check(row) {
    const rule = this.model.rules[row.rule];
    rule.checked = !rule.checked;
    this.model.filter();
  }

  key(event) {
    const row = this.rows[this.active];
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.root.clientHeight / ROW) - 1);
    const to = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    const rule = this.model.rules[row.rule];
    if (to !== undefined) this.go(Math.min(this.rows.length - 1, Math.max(0, this.active + to)));
    else if (event.key === "ArrowRight" && row.job === undefined && !rule.open) this.model.open(row.rule, true);
    else if (event.key === "ArrowRight") this.go(this.active + 1);
    else if (event.key === "ArrowLeft" && row.job === undefined && rule.open) this.model.open(row.rule, false);
    else if (event.key === "ArrowLeft") this.go(this.find({ rule: row.rule }));
    else if (event.key === " ") this.check(row);
    else if (event.key === "Enter" && row.left === undefined) this.model.choose({ rule: row.rule, job: row.job }, { from: "list", into: true });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
