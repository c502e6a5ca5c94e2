// A canvas that is as sharp as its screen, drawn at most once a frame, and panned and zoomed by d3-zoom.

/** Follows the size of a canvas and calls `draw(context, width, height)` when something changed. */
class Surface {
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.width = this.height = 0;
    this.redraw = everyFrame(() => {
      if (!this.width || !this.height) return;
      const ratio = devicePixelRatio || 1;
      this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
      draw(this.context, this.width, this.height);
    });
    new ResizeObserver(() => this.fit()).observe(canvas);
    theme.listeners.push(() => this.redraw());
    this.fit();
  }

  /** Measure anew; `resized` hears of it. */
  fit() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    if (width === this.width && height === this.height && this.ratio === ratio) return;
    const first = !this.width, [before, above] = [this.width, this.height];
    this.width = width;
    this.height = height;
    this.ratio = ratio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    if (width) this.resized(first, width - before, height - above);
    this.redraw();
  }

  resized() {}
}

/** A surface over a plane: where on it the view is, and how it gets elsewhere. */
class Plane extends Surface {
  constructor(canvas, draw) {
    super(canvas, draw);
    this.at = d3.zoomIdentity;
    this.zoom = d3
      .zoom()
      .scaleExtent([0.01, 4])
      .filter((event) => (!event.ctrlKey || event.type === "wheel") && !event.button)
      .on("zoom", (event) => {
        this.at = event.transform;
        this.redraw();
      });
    this.selection = d3.select(canvas).call(this.zoom).on("dblclick.zoom", null);
  }

  /** What is in the middle stays there. */
  resized(first, wider, higher) {
    if (first) this.onready?.();
    else this.go(d3.zoomIdentity.translate(this.at.x + wider / 2, this.at.y + higher / 2).scale(this.at.k), false);
  }

  /** Point of the plane under a place of the canvas. */
  under(x, y) {
    return this.at.invert([x, y]);
  }

  /** Move so that a box [x, y, width, height] fills the view, not larger than `most`. */
  show([x, y, width, height], { most = 1, margin = 40, slow = true } = {}) {
    if (!this.width) return;
    const scale = Math.min((this.width - 2 * margin) / width, (this.height - 2 * margin) / height, most);
    const k = Math.max(scale, 0.01);
    this.go(d3.zoomIdentity.translate(this.width / 2 - k * (x + width / 2), this.height / 2 - k * (y + height / 2)).scale(k), slow);
  }

  /** Show all of a picture that is new, or where it starts if all of it could not be read. */
  begin(all, start) {
    this.show(all, { most: 1.25, slow: false });
    if (this.at.k >= 0.3 || !start) return;
    const k = 0.6, [x, y, width] = start;
    this.go(d3.zoomIdentity.translate(this.width / 2 - k * (x + width / 2), 60 - k * y).scale(k), false);
  }

  /** Bring a box into view if it is not, at the present scale or at one at which it can be read. */
  reveal([x, y, width, height], least = 0.75) {
    const [left, top] = this.at.apply([x, y]), [right, bottom] = this.at.apply([x + width, y + height]);
    const inside = left >= 8 && top >= 8 && right <= this.width - 8 && bottom <= this.height - 8;
    if (inside && this.at.k >= least) return;
    const k = Math.max(this.at.k, least);
    this.go(d3.zoomIdentity.translate(this.width / 2 - k * (x + width / 2), this.height / 2 - k * (y + height / 2)).scale(k), true);
  }

  by(factor) {
    this.moved(true).call(this.zoom.scaleBy, factor);
  }

  go(transform, slow) {
    this.moved(slow).call(this.zoom.transform, transform);
  }

  moved(slow) {
    return slow && !still.matches ? this.selection.transition().duration(280) : this.selection;
  }
}

/** A path around a box with round corners. */
function roundBox(context, x, y, width, height, radius) {
  context.beginPath();
  context.roundRect(x, y, width, height, Math.min(radius, width / 2, height / 2));
}

/** Text with its end cut so that it fits; widths are remembered by font and text. */
const fitted = (() => {
  const known = new Map();
  return (context, text, width) => {
    const key = `${context.font}|${Math.round(width)}|${text}`;
    let cut = known.get(key);
    if (cut === undefined) {
      if (known.size > 50000) known.clear();
      cut = text;
      if (context.measureText(cut).width > width) {
        let low = 0, high = cut.length;
        while (low < high) {
          const middle = (low + high + 1) >> 1;
          if (context.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
          else high = middle - 1;
        }
        cut = low ? `${text.slice(0, low)}…` : "";
      }
      known.set(key, cut);
    }
    return cut;
  };
})();

/** Width of a label of a job. */
function textWidth(text) {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.font = `11.5px ${FONT}`;
  return context.measureText(text).width;
}

const FONT = getComputedStyle(document.documentElement).fontFamily;
