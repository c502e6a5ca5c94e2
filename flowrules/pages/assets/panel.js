// The panel beside the picture: all that is known of the chosen rule or job.

/** Jobs that are listed by name in a panel. */
const LISTED = 60;

class Panel {
  constructor(root, model, show) {
    this.root = root;
    this.model = model;
    this.show = show; // called with a job whose place in the packing is asked for
    this.chunks = new Map();
    this.places = null;
    this.turn = 0;
  }

  close() {
    this.root.hidden = true;
  }

  /** Details of a job, unpacked with those of its neighbours. */
  async details(job) {
    const chunk = Math.floor(job / CHUNK);
    if (!this.chunks.has(chunk)) this.chunks.set(chunk, unpacked(`details-${chunk}`));
    const columns = await this.chunks.get(chunk);
    return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[job % CHUNK]]));
  }

  async open(chosen) {
    const turn = ++this.turn;
    const content = chosen.job === undefined ? this.rule(this.model.rules[chosen.rule]) : await this.job(chosen.job);
    if (turn !== this.turn) return; // something else was chosen meanwhile
    const close = el("button", { type: "button", class: "icon-button", "aria-label": "Close the details", title: "Close (Esc)", onclick: () => this.model.choose(null) }, "×");
    this.root.replaceChildren(close, ...content);
    this.root.hidden = false;
    this.root.scrollTop = 0;
  }

  section(title, ...content) {
    return el("section", {}, el("h3", {}, title), ...content);
  }

  rule(rule) {
    const { model } = this;
    const states = el("ul", { class: "plain counts" });
    rule.totals.forEach((number, state) => {
      if (number) states.append(el("li", {}, markOf(model.states[state].key), el("span", {}, model.states[state].text), el("b", { class: "num" }, number.toLocaleString("en"))));
    });
    const facts = el("dl", { class: "facts" });
    const fact = (name, value) => value && facts.append(el("dt", {}, name), el("dd", {}, value));
    fact("defined in", rule.where);
    fact("wildcards", rule.wildcards.join(", "));
    fact("group", rule.group);
    fact("runs", rule.local ? "beside the driver" : "");
    const buttons = el("div", { class: "buttons" });
    if (model.foldable(rule)) {
      buttons.append(el("button", { type: "button", class: "button", onclick: () => model.open(rule.index) }, rule.open ? "Fold" : `Unfold ${counted(rule.kept, "job")}`));
    }
    const others = model.rules.filter((other) => other.checked).length === 1 && rule.checked;
    buttons.append(
      el("button", { type: "button", class: "button", onclick: () => {
        for (const other of model.rules) other.checked = others || other === rule;
        model.filter();
        model.choose({ rule: rule.index });
      } }, others ? "Show all rules" : "Only this rule"),
    );
    return [
      el("p", { class: "kind" }, "Rule"),
      el("h2", { class: "title" }, rule.name),
      rule.doc ? el("p", { class: "doc" }, rule.doc) : null,
      buttons,
      this.section("Jobs", states, rule.kept < rule.count ? el("p", { class: "note" }, `${counted(rule.count - rule.kept, "job")} of them not on this page.`) : null),
      rule.causes.length ? this.section("Why", el("ul", { class: "plain counts" }, ...rule.causes.map(([text, number]) => el("li", {}, el("span", {}, text), el("b", { class: "num" }, number.toLocaleString("en")))))) : null,
      facts.children.length ? this.section("About", facts) : null,
      this.rules("Needs", rule.needs),
      this.rules("Needed by", rule.users),
    ].filter(Boolean);
  }

  rules(title, indexes) {
    if (!indexes.length) return null;
    const links = indexes.slice(0, LISTED).map((index) => el("li", {}, this.link(this.model.rules[index].state, this.model.rules[index].name, { rule: index })));
    return this.section(title, el("ul", { class: "plain" }, ...links, indexes.length > LISTED ? el("li", { class: "muted" }, `… ${indexes.length - LISTED} more`) : null));
  }

  link(state, text, chosen) {
    return el("button", { type: "button", class: "link", onclick: () => this.model.choose(chosen, { from: "panel" }) }, markOf(state), el("span", {}, text));
  }

  async job(job) {
    const { model } = this;
    const rule = model.ruleOf(job), state = model.stateOfJob(job);
    const known = await this.details(job);
    const place = await this.place(job);
    const outputs = model.jobs.outputs[job];
    const needs = Object.entries(known.needs);
    const facts = el("dl", { class: "facts" });
    const fact = (name, value) => facts.append(el("dt", {}, name), el("dd", {}, value));
    for (const [name, value] of Object.entries(known.wildcards)) fact(name, value);
    const wants = el("dl", { class: "facts" });
    for (const [name, value] of needs) wants.append(el("dt", {}, name), el("dd", { class: "num" }, value));
    if (known.groups) wants.append(el("dt", {}, "group"), el("dd", {}, known.groups));
    if (place) {
      const [block, slot, start, end] = place;
      wants.append(
        el("dt", {}, "block"), el("dd", {}, el("button", { type: "button", class: "link", onclick: () => this.show(job) }, `block ${block}`)),
        el("dt", {}, "slot"), el("dd", {}, slot),
        el("dt", {}, "expected"), el("dd", { class: "num" }, `${duration(start)} to ${duration(end)} after the block's start`),
      );
    }
    return [
      el("p", { class: "kind" }, el("button", { type: "button", class: "link", onclick: () => model.choose({ rule: rule.index }, { from: "panel" }) }, rule.name), " · job"),
      el("h2", { class: "title" }, model.labelOf(job)),
      el("p", {}, el("span", { class: `badge is-${state.key}` }, markOf(state.key), state.text)),
      known.reasons.length ? this.section("Why", el("ul", { class: "plain reasons" }, ...known.reasons.map((text) => el("li", {}, text)))) : null,
      facts.children.length ? this.section("Wildcards", facts) : null,
      this.paths("Inputs", known.inputs, known.input_counts),
      this.paths("Outputs", outputs, outputs.length),
      known.commands ? el("section", {}, el("div", { class: "row" }, el("h3", {}, "Command"), copyButton(() => known.commands, "Copy")), el("pre", { tabindex: 0, "aria-label": "Command" }, known.commands)) : null,
      wants.children.length ? this.section(place ? "Resources and place" : "Resources", wants) : null,
      this.jobs("Needs", model.jobs.needs[job], model.jobs.unseen[job] || 0),
      this.jobs("Needed by", model.users(job), 0),
    ].filter(Boolean);
  }

  async place(job) {
    if (!carries("places")) return null;
    this.places ??= unpacked("places");
    return (await this.places)[job];
  }

  paths(title, paths, count) {
    if (!count) return null;
    const shown = paths.slice(0, LISTED);
    const list = el("ul", { class: "plain paths" }, ...shown.map((path) => el("li", {}, path)));
    const section = this.section(count > 1 ? `${title} (${count.toLocaleString("en")})` : title.replace(/s$/, ""), list);
    const more = () => paths.slice(LISTED).map((path) => el("li", {}, path));
    if (paths.length > LISTED) {
      const button = el("button", { type: "button", class: "button small" }, `Show ${(paths.length - LISTED).toLocaleString("en")} more`);
      button.addEventListener("click", () => {
        list.append(...more());
        button.remove();
      });
      section.append(button);
    }
    if (count > paths.length) section.append(el("p", { class: "note" }, `${(count - paths.length).toLocaleString("en")} more not on this page.`));
    return section;
  }

  jobs(title, jobs, unseen) {
    const total = jobs.length + unseen;
    if (!total) return null;
    const { model } = this;
    const links = jobs.slice(0, 30).map((job) => {
      const rule = model.ruleOf(job).name, label = model.labelOf(job);
      return el("li", {}, this.link(model.stateOfJob(job).key, label === rule ? rule : `${rule} ${label}`, { rule: model.jobs.ruleOf[job], job }));
    });
    const more = total - links.length;
    return this.section(total > 1 ? `${title} (${total.toLocaleString("en")})` : title, el("ul", { class: "plain" }, ...links, more > 0 ? el("li", { class: "muted" }, `… ${counted(more, "more job")}`) : null));
  }
}

/** Jobs in one packed piece of details: CHUNK of columns.py. */
const CHUNK = 1000;
