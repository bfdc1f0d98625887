// The two players of figure 1 and of the ring (gan/lessons/one_dimension.py and ring.py).

class Game {
  // `saturating`: G goes down V itself, log(1 − D), and not down −log D.
  constructor(seed, discriminator, generator, saturating) {
    const start = (network, name) => {
      const theta = network.initial(new Stream(seed, `${name} weights`));
      return { network, theta, adam: new Adam(theta.length) };
    };
    this.d = start(discriminator, "discriminator");
    this.g = start(generator, "generator");
    this.saturating = saturating;
    this.data = new Stream(seed, "data");
    this.noise = new Stream(seed, "z");
    Object.assign(this, { seed, round: 0, played: 0 });
  }

  // G(z) and what G computed on the way.
  generate(z) {
    const values = this.g.network.forward(this.g.theta, z);
    return { values, samples: values[values.length - 1] };
  }

  // D's logits.
  judge(x) {
    return this.d.network.forward(this.d.theta, x).pop();
  }

  // Up V = mean log D(x) + mean log(1 − D(G(z))); −V before the step.
  discriminatorStep(x, z, rate) {
    const gradient = new Float64Array(this.d.theta.length);
    let loss = 0;
    for (const [points, target] of [[x, 1], [this.generate(z).samples, 0]]) {
      const values = this.d.network.forward(this.d.theta, points), logits = values[values.length - 1], n = logits.length;
      for (const logit of logits) loss += softplus(target ? -logit : logit) / n;
      this.d.network.backward(this.d.theta, values, logits.map((logit) => (sigmoid(logit) - target) / n), gradient);
    }
    this.d.adam.step(this.d.theta, gradient, rate);
    return loss;
  }

  // The mean of log(1 − D(G(z))), or of −log D(G(z)), before the step.
  generatorStep(z, rate) {
    const gradient = new Float64Array(this.g.theta.length), { values, samples } = this.generate(z);
    const judged = this.d.network.forward(this.d.theta, samples), logits = judged[judged.length - 1], n = logits.length;
    let loss = 0;
    for (const logit of logits) loss += (this.saturating ? -softplus(logit) : softplus(-logit)) / n;
    const slope = logits.map((logit) => (this.saturating ? -sigmoid(logit) : sigmoid(logit) - 1) / n);
    this.g.network.backward(this.g.theta, values, this.d.network.backward(this.d.theta, judged, slope), gradient);
    this.g.adam.step(this.g.theta, gradient, rate);
    return loss;
  }

  // The next step of a round: first those of D, then those of G. Whether the round is over.
  update({ turns: [ofD, ofG], rateD, rateG }) {
    if (this.played < ofD) this.discriminatorStep(this.draw(), this.z(), rateD);
    else this.generatorStep(this.z(), rateG);
    this.played++;
    if (this.played < ofD + ofG) return false;
    this.played = 0;
    this.round++;
    return true;
  }
}

// Figure 1: data N(0, 1); G is a straight line in Φ⁻¹(z), plus a network that starts at 0.
class LineGame extends Game {
  constructor({ units, batch }, seed) {
    super(seed, new Mlp([1, units, units, 1], "tanh"), new Mlp([1, units, units, 1], "tanh"), false);
    this.g.theta.fill(0, this.g.network.layers[2].weight);
    this.batch = batch;
  }

  generate(z) {
    const found = super.generate(z);
    return { values: found.values, samples: found.samples.map((value, i) => -1.5 + 0.7 * z[i] + value) };
  }

  draw() {
    return this.data.normals(this.batch);
  }

  z() {
    return this.noise.normals(this.batch);
  }
}

// Eight Gaussians on a circle of radius 2.
class RingGame extends Game {
  constructor({ units, batch, noise, deviation }, seed) {
    super(seed, new Mlp([2, units, units, 1], "relu"), new Mlp([noise, units, units, 2], "relu"), true);
    Object.assign(this, { batch, dimensions: noise, deviation });
    this.shown = new Stream(seed, "shown").normals(400 * noise);
  }

  draw() {
    const x = new Float64Array(2 * this.batch);
    for (let i = 0; i < x.length; i += 2) {
      const [a, b] = CENTRES[Math.floor(8 * this.data.uniform())];
      x[i] = a + this.deviation * this.data.normal();
      x[i + 1] = b + this.deviation * this.data.normal();
    }
    return x;
  }

  z() {
    return this.noise.normals(this.batch * this.dimensions);
  }
}

const CENTRES = [...Array(8).keys()].map((i) => [2 * Math.cos(i * Math.PI / 4), 2 * Math.sin(i * Math.PI / 4)]);

// Modes with at least 1 % of the samples within 3 deviations, the share of samples that are that near to one, and the
// share of those nearest to the same one.
function coverage(samples, deviation) {
  const near = Array(8).fill(0), good = Array(8).fill(0), n = samples.length / 2;
  for (let i = 0; i < n; i++) {
    const distances = CENTRES.map(([x, y]) => Math.hypot(samples[2 * i] - x, samples[2 * i + 1] - y));
    const least = Math.min(...distances), mode = distances.indexOf(least);
    near[mode]++;
    if (least < 3 * deviation) good[mode]++;
  }
  return { modes: good.filter((count) => count >= 0.01 * n).length, good: good.reduce((a, b) => a + b) / n,
    largest: Math.max(...near) / n };
}

// What the theory says of figure 1.

const gauss = (x) => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);

// Φ⁻¹, by Newton's steps on Φ(x) = ½ + φ(x)·(x + x³/3 + x⁵/15 + …); from 0 they never pass the root.
function quantile(p) {
  let x = 0;
  for (let i = 0; i < 60; i++) {
    let sum = x, term = x;
    for (let n = 3; Math.abs(term) > 1e-17; n += 2) sum += term *= x * x / n;
    const step = (p - 0.5 - gauss(x) * sum) / gauss(x);
    x += step;
    if (Math.abs(step) < 1e-14) break;
  }
  return x;
}

// Bins of equal width.
const GRID = { low: -6, width: 0.05, bins: 240 };
const centre = (bin) => GRID.low + GRID.width * (bin + 0.5);

// The density of G from its values at equidistant z, mass between neighbours spread evenly.
function density(samples) {
  const sorted = samples.slice().sort(), n = sorted.length, found = new Float64Array(GRID.bins);
  let below = 0;
  const share = (edge) => {
    while (below < n && sorted[below] <= edge) below++;
    if (below === 0 || below === n) return edge === sorted[n - 1] ? (n - 0.5) / n : below / n;
    return (below - 0.5 + (edge - sorted[below - 1]) / (sorted[below] - sorted[below - 1])) / n;
  };
  let last = share(GRID.low);
  for (let bin = 0; bin < GRID.bins; bin++) {
    const next = share(GRID.low + GRID.width * (bin + 1));
    found[bin] = (next - last) / GRID.width;
    last = next;
  }
  return found;
}

// JSD(p‖q) in nats of two densities on the grid.
function jensenShannon(p, q) {
  const entropy = (value) => value > 0 ? -value * Math.log(value) : 0;
  return GRID.width * p.reduce((sum, a, bin) => sum + entropy((a + q[bin]) / 2) - (entropy(a) + entropy(q[bin])) / 2, 0);
}
