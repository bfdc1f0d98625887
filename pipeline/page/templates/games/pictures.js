// What the games look like. Each drawing gives what is to be read beside it.

// A canvas in units of its own; colours are named as in the style.
function paper(canvas, left, right, bottom, top) {
  const pen = canvas.getContext("2d"), style = getComputedStyle(canvas), sharp = devicePixelRatio;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const x = (value) => (value - left) / (right - left) * width, y = (value) => (top - value) / (top - bottom) * height;
  const colour = (name) => style.getPropertyValue(`--${name}`);
  canvas.width = Math.round(width * sharp);
  canvas.height = Math.round(height * sharp);
  pen.scale(sharp, sharp);
  const path = (points) => {
    pen.beginPath();
    for (const [a, b] of points) pen.lineTo(x(a), y(b));
  };
  return {
    pen, x, y, width, height, colour,
    line(points, name, wide = 1.5, dashes = []) {
      Object.assign(pen, { strokeStyle: colour(name), lineWidth: wide, lineJoin: "round" });
      pen.setLineDash(dashes);
      path(points);
      pen.stroke();
    },
    area(points, name, alpha) {
      Object.assign(pen, { fillStyle: colour(name), globalAlpha: alpha });
      path(points);
      pen.fill();
      pen.globalAlpha = 1;
    },
    circle(a, b, radius, name, filled = true) {
      Object.assign(pen, { fillStyle: colour(name), strokeStyle: colour(name), lineWidth: 1 });
      pen.setLineDash([]);
      pen.beginPath();
      pen.arc(x(a), y(b), radius, 0, 2 * Math.PI);
      if (filled) pen.fill(); else pen.stroke();
    },
    text(words, a, b, align = "center") {
      Object.assign(pen, { fillStyle: colour("muted"), font: `11px ${style.fontFamily}`, textAlign: align });
      pen.textBaseline = "middle";
      pen.fillText(words, x(a), y(b));
    },
  };
}

const minus = (value, decimals) => value.toFixed(decimals).replace("-", "−");

// Equidistant z as G sees them.
let quantiles = null;

function drawLine(canvas, game) {
  quantiles ??= Float64Array.from({ length: 1024 }, (_, i) => quantile((i + 0.5) / 1024));
  const samples = game.generate(quantiles).samples, q = density(samples);
  const places = Float64Array.from({ length: GRID.bins }, (_, bin) => centre(bin)), p = places.map(gauss);
  const d = game.judge(places).map(sigmoid), best = p.map((value, bin) => value / (value + q[bin]));
  const off = d.reduce((sum, value, bin) => sum + Math.abs(value - best[bin]) * (p[bin] + q[bin]) / 2 * GRID.width, 0);

  const { line, area, text, circle } = paper(canvas, -4.3, 4.1, -0.56, 1.06);
  const curve = (values) => [...values].map((value, bin) => [places[bin], value]).filter(([x]) => Math.abs(x) < 4);
  line([[-4, 0], [4, 0]], "strong", 1);
  line([[-4, 0.5], [4, 0.5]], "line", 1);
  for (const [label, height] of [["1", 1], ["½", 0.5], ["0", 0], ["z", -0.1], ["x", -0.4]]) text(label, -4.15, height);
  for (let tick = -4; tick <= 4; tick++) text(minus(tick, 0), tick, -0.5);
  area(curve(q), "c3", 0.18);
  line(curve(best.map((value, bin) => p[bin] + q[bin] > 0.05 ? value : NaN)), "c1", 1.25, [2, 3]);  // where points are
  line(curve(p), "text", 1.25, [5, 3]);
  line(curve(q), "c3", 2);
  line(curve(d), "c1", 2);
  line([[-4, -0.4], [4, -0.4]], "strong", 1);
  for (let i = 0; i < 17; i++) {
    const z = (i + 0.5) / 17, x = samples[Math.floor(1024 * z)];
    line([[6 * z - 3, -0.1], [x, -0.4]], "c3", 1);
    circle(6 * z - 3, -0.1, 1.5, "text");
    circle(x, -0.4, 2, "c3");
  }
  return `Round ${game.round}, seed ${game.seed}: JSD of data and G ${jensenShannon(p, q).toFixed(3)} nats; D is ` +
    `${off.toFixed(3)} from D* on average.`;
}

