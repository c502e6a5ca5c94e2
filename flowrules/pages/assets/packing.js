// The packing of the page: blocks as lanes of slots over time, coloured by rule.

class PackingView {
  constructor(root, packing, model) {
    this.model = model;
    const unfit = packing.unfit.map((text) => el("p", { class: "note warn" }, markOf("cancelled"), ` ${text}`));
    const coarse = packing.coarse ? el("p", { class: "note" }, "Too many jobs to show each: a lane is a node and shows how full it is.") : null;
    const told = el("p", { class: "told" }, el("b", {}, packing.told.join(" · ")), el("span", { class: "muted" }, packing.machine));
    const head = el("div", { class: "packing-head" }, told, this.legend(packing), coarse, ...unfit);
    root.append(head);
    if (!packing.groups.length) {
      root.append(el("p", { class: "empty" }, "No job goes to a block: nothing is to be done, or all of it runs beside the driver."));
      return;
    }
    head.append(el("p", { class: "note" }, "As the scheduler predicts it, from run times that were measured or declared. The red line is the walltime that is asked for."));
    this.timeline = new Timeline(root, packing.groups, {
      label: "Blocks as lanes of slots over time. Arrow keys move, plus and minus zoom.",
      name: (at) => this.name(at),
      tip: (at) => this.tip(at),
      pick: ({ group, bar }) => {
        const job = group.bars.job[bar];
        if (job >= 0) model.choose({ rule: group.bars.kind[bar], job }, { from: "packing" });
      },
      faint: ({ group, bar }) => {
        const job = group.bars.job[bar];
        return job >= 0 && model.jobs ? !model.jobs.matches[job] : !model.rules[group.bars.kind[bar]].matched;
      },
    });
  }

  legend(packing) {
    const kinds = new Set(packing.groups.flatMap((group) => (group.bars ? group.bars.kind : [])));
    const entries = [...kinds].sort((a, b) => a - b).slice(0, 24).map((kind) => {
      const colour = el("span", { class: "hue" });
      colour.style.background = `var(--hue-${kind % 10})`;
      return el("li", {}, colour, this.model.rules[kind].shown);
    });
    return el("ul", { class: "legend", "aria-label": "Colours of rules" }, ...entries);
  }

  name({ group, bar }) {
    const job = group.bars.job[bar];
    return job >= 0 && this.model.jobs ? this.model.labelOf(job) : this.model.rules[group.bars.kind[bar]].name;
  }

  tip(at) {
    const { group, bar } = at, { start, end, kind } = group.bars;
    return [
      el("b", {}, this.model.rules[kind[bar]].name), ` ${this.name(at) === this.model.rules[kind[bar]].name ? "" : this.name(at)}`, el("br"),
      `${duration(start[bar])} to ${duration(end[bar])} (${duration(end[bar] - start[bar])})`,
    ];
  }

  show(job) {
    if (this.timeline) this.timeline.show(job);
  }

  refresh(chosen) {
    if (!this.timeline) return;
    this.timeline.chosen = chosen && chosen.job !== undefined ? chosen.job : -1;
    this.timeline.surface.redraw();
  }
}
