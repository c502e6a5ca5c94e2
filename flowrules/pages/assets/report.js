// A report: the timeline of slots, and how each output was made.

const SHOWN = 200;

/** The attempts of a campaign in the slots they had. */
async function startTimeline() {
  const root = $("#timeline");
  if (!root) return;
  const found = await unpacked("timeline");
  const kinds = new Set(found.groups.flatMap((group) => group.bars.kind));
  $("#timeline-legend").append(...[...kinds].sort((a, b) => a - b).slice(0, 24).map((kind) => {
    const colour = el("span", { class: "hue" });
    colour.style.background = `var(--hue-${kind % 10})`;
    return el("li", {}, colour, found.rules[kind]);
  }));
  if (found.left_out) $("#timeline-note").append(` The first ${counted(found.left_out, "attempt")} are left out.`);
  const told = { done: "", failed: "failed", killed: "killed" };
  const timeline = new Timeline(root, found.groups, {
    label: "Attempts as bars in slots over time. Arrow keys move, plus and minus zoom.",
    name: ({ group, bar }) => found.labels[group.bars.job[bar]],
    tip: ({ group, bar }) => {
      const { start, end, job } = group.bars, state = told[found.states[job[bar]]];
      return [
        el("b", {}, found.labels[job[bar]]), state ? ` ${state}` : "", el("br"),
        `${group.title}, ${duration(start[bar])} to ${duration(end[bar])} (${duration(end[bar] - start[bar])})`,
      ];
    },
    pick: ({ group, bar }) => announce(found.labels[group.bars.job[bar]]),
  });
  root.style.height = `${Math.min(timeline.tall + 8, Math.max(240, 0.62 * innerHeight))}px`;
}

/** The list of outputs, and all that is recorded of a chosen one. */
class Provenance {
  constructor(found) {
    this.found = found;
    this.chunks = new Map();
    this.words = found.paths.map((path, at) => `${path} ${found.rules[at]}`.toLowerCase());
    $("#search").addEventListener("input", everyFrame(() => this.list()));
    this.list();
  }

  list() {
    const words = $("#search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = [];
    let count = 0;
    this.words.forEach((text, at) => {
      if (!words.every((word) => text.includes(word))) return;
      count += 1;
      if (hits.length < SHOWN) hits.push(at);
    });
    const left = this.found.left_out ? ` of ${(this.found.paths.length + this.found.left_out).toLocaleString("en")}` : "";
    $("#found").textContent = `${counted(count, "file")}${left}${count > SHOWN ? `, the first ${SHOWN} shown` : ""}`;
    $("#files").replaceChildren(...hits.map((at) => {
      const button = el("button", { type: "button" }, this.found.paths[at]);
      button.addEventListener("click", () => this.show(at, button));
      return el("li", {}, button);
    }));
  }

  async chunk(number) {
    if (!this.chunks.has(number)) this.chunks.set(number, await unpacked(`made-${number}`));
    return this.chunks.get(number);
  }

  async show(at, button) {
    for (const other of document.querySelectorAll("#files [aria-current]")) other.removeAttribute("aria-current");
    button.setAttribute("aria-current", "true");
    const made = (await this.chunk(Math.floor(at / 1000)))[at % 1000];
    const facts = el("dl", {}, ...made.facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
    const parts = [el("b", { class: "code" }, this.found.paths[at]), facts];
    if (made.command >= 0) parts.push(el("h3", {}, "Command, as written"), el("pre", { tabindex: 0 }, this.found.commands[made.command]));
    if (made.inputs.length) {
      const rows = made.inputs.map(([path, size, digest]) => el("li", {}, el("code", {}, path), ` ${size}${digest ? `, ${digest}` : ""}`));
      if (made.more) rows.push(el("li", {}, `and ${counted(made.more, "more input")}`));
      parts.push(el("h3", {}, "Inputs"), el("ul", { class: "paths" }, ...rows));
    }
    $("#made").replaceChildren(...parts);
  }
}

async function startReport() {
  await startTimeline();
  if ($("#files")) new Provenance(await unpacked("outputs"));
  document.body.dataset.ready = "jobs";
}

startReport();
