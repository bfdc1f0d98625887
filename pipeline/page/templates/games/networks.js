// Random numbers, networks and their optimiser, as gan/lessons/batched.py has them, for one run, in float64.

// xorshift128 (Marsaglia 2003). Every seed and purpose has a stream of its own.
class Stream {
  constructor(seed, purpose) {
    this.state = Uint32Array.from([1, 2, 3, 4], (word) => {
      let hash = 0x811c9dc5;
      for (const letter of `${seed}/${purpose}/${word}`) {
        hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
        hash ^= hash >>> 15;
      }
      return hash || word;
    });
    for (let i = 0; i < 16; i++) this.bits();
    this.spare = null;
  }

  bits() {
    const state = this.state, first = state[0] ^ state[0] << 11;
    state.copyWithin(0, 1);
    state[3] ^= state[3] >>> 19 ^ first ^ first >>> 8;
    return state[3];
  }

  // On (0, 1), without its ends.
  uniform() {
    return (this.bits() + 0.5) / 2 ** 32;
  }

  // By Box and Muller, two at a time.
  normal() {
    if (this.spare !== null) {
      const spare = this.spare;
      this.spare = null;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(this.uniform())), angle = 2 * Math.PI * this.uniform();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  normals(count) {
    const found = new Float64Array(count);
    for (let i = 0; i < count; i++) found[i] = this.normal();
    return found;
  }
}

// Linear at its output. Parameters are one array: of each layer the weight [inputs, outputs], then the bias.
class Mlp {
  constructor(sizes, activation) {
    let at = 0;
    this.activation = activation;
    this.layers = sizes.slice(1).map((outputs, i) => {
      const layer = { inputs: sizes[i], outputs, weight: at, bias: at + sizes[i] * outputs };
      at = layer.bias + outputs;
      return layer;
    });
    this.count = at;
  }

  // Uniform between −1/√inputs and 1/√inputs.
  initial(stream) {
    const theta = new Float64Array(this.count);
    for (const { inputs, outputs, weight } of this.layers)
      for (let i = 0; i < (inputs + 1) * outputs; i++) theta[weight + i] = (2 * stream.uniform() - 1) / Math.sqrt(inputs);
    return theta;
  }

  // x [n, d], row by row, and what comes out of each layer.
  forward(theta, x) {
    const values = [x];
    for (const { inputs, outputs, weight, bias } of this.layers) {
      if (values.length > 1) this.activate(x);
      const y = new Float64Array(x.length / inputs * outputs);
      for (let row = 0; row < y.length; row += outputs) y.set(theta.subarray(bias, bias + outputs), row);
      values.push(x = product(x, transposed(theta.subarray(weight, bias), outputs), inputs, outputs, y));
    }
    return values;
  }

  activate(x) {
    if (this.activation === "tanh") for (let i = 0; i < x.length; i++) x[i] = Math.tanh(x[i]);
    else for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0;
  }

  // From the slope at the output to that at the input, or to that of the parameters, which is added to `gradient`.
  backward(theta, values, slope, gradient = null) {
    for (let i = this.layers.length - 1; ; i--) {
      const x = values[i], { inputs, outputs, weight, bias } = this.layers[i], rows = x.length / inputs;
      if (gradient) {
        for (let row = 0; row < slope.length; row += outputs)
          for (let j = 0; j < outputs; j++) gradient[bias + j] += slope[row + j];
        product(transposed(x, inputs), transposed(slope, outputs), rows, outputs, gradient.subarray(weight, bias));
        if (i === 0) return gradient;
      }
      slope = product(slope, theta.subarray(weight, bias), outputs, inputs, new Float64Array(x.length));
      if (i === 0) return slope;
      if (this.activation === "tanh") for (let k = 0; k < x.length; k++) slope[k] *= 1 - x[k] * x[k];
      else for (let k = 0; k < x.length; k++) if (x[k] === 0) slope[k] = 0;
    }
  }
}

// Adds a·bᵀ, of a [rows, inner] and b [columns, inner], to `into` [rows, columns]: two rows by four columns at a time,
// which is several times as fast as one by one.
function product(a, b, inner, columns, into) {
  const rows = a.length / inner, even = rows - rows % 2, fours = columns - columns % 4;
  const one = (i, j) => {
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += a[i * inner + k] * b[j * inner + k];
    into[i * columns + j] += sum;
  };
  for (let i = 0; i < even; i += 2) {
    const p = i * inner, q = p + inner;
    for (let j = 0; j < fours; j += 4) {
      const e = j * inner, f = e + inner, g = f + inner, h = g + inner;
      let pe = 0, pf = 0, pg = 0, ph = 0, qe = 0, qf = 0, qg = 0, qh = 0;
      for (let k = 0; k < inner; k++) {
        const x = a[p + k], y = a[q + k], s = b[e + k], t = b[f + k], u = b[g + k], v = b[h + k];
        pe += x * s; pf += x * t; pg += x * u; ph += x * v;
        qe += y * s; qf += y * t; qg += y * u; qh += y * v;
      }
      const at = i * columns + j, below = at + columns;
      into[at] += pe; into[at + 1] += pf; into[at + 2] += pg; into[at + 3] += ph;
      into[below] += qe; into[below + 1] += qf; into[below + 2] += qg; into[below + 3] += qh;
    }
    for (let j = fours; j < columns; j++) { one(i, j); one(i + 1, j); }
  }
  if (even < rows) for (let j = 0; j < columns; j++) one(even, j);
  return into;
}

function transposed(x, columns) {
  const rows = x.length / columns, found = new Float64Array(x.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) found[j * rows + i] = x[i * columns + j];
  return found;
}

// Kingma and Ba 2015, with β₁ = ½ and ε² inside the root, as in the lessons.
class Adam {
  constructor(count) {
    this.mean = new Float64Array(count);
    this.square = new Float64Array(count);
    this.steps = 0;
  }

  // Moves `theta` down `gradient`.
  step(theta, gradient, learningRate) {
    this.steps++;
    const rate = learningRate * Math.sqrt(1 - 0.999 ** this.steps) / (1 - 0.5 ** this.steps);
    for (let i = 0; i < theta.length; i++) {
      this.mean[i] += 0.5 * (gradient[i] - this.mean[i]);
      this.square[i] += 0.001 * (gradient[i] * gradient[i] - this.square[i]);
      theta[i] -= rate * this.mean[i] / Math.sqrt(this.square[i] + 1e-16);
    }
  }
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
