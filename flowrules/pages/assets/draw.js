// Draws the DAG: edges, rules, the jobs of unfolded rules, and whatever is chosen or found.

/** Pixels of a cell below which an unfolded rule is a mosaic, one dot a job. */
const MOSAIC = 5;
/** Needs between unfolded rules that are drawn all at once; more are drawn for the chosen job only. */
const MOST_LINES = 6000;

/** Pixels around the shape of a cell, for its line. */
const STAMP = 2;

class Drawing {
  constructor(model, placement) {
    this.model = model;
    this.placement = placement;
    this.now = placement; // differs while the picture moves
    this.hover = null;
    this.mosaics = new Map();
    this.stamps = new Map();
    this.lines = null;
  }

  /** Forget what was derived from filters, colours, or what is unfolded. */
  forget() {
    this.mosaics.clear();
    this.stamps.clear();
    this.lines = null;
  }

  draw(context, at, width, height) {
    const c = (name) => theme.colour(name);
    context.fillStyle = c("page");
    context.fillRect(0, 0, width, height);
    this.dots(context, at, width, height);
    context.save();
    context.translate(at.x, at.y);
    context.scale(at.k, at.k);
    const [left, top] = at.invert([0, 0]), [right, bottom] = at.invert([width, height]);
    this.view = { left, top, right, bottom, k: at.k, at };
    for (const edge of this.now.edges) this.edge(context, edge);
    if (this.now === this.placement) this.jobLines(context);
    this.model.rules.forEach((rule, index) => {
      const box = this.now.boxes[index];
      if (box[0] > right + 20 || box[1] > bottom + 20 || box[0] + box[2] < left - 20 || box[1] + box[3] < top - 20) return;
      if (rule.open) this.unfolded(context, rule, box);
      else this.folded(context, rule, box);
    });
    if (this.now === this.placement) this.chosenLines(context);
    context.restore();
    if (this.now === this.placement) this.names(context, at, width, height);
  }

  /** Names of unfolded rules that are drawn too small to be read, over them. */
  names(context, at, width, height) {
    if (at.k * 13 > 5.5) return;
    for (const rule of this.model.rules) {
      if (!rule.open) continue;
      const [x, y, wide, tall] = this.now.boxes[rule.index];
      const [left, top] = at.apply([x, y]);
      if (left > width || top > height || left + wide * at.k < 0 || top + tall * at.k < 0 || wide * at.k < 40) continue;
      context.font = `600 12px ${FONT}`;
      const text = fitted(context, `${rule.shown}  ${rule.count.toLocaleString("en")}`, wide * at.k - 16);
      if (!text) continue;
      roundBox(context, left + 4, top + 4, context.measureText(text).width + 14, 21, 6);
      context.fillStyle = theme.colour("page");
      context.globalAlpha = 0.92;
      context.fill();
      context.globalAlpha = 1;
      context.fillStyle = theme.colour("text");
      context.textBaseline = "middle";
      context.fillText(text, left + 11, top + 15);
    }
  }

  /** A faint grid of dots, by which movement is seen. */
  dots(context, at, width, height) {
    let step = 32 * at.k;
    while (step < 18) step *= 2;
    context.fillStyle = theme.colour("line");
    for (let x = ((at.x % step) + step) % step; x < width; x += step) {
      for (let y = ((at.y % step) + step) % step; y < height; y += step) context.fillRect(x - 0.5, y - 0.5, 1, 1);
    }
  }

  curve(context, points) {
    context.beginPath();
    context.moveTo(points[0], points[1]);
    for (let i = 2; i < points.length; i += 2) {
      const [x, y, toX, toY] = [points[i - 2], points[i - 1], points[i], points[i + 1]];
      if ((i / 2) % 2 === 1) context.lineTo(toX, toY);
      else if (this.placement.horizontal) context.bezierCurveTo((x + toX) / 2, y, (x + toX) / 2, toY, toX, toY);
      else context.bezierCurveTo(x, (y + toY) / 2, toX, (y + toY) / 2, toX, toY);
    }
  }

