// The page of a DAG: puts model, picture, list, panel and packing together, and knows the keys.

async function start() {
  const [dag, states] = await Promise.all([unpacked("dag"), unpacked("states")]);
  const model = new Model(dag, states);
  const placement = new Placement(model);
  const drawing = new Drawing(model, placement);
  const plane = new Plane($("#graph"), (context, width, height) => drawing.draw(context, plane.at, width, height));
  const list = new List($("#list"), model);
  let packing = null;
  let view = "view-dag";

  const fit = (slow) => plane.show(placement.extent(), { most: 1.25, slow });
  plane.onready = () => plane.begin(placement.extent(), placement.boxes[0]);
  if (plane.width) plane.onready();
  if (!dag.rules.length) $("#view-dag").append(el("p", { class: "empty over" }, "The DAG is empty: nothing was asked for."));

  // ── views ────────────────────────────────────────────────────────────────────────────────────────────────────
  const tabs = $("#views") ? startTabs($("#views"), (id) => (view = id)) : null;
  const panel = new Panel($("#panel"), model, (job) => {
    if (tabs) tabs("view-packing");
    if (packing) packing.show(job);
  });

  // ── filters ──────────────────────────────────────────────────────────────────────────────────────────────────
  const boxes = $("#states");
  model.states.forEach((state, index) => {
    const count = model.rules.reduce((sum, rule) => sum + rule.totals[index], 0);
    if (!count) return;
    const box = el("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      state.on = box.checked;
      model.filter();
    });
    state.box = box;
    boxes.append(el("label", { class: "state" }, box, markOf(state.key), el("span", {}, state.text), el("span", { class: "count num" }, count.toLocaleString("en"))));
  });
  if (!boxes.children.length) boxes.append(el("p", { class: "note" }, "No jobs."));
  $("#only").addEventListener("click", () => {
    for (const rule of model.rules) rule.checked = true;
    model.states.forEach((state) => {
      state.on = true;
      if (state.box) state.box.checked = true;
    });
    search.value = model.query = "";
    model.filter();
  });
  if (dag.kept < dag.jobs) {
    $("#kept").textContent = dag.kept
      ? `This page holds ${dag.kept.toLocaleString("en")} of ${dag.jobs.toLocaleString("en")} jobs; counts are of all of them.`
      : `This page shows rules only; ${counted(dag.jobs, "job")} are counted, not held.`;
  } else $("#kept").hidden = true;

  // ── search ───────────────────────────────────────────────────────────────────────────────────────────────────
  const search = $("#search");
  let turn = -1, timer = 0, found = [];
  const look = () => {
    clearTimeout(timer);
    model.query = search.value;
    turn = -1;
    model.filter();
  };
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, dag.kept > 20000 ? 250 : 60);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      if (model.query !== search.value) look();
      if (!found.length) return;
      turn = (turn + (event.shiftKey ? found.length - 1 : 1)) % found.length;
      model.choose(found[turn], { from: "search" });
    } else if (event.key === "Escape" && search.value) {
      event.stopPropagation();
      search.value = "";
      look();
    }
  });

  // ── what follows a change ────────────────────────────────────────────────────────────────────────────────────
  const place = () => {
    const from = { boxes: placement.boxes, edges: placement.edges };
    placement.settle();
    drawing.forget();
    if (still.matches || model.rules.length > 400) return plane.redraw();
    const begin = performance.now();
    const step = () => {
      const part = Math.min(1, (performance.now() - begin) / 240);
      drawing.now = part < 1 ? between(from, placement, 1 - (1 - part) ** 3) : placement;
      plane.redraw();
      if (part < 1) requestAnimationFrame(step);
    };
    step();
  };
  const reveal = (chosen) => {
    if (chosen.job !== undefined && !model.alone(model.rules[chosen.rule])) model.open(chosen.rule, true);
    const cell = chosen.job !== undefined ? placement.cell(chosen.job) : null;
    plane.reveal(cell || placement.boxes[chosen.rule], cell ? 0.8 : 0.3);
  };
  model.listeners.push((what, how) => {
    if (what === "open") {
      place();
      list.refresh();
      $("#fold-all").disabled = !model.rules.some((rule) => rule.open);
    }
    if (what === "filter") {
      drawing.forget();
      list.refresh();
      found = model.found();
      $("#only").hidden = !model.filtered;
      $("#found").textContent = model.query.trim() ? (found.length ? `${found.length.toLocaleString("en")} found` : "none found") : "";
      plane.redraw();
    }
    if (what === "choice") {
      const { chosen } = model;
      if (chosen) {
        const opened = how.quiet && $("#panel").hidden ? Promise.resolve(panel.turn++) : panel.open(chosen);
        opened.then(() => {
          if (how.into) $("#panel").focus();
          plane.fit(); // the panel takes its part of the window
          if (view === "view-dag" && how.from !== "unfold") reveal(chosen);
          if (how.then) how.then();
        });
        const at = list.find(chosen.job !== undefined && model.alone(model.rules[chosen.rule]) ? { rule: chosen.rule } : chosen);
        if (how.from !== "list") list.go(at);
        const rule = model.rules[chosen.rule];
        announce(chosen.job === undefined ? `${rule.name}, ${counted(rule.count, "job")}${rule.open ? ", unfolded" : ""}` : `${rule.name} ${model.labelOf(chosen.job)}, ${model.stateOfJob(chosen.job).text}`);
      } else panel.close();
      list.render();
      plane.redraw();
    }
    if (packing) packing.refresh(model.chosen);
  });

  // ── the picture ──────────────────────────────────────────────────────────────────────────────────────────────
  const canvas = plane.canvas;
  const unfold = (index) => {
    model.open(index);
    const look = () => {
      if (model.rules[index].open) plane.show(placement.boxes[index], { most: Math.max(1, Math.min(plane.at.k, 1.25)), margin: 48 });
      else fit(true);
    };
    model.choose({ rule: index }, { from: "unfold", quiet: true, then: look });
  };
  canvas.addEventListener("click", (event) => {
    tip(0, 0);
    const hit = placement.hit(...plane.under(event.offsetX, event.offsetY));
    if (!hit) return model.choose(null);
    const rule = model.rules[hit.rule];
    const [left, top, width] = placement.boxes[hit.rule], [x, y] = plane.under(event.offsetX, event.offsetY);
    const onArrow = y - top < CELL.head && x > left + width - 44;
    if (hit.job === undefined && model.foldable(rule) && (!rule.open || onArrow)) unfold(hit.rule);
    else model.choose(hit);
  });
  canvas.addEventListener("pointermove", (event) => {
    const hit = event.buttons ? null : placement.hit(...plane.under(event.offsetX, event.offsetY));
    canvas.style.cursor = hit ? "pointer" : event.buttons ? "grabbing" : "grab";
    const before = drawing.hover;
    drawing.hover = hit;
    if ((hit && hit.rule) !== (before && before.rule)) plane.redraw();
    if (hit && hit.job !== undefined) {
      const outputs = model.jobs.outputs[hit.job];
      tip(event.clientX, event.clientY, el("b", {}, `${model.ruleOf(hit.job).name} ${model.jobs.labels[hit.job]}`), el("br"), model.stateOfJob(hit.job).text, ...(outputs.length ? [el("br"), el("span", { class: "muted" }, outputs[0])] : []));
    } else if (hit && model.rules[hit.rule].shown !== model.rules[hit.rule].name) tip(event.clientX, event.clientY, model.rules[hit.rule].name);
    else tip(0, 0);
  });
  canvas.addEventListener("pointerleave", () => {
    drawing.hover = null;
    tip(0, 0);
    plane.redraw();
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = beside(model, placement, event.key);
    if (to) model.choose(to, { from: "keys", quiet: true });
    else if (event.key === "Enter" && model.chosen) {
      const { rule, job } = model.chosen;
      if (job === undefined && model.foldable(model.rules[rule])) unfold(rule);
      else model.choose(model.chosen, { into: true });
    } else return;
    event.preventDefault();
  });
  $("#zoom-in").addEventListener("click", () => plane.by(1.5));
  $("#zoom-out").addEventListener("click", () => plane.by(1 / 1.5));
  $("#zoom-fit").addEventListener("click", () => fit(true));
  const openAll = (open) => {
    model.openAll(open);
    fit(true);
  };
  $("#fold-all").disabled = true;
  $("#fold-all").addEventListener("click", () => openAll(false));
  $("#unfold-all").addEventListener("click", () => openAll(true));

  // ── keys and help ────────────────────────────────────────────────────────────────────────────────────────────
  const keys = $("#keys");
  $("#signs").replaceChildren(...model.states.filter((state) => state.box).map((state) => el("span", { class: `badge is-${state.key}` }, markOf(state.key), state.text)));
  $("#help").addEventListener("click", () => keys.showModal());
  $("#keys-close").addEventListener("click", () => keys.close());
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
    const typing = event.target.matches("input[type=search], textarea");
    if (event.key === "Escape") {
      const inside = $("#panel").contains(document.activeElement);
      if (model.chosen) model.choose(null);
      else if (model.query) (search.value = ""), look();
      if (inside || typing) canvas.focus();
      return;
    }
    if (typing) return;
    const act = {
      "/": () => search.select(),
      "?": () => keys.showModal(),
      "+": () => plane.by(1.5),
      "=": () => plane.by(1.5),
      "-": () => plane.by(1 / 1.5),
      0: () => fit(true),
      e: () => openAll(true),
      c: () => openAll(false),
      t: () => theme.toggle(),
      d: () => tabs && tabs("view-dag"),
      p: () => tabs && tabs("view-packing"),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  theme.listeners.push(() => drawing.forget());

  // ── jobs come after the first picture ────────────────────────────────────────────────────────────────────────
  window.flowrules = { model, placement, plane, drawing }; // for the console, and for tests
  document.body.dataset.ready = "rules";
  await new Promise((done) => setTimeout(done));
  model.take(await unpacked("jobs"));
  $("#unfold-all").disabled = !model.rules.some((rule) => model.foldable(rule));
  if (carries("packing")) {
    packing = new PackingView($("#view-packing"), await unpacked("packing"), model);
  }
  list.refresh();
  document.body.dataset.ready = "jobs";
}

