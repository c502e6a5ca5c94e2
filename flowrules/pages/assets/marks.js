// The shape of each state, the same on a canvas as in an SVG, so that states differ without colours.

/** Paths in a square of 16: [path, how it is drawn]. */
const SHAPES = {
  run: [["M8 3.4a4.6 4.6 0 1 0 0 9.2a4.6 4.6 0 1 0 0-9.2z", "fill"]],
  may: [["M8 3.6a4.4 4.4 0 1 0 0 8.8a4.4 4.4 0 1 0 0-8.8z", "stroke"], ["M8 3.6a4.4 4.4 0 0 0 0 8.8z", "fill"]],
  skip: [["M3.4 8.4l3.1 3.1l6.1-7", "stroke"]],
  collector: [["M8 4a4 4 0 1 0 0 8a4 4 0 1 0 0-8z", "stroke"]],
  waiting: [["M3.2 7h2v2h-2zM7 7h2v2h-2zM10.8 7h2v2h-2z", "fill"]],
  running: [["M4.8 3.2v9.6l8-4.8z", "fill"]],
  done: [["M2.8 8.6l3.3 3.4l7.1-8", "stroke"], ["M2.8 14.2h10.4", "stroke"]],
  failed: [["M4 4l8 8M12 4l-8 8", "stroke"]],
  cancelled: [["M8 3.4a4.6 4.6 0 1 0 0 9.2a4.6 4.6 0 1 0 0-9.2zM4.8 11.2l6.4-6.4", "stroke"]],
};

const SVG = "http://www.w3.org/2000/svg";
const paths = new Map(Object.entries(SHAPES).map(([key, parts]) => [key, parts.map(([d, how]) => [new Path2D(d), how])]));

/** Draw the mark of a state, `size` wide, its middle at (x, y). */
function drawMark(context, key, x, y, size, colour) {
  context.save();
  context.translate(x - size / 2, y - size / 2);
  context.scale(size / 16, size / 16);
  context.fillStyle = context.strokeStyle = colour;
  context.lineWidth = 1.9;
  context.lineCap = context.lineJoin = "round";
  for (const [path, how] of paths.get(key)) context[how](path);
  context.restore();
}

/** The mark of a state as an element. */
function markOf(key) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of [["class", "mark"], ["viewBox", "0 0 16 16"], ["width", 14], ["height", 14], ["aria-hidden", "true"]]) {
    svg.setAttribute(name, value);
  }
  fillMark(svg, key);
  return svg;
}

function fillMark(svg, key) {
  for (const [d, how] of SHAPES[key]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    path.style.fill = how === "fill" ? `var(--${key})` : "none";
    path.style.stroke = how === "stroke" ? `var(--${key})` : "none";
    path.style.strokeWidth = 1.9;
    path.style.strokeLinecap = "round";
    svg.append(path);
  }
}

for (const svg of document.querySelectorAll("svg[data-mark]")) fillMark(svg, svg.dataset.mark);