  edge(context, { tail, head, points }) {
    const { rules, chosen } = this.model;
    const near = chosen && chosen.job === undefined && (chosen.rule === tail || chosen.rule === head);
    const faint = !rules[tail].matched || !rules[head].matched;
    const colour = theme.colour(near ? "accent" : faint ? "edge-soft" : "edge");
    const thin = 1 / Math.min(1, this.view.k * 1.6);
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = (near ? 1.8 : 1.25) * thin;
    const n = points.length, size = 7 * Math.min(thin, 3);
    const [x, y] = [points[n - 2], points[n - 1]];
    const ends = points.slice();
    if (this.placement.horizontal) ends[n - 2] -= size * 0.8;
    else ends[n - 1] -= size * 0.8;
    this.curve(context, ends);
    context.stroke();
    context.beginPath();
    context.moveTo(x, y);
    if (this.placement.horizontal) context.lineTo(x - size, y - size * 0.5), context.lineTo(x - size, y + size * 0.5);
    else context.lineTo(x - size * 0.5, y - size), context.lineTo(x + size * 0.5, y - size);
    context.fill();
  }

  // ── rules ──────────────────────────────────────────────────────────────────────────────────────────────────

  folded(context, rule, [x, y, width, height]) {
    const { chosen, filtered } = this.model;
    const dim = !rule.matched;
    const radius = rule.state === "skip" || rule.state === "done" ? 29 : rule.state === "collector" ? 12 : 9;
    const active = chosen && chosen.rule === rule.index;
    const hovered = this.hover && this.hover.rule === rule.index;
    context.globalAlpha = dim ? 0.38 : 1;
    for (const deep of rule.count > 2 ? [2, 1] : rule.count > 1 ? [1] : []) {
      roundBox(context, x + 3.5 * deep, y + 3.5 * deep, width, height, radius);
      this.paint(context, rule.state, 0.55);
    }
    if (dim) context.globalAlpha = 1;
    roundBox(context, x, y, width, height, radius);
    if (dim) (context.fillStyle = theme.colour("page")), context.fill(), (context.globalAlpha = 0.38);
    this.paint(context, rule.state, 1, hovered ? 2.4 : 1.5);
    if (active) this.ring(context, x, y, width, height, radius);
    if (this.view.k * 13 > 3.2) {
      const inset = radius > 20 ? 18 : 14;
      drawMark(context, rule.state, x + inset + 6, y + 21, 15, theme.colour(rule.state));
      context.fillStyle = theme.colour("text");
      context.font = `600 13px ${FONT}`;
      context.textBaseline = "middle";
      context.fillText(fitted(context, rule.shown + (rule.loop ? " ↻" : ""), width - inset - 34), x + inset + 20, y + 21);
      context.font = `11.5px ${FONT}`;
      context.fillStyle = theme.colour("muted");
      const text = filtered ? `${rule.matched.toLocaleString("en")} of ${counted(rule.count, "job")}` : counted(rule.count, "job");
      context.fillText(text, x + inset + 20, y + 39);
      this.bar(context, rule, x + inset + 20 + context.measureText(text).width + 10, y + 36, x + width - inset);
    }
    context.globalAlpha = 1;
  }

  /** How the jobs of a rule are spread over states, where they are in more than one. */
  bar(context, rule, from, y, to) {
    if (to - from < 16 || rule.totals.filter(Boolean).length < 2) return;
    let at = from;
    context.save();
    roundBox(context, from, y, to - from, 6, 3);
    context.clip();
    rule.totals.forEach((count, state) => {
      if (!count) return;
      const wide = ((to - from) * count) / rule.count;
      context.fillStyle = theme.colour(this.model.states[state].key);
      context.fillRect(at, y, wide, 6);
      at += wide;
    });
    context.restore();
  }

  paint(context, state, strength, line = 1.5) {
    context.fillStyle = theme.colour(`${state}-soft`);
    context.strokeStyle = theme.colour(state);
    context.lineWidth = line;
    if (state === "may" || state === "waiting") context.setLineDash([6, 4]);
    const before = context.globalAlpha;
    context.fill();
    context.globalAlpha = before * strength;
    context.stroke();
    context.globalAlpha = before;
    context.setLineDash([]);
  }

  ring(context, x, y, width, height, radius) {
    context.save();
    context.strokeStyle = theme.colour("accent");
    context.lineWidth = Math.max(2.5, 2 / this.view.k);
    const out = 3 + context.lineWidth / 2;
    roundBox(context, x - out, y - out, width + 2 * out, height + 2 * out, radius + out);
    context.stroke();
    context.restore();
  }

