// What all pages share: elements, the data of the page, the theme, tabs, tables that sort, a tooltip, numbers as people read them.

/** The first element that a selector finds. */
function $(selector, root = document) {
  return root.querySelector(selector);
}

/** A new element. Texts among its children are texts, never markup; attributes that are null or false are left out. */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A value that the page carries by this name, see embed.py. */
async function unpacked(name) {
  const text = document.getElementById(`data-${name}`).textContent;
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

/** Whether the page carries a value by this name. */
function carries(name) {
  return document.getElementById(`data-${name}`) !== null;
}

/** Tell those who hear the page what changed. */
function announce(text) {
  $("#announce").textContent = text;
}

/** `1 job`, `1,234 jobs`. */
function counted(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** Seconds as people read them: `0.04s`, `3.2s`, `1m 05s`, `2h 05m`, `3d 04h`. */
function duration(seconds) {
  if (seconds < 0.095) return `${seconds.toFixed(2)}s`;
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds), two = (n) => String(n).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86400)}d ${two(Math.floor((whole % 86400) / 3600))}h`;
}

/** Calls a function at most once a frame, however often it is asked for. */
function everyFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/** Whether moving pictures are unwelcome. */
const still = matchMedia("(prefers-reduced-motion: reduce)");

// ── theme ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Light, dark, or as the system has it; whoever paints on a canvas is told when it changes. */
const theme = {
  system: matchMedia("(prefers-color-scheme: dark)"),
  listeners: [],
  cache: new Map(),

  start() {
    const stored = this.stored();
    if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
    this.system.addEventListener("change", () => this.changed());
    $("#theme").addEventListener("click", () => this.toggle());
    this.label();
  },
  /** What was chosen before; pages that are files may not remember. */
  stored() {
    try {
      return localStorage.getItem("flowrules-theme");
    } catch {
      return null;
    }
  },
  dark() {
    return (document.documentElement.dataset.theme || (this.system.matches ? "dark" : "light")) === "dark";
  },
  toggle() {
    const next = this.dark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("flowrules-theme", next);
    } catch {
      // the next page begins with what the system says
    }
    this.changed();
  },
  changed() {
    this.cache.clear();
    this.label();
    for (const listener of this.listeners) listener();
  },
  label() {
    const text = this.dark() ? "Switch to the light theme" : "Switch to the dark theme";
    $("#theme").setAttribute("aria-label", text);
    $("#theme").title = text;
  },
  /** The present value of a colour of base.css, for a canvas: `colour("run-soft")`. */
  colour(name) {
    if (!this.cache.has(name)) {
      const probe = $("#tip");
      const before = probe.style.color;
      probe.style.color = `var(--${name})`;
      this.cache.set(name, getComputedStyle(probe).color);
      probe.style.color = before;
    }
    return this.cache.get(name);
  },
};

// ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────

/** A tooltip beside the pointer; nodes or nothing. */
function tip(x, y, ...content) {
  const box = $("#tip");
  if (!content.length) {
    box.hidden = true;
    return;
  }
  box.replaceChildren(...content);
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const left = x + 14 + width > innerWidth ? x - width - 10 : x + 14;
  const top = y + 14 + height > innerHeight ? y - height - 10 : y + 14;
  box.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
}

/** Tabs by WAI-ARIA: arrows, Home and End move between them. */
function startTabs(list, shown) {
  const tabs = [...list.querySelectorAll('[role="tab"]')];
  const select = (tab, focus) => {
    for (const other of tabs) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
    }
    if (focus) tab.focus();
    shown(tab.getAttribute("aria-controls"));
  };
  for (const tab of tabs) tab.addEventListener("click", () => select(tab, false));
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    select(tabs[(to + tabs.length) % tabs.length], true);
  });
  return (id) => select(tabs.find((tab) => tab.getAttribute("aria-controls") === id), false);
}

/** Heads of tables become buttons that sort. */
function startTables(root = document) {
  for (const table of root.querySelectorAll("table[data-sortable]")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = el("button", { type: "button" }, head.textContent);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sortTable(table, column, down);
      });
    });
  }
}

const collator = new Intl.Collator("en", { numeric: true });

function sortTable(table, column, down) {
  const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
  const order = (a, b) => {
    const x = Number(a), y = Number(b);
    return a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y) ? x - y : collator.compare(a, b);
  };
  const rows = [...table.tBodies[0].rows].map((row) => [value(row), row]);
  rows.sort((a, b) => (down ? -1 : 1) * order(a[0], b[0]));
  table.tBodies[0].append(...rows.map((pair) => pair[1]));
}

/** A button that copies a text, where the browser lets pages do so. */
function copyButton(text, label) {
  const button = el("button", { type: "button", class: "button small" }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed here";
    }
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

theme.start();
startTables();
