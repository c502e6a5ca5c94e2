// Lanes of slots over time, for a packing that is predicted and for a run that was: groups of lanes, bars in them.
//
// groups: [{title, told: [text], offset, length, walltime, lanes: [[node, name]], bars: {lane, start, end, kind, job}}] with
// seconds since the group's offset; or `filled` in place of `bars`: for each lane how full it is, 0 to 1, in equal parts.

const LANE = { height: 20, gap: 3, head: 46, axis: 30, gutter: 124, foot: 14 };
const STEPS = [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800];

/** A time on the axis, without parts that are zero: `5m`, `1h 30m`. */
function tickText(time) {
  if (!time) return "0";
  return duration(time).replace(/ 00[smh]$/, "").replace(/\.0s$/, "s");
}

class Timeline {
  /** options: name(bar) for labels, tip(bar) gives nodes, pick(bar), kinds: how many colours are used. */
  constructor(root, groups, options) {
    this.groups = groups;
    this.options = options;
    this.end = Math.max(1e-3, ...groups.map((group) => group.offset + Math.max(group.length, group.walltime || 0)));
    this.chosen = -1;
    let y = LANE.axis;
    for (const group of groups) {
      group.top = y;
      y += LANE.head + group.lanes.length * (LANE.height + LANE.gap) + LANE.foot;
      group.byLane = group.bars ? this.sorted(group) : [];
    }
    this.tall = y;
    this.canvas = el("canvas", { tabindex: 0, role: "application", "aria-label": options.label });
    this.frame = el("div", { class: "timeline" }, this.canvas);
    this.bar = el("div", { class: "timeline-scroll", tabindex: -1, "aria-hidden": "true" }, el("div"));
    this.bar.firstChild.style.height = `${this.tall}px`;
    this.frame.append(this.bar);
    root.append(this.frame);
    this.k = 1;
    this.x = 0;
    this.surface = new Surface(this.canvas, (context, width, height) => this.draw(context, width, height));
    this.bar.addEventListener("scroll", () => this.surface.redraw());
    this.listen();
  }

  /** For each lane the positions of its bars, by their starts. */
  sorted({ lanes, bars }) {
    const byLane = lanes.map(() => []);
    bars.lane.forEach((lane, bar) => byLane[lane].push(bar));
    for (const found of byLane) found.sort((a, b) => bars.start[a] - bars.start[b]);
    return byLane;
  }

  get top() {
    return this.bar.scrollTop;
  }

  get wide() {
    return Math.max(50, this.surface.width - LANE.gutter - 24);
  }

  /** Pixel of a time, and back. */
  pixel(time) {
    return LANE.gutter + this.x + (time / this.end) * this.wide * this.k;
  }

  time(pixel) {
    return ((pixel - LANE.gutter - this.x) / (this.wide * this.k)) * this.end;
  }

  zoomAt(pixel, factor) {
    const time = this.time(pixel);
    this.k = Math.min(2000, Math.max(1, this.k * factor));
    this.x = pixel - LANE.gutter - (time / this.end) * this.wide * this.k;
    this.clamp();
  }

  clamp() {
    this.x = Math.min(0, Math.max(this.x, this.wide * (1 - this.k)));
    this.surface.redraw();
  }