  // ── jobs ───────────────────────────────────────────────────────────────────────────────────────────────────

  unfolded(context, rule, box) {
    const [x, y, width, height] = box;
    const { chosen } = this.model;
    roundBox(context, x, y, width, height, 12);
    context.fillStyle = theme.colour("raised");
    const active = chosen && chosen.rule === rule.index && chosen.job === undefined;
    context.strokeStyle = theme.colour(active ? "accent" : this.hover && this.hover.rule === rule.index ? "muted" : "line-strong");
    context.lineWidth = active ? Math.max(2.2, 2 / this.view.k) : 1.3;
    context.fill();
    context.stroke();
    if (this.now !== this.placement) return;
    const k = this.view.k;
    if (k * 13 > 3.2) {
      drawMark(context, rule.state, x + 20, y + 20, 15, theme.colour(rule.state));
      context.textBaseline = "middle";
      context.font = `600 13px ${FONT}`;
      context.fillStyle = theme.colour("text");
      const name = fitted(context, rule.shown, width * 0.6);
      context.fillText(name, x + 34, y + 20);
      const used = context.measureText(name).width;
      context.font = `11.5px ${FONT}`;
      context.fillStyle = theme.colour("muted");
      const less = rule.kept < rule.count ? `${rule.kept.toLocaleString("en")} of ` : "";
      context.fillText(fitted(context, `${less}${counted(rule.count, "job")}`, width - used - 60), x + 44 + used, y + 20);
      context.strokeStyle = theme.colour("muted");
      context.lineWidth = 1.6;
      context.beginPath();
      context.moveTo(x + width - 26, y + 22), context.lineTo(x + width - 21, y + 17), context.lineTo(x + width - 16, y + 22);
      context.stroke();
    }
    const grid = this.placement.grid(rule);
    if (k * CELL.height < MOSAIC) this.mosaic(context, rule, grid, x, y);
    else this.cells(context, rule, grid, x + CELL.pad, y + CELL.head);
  }

  /** The cells in view: first their shapes, as stamps on whole pixels, then their names. */
  cells(context, rule, { width, step, rows, columns }, x, y) {
    const { jobs, chosen, states } = this.model;
    const { left, top, right, bottom, k, at } = this.view;
    const ratio = devicePixelRatio || 1;
    const from = Math.max(0, Math.floor((left - x) / step[0])), to = Math.min(columns - 1, Math.floor((right - x) / step[0]));
    const first = Math.max(0, Math.floor((top - y) / step[1])), last = Math.min(rows - 1, Math.floor((bottom - y) / step[1]));
    const each = (draw) => {
      for (let column = from; column <= to; column++) {
        for (let row = first, job = rule.first + column * rows + first; row <= last && job < rule.first + rule.kept; row++, job++) {
          context.globalAlpha = jobs.matches[job] ? 1 : 0.22;
          draw(job, x + column * step[0], y + row * step[1]);
        }
      }
      context.globalAlpha = 1;
    };
    const stamps = states.map(({ key }) => this.stamp(key, width * k * ratio, CELL.height * k * ratio, k * ratio));
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    each((job, cellX, cellY) => {
      const stamp = stamps[jobs.states[job]];
      context.drawImage(stamp, Math.round((at.x + cellX * k) * ratio) - STAMP, Math.round((at.y + cellY * k) * ratio) - STAMP);
    });
    context.restore();
    if (k * 11.5 > 6.5) {
      context.font = `11.5px ${FONT}`;
      context.textBaseline = "middle";
      context.fillStyle = theme.colour("text");
      each((job, cellX, cellY) => context.fillText(fitted(context, this.model.labelOf(job), width - 32), cellX + 25, cellY + 12.5));
    }
    if (chosen && chosen.job !== undefined && chosen.rule === rule.index) this.ring(context, ...this.placement.cell(chosen.job), 6);
  }

