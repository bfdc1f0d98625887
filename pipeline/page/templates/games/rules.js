// V(x, y) = xy under the rules of gan/lessons/non_convergence.py: x makes it small, y makes it large.

const RULES = {
  simultaneous: ([x, y], _, eta) => [x - eta * y, y + eta * x],
  alternating: ([x, y], _, eta) => [x - eta * y, y + eta * (x - eta * y)],
  optimistic: ([x, y], [oldX, oldY], eta) => [x - eta * (2 * y - oldY), y + eta * (2 * x - oldX)],
};
RULES.average = RULES.alternating;  // it is these points that are averaged

// Its last points, and the averages of all since the rule was chosen.
class Plane {
  constructor() {
    this.round = 0;
    this.points = [[1, 0]];
    this.rule = null;
  }

  // Whether it is too far out to go on.
  get over() {
    return Math.hypot(...this.points.at(-1)) > 1e6;
  }

  update({ rule, eta }) {
    const last = this.points.at(-1);
    if (rule !== this.rule) Object.assign(this, { rule, sum: last, counted: 1, averages: [last] });
    const next = RULES[rule](last, this.points.at(-2) ?? last, eta);
    this.sum = this.sum.map((value, i) => value + next[i]);
    this.counted++;
    this.points.push(next);
    this.averages.push(this.sum.map((value) => value / this.counted));
    for (const path of [this.points, this.averages]) if (path.length > 2000) path.shift();
    this.round++;
    return true;
  }
}
