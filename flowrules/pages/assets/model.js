// The workflow of the page: rules, jobs in columns, what is unfolded, what is filtered and what is chosen.

/** Which state a rule is shown in when its jobs are in several: the first of these that occurs. */
const URGENT = ["failed", "running", "run", "waiting", "may", "cancelled", "done", "skip", "collector"];

class Model {
  constructor(dag, states) {
    this.rules = dag.rules.map((rule, index) => {
      const totals = states.map((_, state) => rule.totals[state] || 0);
      return { ...rule, index, totals, count: totals.reduce((a, b) => a + b, 0), open: false, checked: true, matched: 0 };
    });
    this.dag = dag;
    this.states = states.map(([key, text]) => ({ key, text, on: true }));
    this.query = "";
    this.jobs = null;
    this.chosen = null; // {rule} or {rule, job}
    this.listeners = [];
    for (const rule of this.rules) {
      rule.state = this.stateOf(rule);
      rule.needs = dag.needs[rule.index];
      rule.users = [];
      rule.matched = rule.count;
    }
    for (const rule of this.rules) for (const need of rule.needs) this.rules[need].users.push(rule.index);
  }

  stateOf(rule) {
    const found = URGENT.find((key) => rule.totals[this.states.findIndex((state) => state.key === key)]);
    return found || "collector";
  }

  /** Take the jobs in: columns of columns.py; who uses what is worked out here. */
  take(columns) {
    const count = columns.labels.length;
    const ruleOf = new Int32Array(count);
    for (const rule of this.rules) ruleOf.fill(rule.index, rule.first, rule.first + rule.kept);
    this.jobs = { ...columns, count, ruleOf, matches: new Uint8Array(count).fill(1), users: null, hay: null };
    this.filter();
  }

  /** Jobs that need a job. */
  users(job) {
    if (!this.jobs.users) {
      this.jobs.users = this.jobs.needs.map(() => []);
      this.jobs.needs.forEach((needs, user) => needs.forEach((need) => this.jobs.users[need].push(user)));
    }
    return this.jobs.users[job];
  }

  ruleOf(job) {
    return this.rules[this.jobs.ruleOf[job]];
  }

  labelOf(job) {
    return this.jobs.labels[job] || this.ruleOf(job).name;
  }

  stateOfJob(job) {
    return this.states[this.jobs.states[job]];
  }

  /** Whether anything is filtered. */
  get filtered() {
    return this.query !== "" || this.states.some((state) => !state.on) || this.rules.some((rule) => !rule.checked);
  }

  /** Work out which jobs match states, rules and words, and tell everybody. */
  filter() {
    const words = this.query.toLowerCase().split(/\s+/).filter(Boolean);
    const jobs = this.jobs;
    if (words.length && jobs && !jobs.hay) {
      jobs.hay = jobs.labels.map((label, job) => `${this.ruleOf(job).name} ${label} ${jobs.outputs[job].join(" ")}`.toLowerCase());
    }
    for (const rule of this.rules) {
      const named = words.every((word) => rule.name.toLowerCase().includes(word));
      rule.named = words.length > 0 && named;
      const visible = rule.totals.reduce((sum, count, state) => sum + (this.states[state].on ? count : 0), 0);
      if (!rule.checked) rule.matched = 0;
      else if (named) rule.matched = visible;
      else rule.matched = 0; // counted below
      if (!jobs) continue;
      for (let job = rule.first; job < rule.first + rule.kept; job++) {
        const shown = rule.checked && this.states[jobs.states[job]].on;
        const match = shown && (named || words.every((word) => jobs.hay[job].includes(word)));
        jobs.matches[job] = match ? 1 : 0;
        if (match && !named) rule.matched++;
      }
    }
    this.changed("filter");
  }

  /** What a search found: rules by name, then jobs. */
  found() {
    if (!this.query.trim() || !this.jobs) return [];
    const found = this.rules.filter((rule) => rule.named && rule.matched).map((rule) => ({ rule: rule.index }));
    for (const rule of this.rules) {
      if (rule.named || !rule.matched) continue;
      for (let job = rule.first; job < rule.first + rule.kept; job++) {
        if (this.jobs.matches[job]) found.push({ rule: rule.index, job });
      }
    }
    return found;
  }

  /** Unfold or fold a rule. */
  open(index, open = !this.rules[index].open) {
    const rule = this.rules[index];
    if (rule.open === open || !this.foldable(rule)) return;
    rule.open = open;
    if (!open && this.chosen && this.chosen.rule === index && this.chosen.job !== undefined) this.chosen = { rule: index };
    this.changed("open");
  }

  /** Whether there is something to unfold: a rule with one job and no wildcards is its job. */
  foldable(rule) {
    return this.jobs !== null && rule.kept > 0 && !this.alone(rule);
  }

  /** Whether a rule has one job only, which its box stands for. */
  alone(rule) {
    return rule.count === 1 && rule.kept === 1;
  }

  openAll(open) {
    for (const rule of this.rules) rule.open = open && this.foldable(rule);
    this.changed("open");
  }

  /** Choose a rule, a job, or nothing. A rule that is one job stands for it. */
  choose(chosen, how = {}) {
    if (chosen && chosen.job === undefined && this.jobs && this.alone(this.rules[chosen.rule])) {
      chosen = { rule: chosen.rule, job: this.rules[chosen.rule].first };
    }
    this.chosen = chosen;
    this.changed("choice", how);
  }

  changed(what, how = {}) {
    for (const listener of this.listeners) listener(what, how);
  }
}
