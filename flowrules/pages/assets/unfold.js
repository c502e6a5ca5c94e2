// Where everything stands: the layout that was computed for folded rules, and what unfolded ones push aside.
//
// An unfolded rule grows in its layer around its middle. What stands before it there moves back by half of what it grew,
// what stands after it moves on by as much; later layers move on by what its layer got thicker. So the picture stays the
// one people have in mind, and moving it costs a sum.

const CELL = { height: 24, gap: 4, head: 40, pad: 12 };

class Placement {
  constructor(model) {
    this.model = model;
    const { rules, bands, horizontal } = model.dag;
    this.horizontal = horizontal;
    this.bands = bands;
    // main: along the layers, cross: within one
    this.base = rules.map(({ box: [x, y, width, height], rank }) => {
      const [main, cross] = horizontal ? [width, height] : [height, width];
      return { rank, main, cross, middle: horizontal ? y + height / 2 : x + width / 2 };
    });
    this.ranks = bands.map(() => []);
    this.base.forEach((node, index) => this.ranks[node.rank].push(index));
    this.boxes = rules.map((rule) => rule.box.slice());
    this.edges = model.dag.edges.map(([tail, head, points]) => ({ tail, head, points: points.slice() }));
    this.grids = new Map();
    this.settle();
  }

  /** Columns and sizes of an unfolded rule's cells: higher than wide where the picture is wide, and the other way round. */
  grid(rule) {
    if (!this.grids.has(rule.index)) {
      const labels = this.model.jobs.labels;
      let longest = "";
      for (let job = rule.first; job < rule.first + Math.min(rule.kept, 2000); job++) if (labels[job].length > longest.length) longest = labels[job];
      const least = Math.min(Math.max(textWidth(longest.slice(0, 60)) * 1.06 + 36, 72), 240);
      const step = [least + CELL.gap, CELL.height + CELL.gap];
      const columns = Math.max(1, Math.round(Math.sqrt((rule.kept * step[1] * (this.horizontal ? 0.8 : 1.5)) / step[0])));
      const rows = Math.ceil(rule.kept / columns);
      const used = Math.ceil(rule.kept / rows);
      const inner = Math.max(used * step[0] - CELL.gap, rule.box[2] - 2 * CELL.pad + 60);
      const size = [inner + 2 * CELL.pad, rows * step[1] - CELL.gap + CELL.head + CELL.pad];
      step[0] = (inner + CELL.gap) / used;
      const width = step[0] - CELL.gap;
      this.grids.set(rule.index, { width, step, columns: used, rows, size });
    }
    return this.grids.get(rule.index);
  }

  /** Compute boxes and edges anew. */
  settle() {
    const size = this.model.rules.map((rule, index) => {
      const { main, cross } = this.base[index];
      if (!rule.open) return [main, cross];
      const [width, height] = this.grid(rule).size;
      return this.horizontal ? [width, height] : [height, width];
    });
    const starts = [], ends = [];
    let shift = 0;
    this.ranks.forEach((nodes, rank) => {
      const [start, end] = this.bands[rank];
      const grown = Math.max(0, ...nodes.map((node) => size[node][0] - (end - start)));
      starts.push(start + shift);
      ends.push(end + shift + grown);
      shift += grown;
    });
    const grown = this.ranks.map((nodes) => nodes.filter((n) => size[n][1] !== this.base[n].cross));
    const aside = (rank, place, self) => {
      let sum = 0;
      for (const node of grown[rank]) {
        if (node !== self) sum += (Math.sign(place - this.base[node].middle) * (size[node][1] - this.base[node].cross)) / 2;
      }
      return sum;
    };
    const middles = this.base.map((node, index) => node.middle + aside(node.rank, node.middle, index));
    this.boxes = this.base.map((node, index) => {
      const [main, cross] = size[index];
      const a = (starts[node.rank] + ends[node.rank] - main) / 2, b = middles[index] - cross / 2;
      return this.horizontal ? [a, b, main, cross] : [b, a, cross, main];
    });
    this.edges = this.model.dag.edges.map(([tail, head, points]) => {
      const moved = [];
      const pairs = points.length / 4;
      for (let pair = 0; pair < pairs; pair++) {
        const cross = this.horizontal ? points[4 * pair + 1] : points[4 * pair];
        const last = pair === pairs - 1;
        const rank = pair === 0 ? this.base[tail].rank : last ? this.base[head].rank : this.base[tail].rank + pair;
        const node = pair === 0 ? tail : last ? head : -1;
        const place = node >= 0 ? middles[node] + cross - this.base[node].middle : cross + aside(rank, cross, -1);
        const side = (n, end) => {
          const box = this.boxes[n];
          return this.horizontal ? box[0] + (end ? box[2] : 0) : box[1] + (end ? box[3] : 0);
        };
        const from = pair === 0 ? side(tail, true) : starts[rank];
        const to = last ? side(head, false) : ends[rank];
        const mains = pair === 0 ? [from, ends[rank]] : last ? [starts[rank], to] : [starts[rank], ends[rank]];
        for (const main of mains) moved.push(...(this.horizontal ? [main, place] : [place, main]));
      }
      return { tail, head, points: moved };
    });
  }

  /** The box of a job's cell, or null while its rule is folded. */
  cell(job) {
    const rule = this.model.ruleOf(job);
    if (!rule.open) return null;
    const { width, step, rows } = this.grid(rule);
    const [x, y] = this.boxes[rule.index], at = job - rule.first;
    return [x + CELL.pad + Math.floor(at / rows) * step[0], y + CELL.head + (at % rows) * step[1], width, CELL.height];
  }

  /** What is at a point: {rule}, {rule, job} or null. */
  hit(x, y) {
    for (let index = this.boxes.length - 1; index >= 0; index--) {
      const [left, top, width, height] = this.boxes[index];
      if (x < left || y < top || x > left + width || y > top + height) continue;
      const rule = this.model.rules[index];
      if (rule.open) {
        const { width: wide, step, rows, columns } = this.grid(rule);
        const column = Math.floor((x - left - CELL.pad) / step[0]), row = Math.floor((y - top - CELL.head) / step[1]);
        const at = column * rows + row;
        const inside = x - left - CELL.pad - column * step[0] <= wide && y - top - CELL.head - row * step[1] <= CELL.height;
        if (column >= 0 && column < columns && row >= 0 && row < rows && at < rule.kept && inside) return { rule: index, job: rule.first + at };
      }
      return { rule: index };
    }
    return null;
  }

  /** The box around everything. */
  extent() {
    if (!this.boxes.length) return [0, 0, 1, 1];
    const left = Math.min(...this.boxes.map((b) => b[0])), top = Math.min(...this.boxes.map((b) => b[1]));
    const right = Math.max(...this.boxes.map((b) => b[0] + b[2])), bottom = Math.max(...this.boxes.map((b) => b[1] + b[3]));
    return [left, top, right - left, bottom - top];
  }
}

/** A placement somewhere between two, for pictures that move. */
function between(from, to, part) {
  const mix = (a, b) => a.map((value, i) => value + (b[i] - value) * part);
  return {
    boxes: to.boxes.map((box, i) => mix(from.boxes[i], box)),
    edges: to.edges.map((edge, i) => ({ ...edge, points: mix(from.edges[i].points, edge.points) })),
  };
}