function drawRing(canvas, game) {
  const reach = 2.9, cells = 32, { pen, x, width, height, colour, circle } = paper(canvas, -reach, reach, -reach, reach);
  const place = (cell) => reach * (2 * (cell + 0.5) / cells - 1), where = new Float64Array(2 * cells * cells);
  for (let i = 0; i < cells * cells; i++) where.set([place(i % cells), -place(Math.floor(i / cells))], 2 * i);
  const ground = Object.assign(document.createElement("canvas"), { width: cells, height: cells });
  const shade = ground.getContext("2d");
  game.judge(where).forEach((logit, i) => {
    const sure = 2 * sigmoid(logit) - 1;  // by its root, so that little is seen as well
    Object.assign(shade, { fillStyle: colour(sure > 0 ? "c1" : "c2"), globalAlpha: 0.6 * Math.sqrt(Math.abs(sure)) });
    shade.fillRect(i % cells, Math.floor(i / cells), 1, 1);
  });
  pen.drawImage(ground, 0, 0, width, height);
  for (const [a, b] of CENTRES) circle(a, b, x(3 * game.deviation) - x(0), "text", false);
  const samples = game.generate(game.shown).samples, within = (value) => Math.max(-reach, Math.min(reach, value));
  for (let i = 0; i < samples.length; i += 2) circle(within(samples[i]), within(samples[i + 1]), 1.6, "text");
  const { modes, good, largest } = coverage(samples, game.deviation), percent = (share) => `${(100 * share).toFixed(0)}\u00a0%`;
  return `Round ${game.round}, seed ${game.seed}: ${modes} of 8 modes covered; ${percent(good)} of the samples are good, ` +
    `${percent(largest)} nearest to one mode.`;
}

function drawPlane(canvas, game, { rule }) {
  const averaging = rule === "average" && game.rule === rule, shown = averaging ? game.averages : game.points;
  const now = game.points.at(-1), farthest = Math.max(...game.points.map(([x, y]) => Math.max(Math.abs(x), Math.abs(y))));
  const reach = 1.4 * 2 ** Math.max(0, Math.ceil(Math.log2(farthest / 1.3)));
  const { line, circle, text } = paper(canvas, -reach, reach, -reach, reach);
  const edge = reach.toLocaleString("en", { maximumFractionDigits: 1 });
  line([[-reach, 0], [reach, 0]], "line", 1);
  line([[0, -reach], [0, reach]], "line", 1);
  text(`x = ${edge}`, 0.97 * reach, -0.05 * reach, "right");
  text(`y = ${edge}`, 0.03 * reach, 0.95 * reach, "left");
  if (averaging) line(game.points, "strong", 1);
  line(shown, "path");
  if (shown.length < 400) for (const [x, y] of shown) circle(x, y, 1.6, "path");
  // Where the slopes lead: x goes down V, y up.
  line([now, [now[0] - 0.3 * now[1], now[1]]], "text", 2);
  line([now, [now[0], now[1] + 0.3 * now[0]]], "text", 2);
  circle(...now, averaging ? 3 : 4.5, averaging ? "strong" : "path");
  if (averaging) circle(...shown.at(-1), 4.5, "path");
  const [radius, before] = [shown.at(-1), shown.at(-2) ?? shown.at(-1)].map((point) => Math.hypot(...point));
  return `Step ${game.round}: (${minus(now[0], 3)}, ${minus(now[1], 3)}); ${averaging ? "the average is " : ""}` +
    `${radius.toPrecision(4)} from the equilibrium, × ${(radius / before).toFixed(4)} by the last step.` +
    (game.over ? " Too far out to go on." : "");
}