  /** The shape of a cell in a state, in pixels, `STAMP` of them around it. */
  stamp(key, width, height, k) {
    const name = `${key} ${Math.round(width)} ${Math.round(height)}`;
    if (!this.stamps.has(name)) {
      if (this.stamps.size > 200) this.stamps.clear();
      const canvas = new OffscreenCanvas(Math.ceil(width) + 2 * STAMP, Math.ceil(height) + 2 * STAMP);
      const context = canvas.getContext("2d");
      context.translate(STAMP, STAMP);
      context.scale(k, k);
      context.lineWidth = 1.1;
      const fine = height > 9;
      context.fillStyle = theme.colour(fine ? `${key}-soft` : key);
      roundBox(context, 0, 0, width / k, height / k, !fine ? 0 : key === "skip" || key === "done" ? 12 : 5);
      context.fill();
      if (fine) {
        context.strokeStyle = theme.colour(key);
        if (key === "may" || key === "waiting") context.setLineDash([4, 3]);
        context.stroke();
        drawMark(context, key, 14, 12, 12, theme.colour(key));
      }
      this.stamps.set(name, canvas);
    }
    return this.stamps.get(name);
  }

  /** All jobs of a rule as one small picture, a dot each. */
  mosaic(context, rule, { step, rows, columns, width }, x, y) {
    if (!this.mosaics.has(rule.index)) {
      const { jobs, states } = this.model;
      const canvas = new OffscreenCanvas(columns * 4, rows * 3);
      const small = canvas.getContext("2d");
      for (let at = 0; at < rule.kept; at++) {
        const job = rule.first + at;
        small.globalAlpha = jobs.matches[job] ? 1 : 0.18;
        small.fillStyle = theme.colour(states[jobs.states[job]].key);
        small.fillRect(Math.floor(at / rows) * 4, (at % rows) * 3, 3.6, 2.4);
      }
      this.mosaics.set(rule.index, canvas);
    }
    context.drawImage(this.mosaics.get(rule.index), x + CELL.pad, y + CELL.head, columns * step[0], rows * step[1]);
    const { chosen } = this.model;
    if (chosen && chosen.job !== undefined && chosen.rule === rule.index) {
      this.ring(context, ...this.placement.cell(chosen.job), 6);
    }
  }

  // ── needs of jobs ──────────────────────────────────────────────────────────────────────────────────────────

  /** Where lines to a job end: at its cell, or at the box of its folded rule. */
  boxOf(job) {
    return this.placement.cell(job) || this.placement.boxes[this.model.jobs.ruleOf[job]];
  }

  line(context, need, user) {
    const a = this.boxOf(need), b = this.boxOf(user);
    const flat = this.placement.horizontal;
    const [x, y, toX, toY] = flat
      ? [a[0] + a[2], a[1] + a[3] / 2, b[0], b[1] + b[3] / 2]
      : [a[0] + a[2] / 2, a[1] + a[3], b[0] + b[2] / 2, b[1]];
    const swing = Math.max(24, Math.abs(flat ? toX - x : toY - y) / 2);
    context.moveTo(x, y);
    if (flat) context.bezierCurveTo(x + swing, y, toX - swing, toY, toX, toY);
    else context.bezierCurveTo(x, y + swing, toX, toY - swing, toX, toY);
  }

  /** Lines between jobs of unfolded rules, while there are not too many. */
  jobLines(context) {
    const { model } = this;
    if (!model.jobs) return;
    if (this.lines === null) {
      this.lines = [];
      for (const rule of model.rules) {
        if (!rule.open) continue;
        for (let job = rule.first; job < rule.first + rule.kept && this.lines.length <= MOST_LINES; job++) {
          for (const need of model.jobs.needs[job]) if (model.ruleOf(need).open) this.lines.push([need, job]);
        }
      }
      if (this.lines.length > MOST_LINES) this.lines = [];
    }
    if (!this.lines.length) return;
    context.beginPath();
    for (const [need, user] of this.lines) this.line(context, need, user);
    context.strokeStyle = theme.colour("edge");
    context.globalAlpha = this.lines.length > 400 ? 0.16 : 0.34;
    context.lineWidth = 1;
    context.stroke();
    context.globalAlpha = 1;
  }

  /** What the chosen job needs and who needs it. */
  chosenLines(context) {
    const { model } = this;
    const job = model.chosen && model.chosen.job;
    if (job === undefined || job === null || !model.jobs) return;
    context.beginPath();
    for (const need of model.jobs.needs[job].slice(0, 2000)) this.line(context, need, job);
    for (const user of model.users(job).slice(0, 2000)) this.line(context, job, user);
    context.strokeStyle = theme.colour("accent");
    context.lineWidth = Math.max(1.6, 1.2 / this.view.k);
    context.globalAlpha = 0.85;
    context.stroke();
    context.globalAlpha = 1;
  }
}