/** Where an arrow key leads from what is chosen: to the nearest neighbour in that direction. */
function beside(model, placement, key) {
  const direction = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[key];
  if (!direction || !model.rules.length) return null;
  if (!model.chosen) return { rule: 0 };
  const { rule: index, job } = model.chosen, rule = model.rules[index];
  if (job !== undefined && rule.open) {
    const { rows } = placement.grid(rule);
    const at = job - rule.first, to = at + direction[0] * rows + direction[1];
    const leaves = direction[1] ? (direction[1] < 0 ? at % rows === 0 : at % rows === rows - 1) : false;
    if (!leaves && to >= 0 && to < rule.kept) return { rule: index, job: rule.first + to };
    if (direction[1] < 0) return { rule: index };
  } else if (rule.open && direction[1] > 0) return { rule: index, job: rule.first };
  const [main] = placement.horizontal ? direction : [direction[1]];
  const middle = (i) => {
    const [x, y, width, height] = placement.boxes[i];
    return [x + width / 2, y + height / 2];
  };
  const [x, y] = middle(index);
  let near = main ? (main > 0 ? rule.users : rule.needs) : [];
  if (!main) near = placement.ranks[placement.base[index].rank].filter((other) => other !== index);
  let best = null, least = Infinity;
  for (const other of near) {
    const [a, b] = middle(other);
    const along = (a - x) * direction[0] + (b - y) * direction[1];
    if (!main && along <= 0) continue;
    const far = Math.hypot(a - x, b - y);
    if (far < least) (least = far), (best = other);
  }
  return best === null ? null : { rule: best };
}

start().catch((error) => {
  const old = typeof DecompressionStream === "undefined";
  const text = old ? "This browser is too old for this page: it needs one of 2024 or later." : `This page could not be shown: ${error.message}`;
  $("#main").prepend(el("p", { class: "empty", role: "alert" }, text));
  throw error;
});