  listen() {
    const { canvas } = this;
    let drag = null;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const scrolls = this.tall > this.surface.height && !event.ctrlKey && !event.shiftKey;
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) (this.x -= event.deltaX), this.clamp();
      else if (scrolls) this.bar.scrollTop += event.deltaY;
      else this.zoomAt(event.offsetX, Math.exp(-(event.deltaY || event.deltaX) * 0.0018));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      drag = { x: event.clientX, y: event.clientY, far: 0 };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (drag) {
        const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
        drag = { x: event.clientX, y: event.clientY, far: drag.far + Math.abs(dx) + Math.abs(dy) };
        this.x += dx;
        this.bar.scrollTop -= dy;
        this.clamp();
        tip(0, 0);
        return;
      }
      const bar = this.hit(event.offsetX, event.offsetY);
      canvas.style.cursor = bar ? "pointer" : "grab";
      if (bar) tip(event.clientX, event.clientY, ...this.options.tip(bar));
      else tip(0, 0);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (drag && drag.far < 5) {
        const bar = this.hit(event.offsetX, event.offsetY);
        if (bar) this.options.pick(bar);
      }
      drag = null;
    });
    canvas.addEventListener("pointerleave", () => tip(0, 0));
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const middle = LANE.gutter + this.wide / 2;
      const move = { ArrowLeft: [120, 0], ArrowRight: [-120, 0], ArrowUp: [0, -60], ArrowDown: [0, 60], PageUp: [0, -400], PageDown: [0, 400] }[event.key];
      if (move) (this.x += move[0]), (this.bar.scrollTop += move[1]), this.clamp();
      else if (event.key === "+" || event.key === "=") this.zoomAt(middle, 1.5);
      else if (event.key === "-") this.zoomAt(middle, 1 / 1.5);
      else if (event.key === "0") (this.k = 1), (this.x = 0), this.clamp();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** The bar under a place: {group, bar}, or null. */
  hit(x, y) {
    if (x < LANE.gutter || y < LANE.axis) return null;
    const at = y + this.top, time = this.time(x), near = (this.end / (this.wide * this.k)) * 2;
    for (const group of this.groups) {
      const lane = Math.floor((at - group.top - LANE.head) / (LANE.height + LANE.gap));
      if (lane < 0 || lane >= group.lanes.length || !group.bars) continue;
      const local = time - group.offset;
      const bar = group.byLane[lane].find((b) => group.bars.start[b] - near <= local && local <= group.bars.end[b] + near);
      return bar === undefined ? null : { group, bar };
    }
    return null;
  }

  /** Bring a job's bar into view. */
  show(job) {
    for (const group of this.groups) {
      const bar = group.bars ? group.bars.job.indexOf(job) : -1;
      if (bar < 0) continue;
      this.chosen = job;
      const y = group.top + LANE.head + group.bars.lane[bar] * (LANE.height + LANE.gap);
      this.bar.scrollTop = y - this.surface.height / 2;
      const middle = group.offset + (group.bars.start[bar] + group.bars.end[bar]) / 2;
      if (this.pixel(middle) < LANE.gutter || this.pixel(middle) > this.surface.width) {
        this.x = this.wide / 2 - (middle / this.end) * this.wide * this.k;
      }
      this.clamp();
      return;
    }
  }

  draw(context, width, height) {
    context.fillStyle = theme.colour("page");
    context.fillRect(0, 0, width, height);
    const step = this.step();
    this.rules(context, step, height);
    for (const group of this.groups) {
      const y = group.top - this.top;
      const tall = LANE.head + group.lanes.length * (LANE.height + LANE.gap);
      if (y > height || y + tall < 0) continue;
      this.lanes(context, group, y + LANE.head, width, height);
      this.head(context, group, y, width);
    }
    this.axis(context, step, width);
  }

  step() {
    const least = (this.end * 80) / (this.wide * this.k);
    return STEPS.find((step) => step >= least) || STEPS[STEPS.length - 1] * Math.ceil(least / STEPS[STEPS.length - 1]);
  }

  *ticks(step) {
    const from = Math.max(0, Math.ceil(this.time(LANE.gutter) / step) * step);
    for (let time = from; time <= this.end && this.pixel(time) <= this.surface.width; time += step) yield [time, this.pixel(time)];
  }

  rules(context, step, height) {
    context.fillStyle = theme.colour("line");
    for (const [, x] of this.ticks(step)) context.fillRect(Math.round(x), LANE.axis, 1, height);
  }

  axis(context, step, width) {
    context.fillStyle = theme.colour("page");
    context.fillRect(0, 0, width, LANE.axis);
    context.fillStyle = theme.colour("line");
    context.fillRect(0, LANE.axis - 1, width, 1);
    context.font = `11px ${FONT}`;
    context.textBaseline = "middle";
    context.textAlign = "center";
    context.fillStyle = theme.colour("muted");
    for (const [time, x] of this.ticks(step)) if (x >= LANE.gutter) context.fillText(tickText(time), Math.max(x, LANE.gutter + 4), LANE.axis / 2);
    context.textAlign = "left";
  }

  head(context, group, y, width) {
    context.textBaseline = "middle";
    context.font = `600 13px ${FONT}`;
    context.fillStyle = theme.colour("text");
    context.fillText(group.title, 16, y + 28);
    context.font = `12px ${FONT}`;
    context.fillStyle = theme.colour("muted");
    const told = group.told.join("  ·  ");
    const room = width - LANE.gutter - 16, text = fitted(context, told, room);
    context.fillStyle = theme.colour("page");
    context.fillRect(LANE.gutter - 4, y + 18, Math.min(room, context.measureText(text).width) + 8, 20);
    context.fillStyle = theme.colour("muted");
    context.fillText(text, LANE.gutter, y + 28);
  }

  lanes(context, group, y, width, height) {
    const right = Math.min(width, this.pixel(group.offset + (group.walltime || group.length)));
    const from = this.pixel(group.offset), until = this.pixel(group.offset + group.length);
    context.font = `11px ${FONT}`;
    context.textBaseline = "middle";
    let node = -1, named = "";
    group.lanes.forEach(([owner, name], lane) => {
      const top = y + lane * (LANE.height + LANE.gap);
      if (top > height || top + LANE.height < LANE.axis) {
        if (top + LANE.height >= 0) node = -1;
        return;
      }
      context.save();
      context.beginPath();
      context.rect(LANE.gutter, 0, width, height);
      context.clip();
      context.fillStyle = theme.colour("sunken");
      roundBox(context, from, top, right - from, LANE.height, 3);
      context.fill();
      if (group.bars) this.bars(context, group, lane, top, width);
      else this.filled(context, group, lane, top, from, until);
      context.restore();
      if (owner !== node) {
        context.fillStyle = theme.colour("text");
        context.fillText(`node ${owner + 1}`, 16, top + LANE.height / 2 + 0.5);
        node = owner;
        named = "";
      }
      if (name === named) return;
      named = name;
      context.fillStyle = theme.colour("muted");
      context.fillText(fitted(context, name, 50), 70, top + LANE.height / 2 + 0.5);
    });
    if (group.walltime && right > LANE.gutter && right < width) {
      context.fillStyle = theme.colour("failed");
      context.fillRect(right, Math.max(y - 4, LANE.axis), 1.5, group.lanes.length * (LANE.height + LANE.gap) + 4);
    }
  }

  bars(context, group, lane, top, width) {
    const { start, end, kind, job } = group.bars, bars = group.byLane[lane];
    const left = this.time(LANE.gutter) - group.offset, right = this.time(width) - group.offset;
    let low = 0, high = bars.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (end[bars[middle]] < left) low = middle + 1;
      else high = middle;
    }
    let drawn = -1;
    for (let i = low; i < bars.length && start[bars[i]] <= right; i++) {
      const bar = bars[i];
      const x = this.pixel(group.offset + start[bar]), to = this.pixel(group.offset + end[bar]);
      if (to - drawn < 0.35) continue; // hidden behind the one before
      drawn = to;
      const wide = Math.max(to - x - (to - x > 4 ? 1 : 0), 0.6);
      context.globalAlpha = this.options.faint && this.options.faint({ group, bar }) ? 0.18 : 1;
      context.fillStyle = theme.colour(`hue-${kind[bar] % 10}`);
      if (wide > 5) roundBox(context, x, top, wide, LANE.height, 3), context.fill();
      else context.fillRect(x, top, wide, LANE.height);
      if (wide > 34) {
        context.fillStyle = theme.dark() ? "#0b0f14" : "#ffffff";
        context.fillText(fitted(context, this.options.name({ group, bar }), wide - 12), Math.max(x, LANE.gutter) + 6, top + LANE.height / 2 + 0.5);
      }
      context.globalAlpha = 1;
      if (job[bar] === this.chosen && job[bar] >= 0) {
        context.strokeStyle = theme.colour("text");
        context.lineWidth = 2;
        roundBox(context, x - 1, top - 1, wide + 2, LANE.height + 2, 3);
        context.stroke();
      }
    }
  }

  filled(context, group, lane, top, from, until) {
    const parts = group.filled[lane], wide = (until - from) / parts.length;
    context.fillStyle = theme.colour("run");
    parts.forEach((part, i) => {
      const tall = part * LANE.height;
      if (tall) context.fillRect(from + i * wide, top + LANE.height - tall, wide + 0.3, tall);
    });
  }
}
