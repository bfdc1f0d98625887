"use strict";
(() => {
  const SIZE = 1000, DEEPEST = 200;  // of the canvas; how far one can zoom in
  const minus = (text) => text.replace("-", "−");
  const named = (value) => Math.abs(value) >= 1000 ? minus(Math.round(value).toLocaleString("en"))
    : minus(String(Number(value.toPrecision(4))));
  const make = (tag, properties, parent) => parent.appendChild(Object.assign(document.createElement(tag), properties));

  // A step of 1, 2 or 5 · 10ⁿ that gives about `wanted` ticks.
  const linear = (low, high, wanted = 5) => {
    const power = 10 ** Math.floor(Math.log10((high - low) / wanted));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= (high - low) / wanted * (1 - 1e-9));
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i <= high / step + 1e-9; i++) found.push(Number((i * step).toPrecision(10)));
    return found;
  };
  const logarithmic = (low, high) => {
    for (const steps of [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7]]) {
      const found = [];
      for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); decade++)
        for (const step of steps) found.push(Number((step * 10 ** decade).toPrecision(3)));
      const inside = found.filter((tick) => tick >= low && tick <= high);
      if (inside.length >= 3) return inside;
    }
    return linear(low, high);
  };

  function chart(root) {
    const data = JSON.parse(root.dataset.chart), canvas = root.querySelector(".canvas"), svg = canvas.querySelector("svg");
    const scale = (axis) => axis.log ? Math.log : (value) => value;
    const back = (axis) => axis.log ? Math.exp : (value) => value;
    const share = (axis, value) => (scale(axis)(value) - scale(axis)(axis.low)) / (scale(axis)(axis.high) - scale(axis)(axis.low));
    const value = (axis, at) => back(axis)(scale(axis)(axis.low) + at * (scale(axis)(axis.high) - scale(axis)(axis.low)));
    const places = [...new Set(data.lines.flatMap((line) => line.x.filter((x, i) => line.y[i] !== null)))].sort((a, b) => a - b);
    if (!places.length) return;
    let left = 0, right = 1, bottom = 0, top = 1, at = -1;

    const title = root.querySelector(".chart-title"), label = root.querySelector(".x-label"), axis = label.firstElementChild;
    const said = make("output", { ariaLive: "off", hidden: true }, label);
    const ends = [...root.querySelectorAll(".ends span")].map((end) => [end, end.style.bottom]);
    const ending = data.lines.filter((line) => line.y.some((y) => y !== null));
    const cursor = make("div", { className: "cursor", tabIndex: 0 }, canvas);
    const hair = make("i", { hidden: true }, cursor), chosen = make("b", { hidden: true }, cursor);
    for (const [name, text] of [["role", "slider"], ["aria-label", `${title.firstChild.textContent.trim()}: ${data.x.label}. Arrow keys read values, + and − zoom, 0 shows all`],
      ["aria-valuemin", places[0]], ["aria-valuemax", places[places.length - 1]], ["aria-valuenow", places[0]],
      ["aria-valuetext", "choose with the arrow keys"]]) cursor.setAttribute(name, text);

    const ticks = (box, axis, low, high, side) => {
      const from = value(axis, low), to = value(axis, high);
      box.replaceChildren();
      for (const tick of (axis.log ? logarithmic : linear)(from, to))
        make("span", { textContent: named(tick) }, box).style[side] = `${100 * (share(axis, tick) - low) / (high - low)}%`;
    };
    const draw = () => {
      svg.setAttribute("viewBox", `${SIZE * left} ${SIZE * (1 - top)} ${SIZE * (right - left)} ${SIZE * (top - bottom)}`);
      ticks(canvas.querySelector(".x"), data.x, left, right, "left");
      ticks(canvas.querySelector(".y"), data.y, bottom, top, "bottom");
      label_lines();
      read(at);
    };
    // Names stay where lines leave what is shown, as far apart as they are high.
    const label_lines = () => {
      if (right - left === 1) {
        for (const [end, bottom] of ends) end.style.bottom = bottom;
        return;
      }
      const gap = 15 / canvas.clientHeight, placed = ending.map((line, i) => {
        const seen = line.x.map((x, k) => [share(data.x, x), line.y[k]]).filter(([x, y]) => y !== null && x >= left && x <= right);
        const last = seen.length ? (share(data.y, seen[seen.length - 1][1]) - bottom) / (top - bottom) : 0;
        return [ends[i][0], Math.max(0, Math.min(1, last))];
      }).sort((a, b) => a[1] - b[1]);
      placed.forEach((one, i) => { if (i) one[1] = Math.max(one[1], placed[i - 1][1] + gap); });
      placed.reduceRight((limit, one) => { one[1] = Math.min(one[1], limit); return one[1] - gap; }, 1);
      for (const [end, place] of placed) end.style.bottom = `${100 * place}%`;
    };
    const zoom = (from, to) => {
      const width = Math.max(1 / DEEPEST, Math.min(1, to - from)), begin = Math.max(0, Math.min(1 - width, from));
      [left, right] = [begin, begin + width];
      const seen = data.lines.flatMap((line) => line.x.flatMap((x, i) => {
        const here = share(data.x, x);
        return here < left || here > right ? [] : [line.y[i], line.low?.[i], line.high?.[i]];
      })).filter((one) => one !== null && one !== undefined).map((one) => share(data.y, one));
      const least = Math.min(...seen), most = Math.max(...seen), margin = Math.max(0.08 * (most - least), 0.5 / DEEPEST);
      [bottom, top] = width === 1 || !seen.length ? [0, 1] : [least - margin, most + margin];
      draw();
    };
    const about = (factor) => {
      const middle = at >= 0 ? share(data.x, places[at]) : (left + right) / 2, half = (right - left) * factor / 2;
      zoom(middle - half, middle + half);
    };
    const number = (one) => minus(one.toFixed(data.decimals));
    const read = (index) => {
      at = index;
      hair.hidden = index < 0 || share(data.x, places[index]) < left || share(data.x, places[index]) > right;
      axis.hidden = index >= 0;
      said.hidden = index < 0;
      if (index < 0) return;
      const values = data.lines.map((line) => {
        const place = line.x.findIndex((x, k) => x === places[index] && line.y[k] !== null);
        if (place < 0) return "";
        const range = line.low && line.low[place] !== null && line.low[place] !== undefined
          ? line.bars ? ` ± ${number((line.high[place] - line.low[place]) / 2)}`
            : ` (${number(line.low[place])} to ${number(line.high[place])})` : "";
        return `${line.name} ${number(line.y[place])}${range}`;
      }).filter(Boolean).join("; ");
      said.textContent = `${data.x.label} ${named(places[index])}: ${values}`;
      hair.style.left = `${100 * (share(data.x, places[index]) - left) / (right - left)}%`;
      cursor.setAttribute("aria-valuenow", places[index]);
      cursor.setAttribute("aria-valuetext", said.textContent);
    };

    const pointed = (event) => {
      const box = cursor.getBoundingClientRect();
      return left + (right - left) * Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    };
    const nearest = (here) => places.reduce((best, x, i) =>
      Math.abs(share(data.x, x) - here) < Math.abs(share(data.x, places[best]) - here) ? i : best, 0);
    let pressed = null;
    cursor.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0) pressed = pointed(event);
      read(nearest(pointed(event)));
    });
    cursor.addEventListener("pointermove", (event) => {
      const here = pointed(event);
      read(nearest(here));
      if (pressed === null) return;
      chosen.hidden = false;
      chosen.style.left = `${100 * (Math.min(pressed, here) - left) / (right - left)}%`;
      chosen.style.width = `${100 * Math.abs(here - pressed) / (right - left)}%`;
    });
    const release = (event) => {
      const from = pressed, to = pointed(event);
      pressed = null;
      chosen.hidden = true;
      if (from !== null && Math.abs(to - from) > 0.02 * (right - left)) zoom(Math.min(from, to), Math.max(from, to));
    };
    window.addEventListener("pointerup", (event) => { if (pressed !== null) release(event); });
    cursor.addEventListener("pointerleave", (event) => { if (pressed === null && event.pointerType === "mouse") read(-1); });
    cursor.addEventListener("dblclick", () => zoom(0, 1));
    cursor.addEventListener("blur", () => read(-1));
    cursor.addEventListener("keydown", (event) => {
      const last = places.length - 1;
      const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, Home: 0, End: last,
        PageDown: at - 10, PageUp: at + 10 }[event.key];
      if (to !== undefined) {
        read(Math.max(0, Math.min(last, to)));
        const here = share(data.x, places[at]), width = right - left;
        if (here < left || here > right) zoom(here - width / 2, here + width / 2);
      } else if (event.key === "+" || event.key === "=") about(0.5);
      else if (event.key === "-") about(2);
      else if (event.key === "0" || event.key === "Escape") zoom(0, 1);
      else return;
      event.preventDefault();
    });

    const buttons = document.createElement("div");
    buttons.className = "zoom";
    root.append(buttons);
    for (const [text, label, act] of [["+", "Zoom in", () => about(0.5)], ["−", "Zoom out", () => about(2)], ["all", "Show all", () => zoom(0, 1)]]) {
      const button = make("button", { type: "button", textContent: text }, buttons);
      button.setAttribute("aria-label", `${label}: ${title.firstChild.textContent.trim()}`);
      button.addEventListener("click", act);
    }
  }

  // In a grid of samples only one cell is a tab stop; the arrow keys go from cell to cell.
  function samples(root) {
    const cells = [...root.querySelectorAll(".cell")], columns = Number(getComputedStyle(root).getPropertyValue("--columns"));
    const stop = (cell) => cells.forEach((one) => { one.tabIndex = one === cell ? 0 : -1; });
    if (cells.length) stop(cells[0]);
    root.addEventListener("focusin", (event) => { if (cells.includes(event.target)) stop(event.target); });
    root.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
      const next = cells[cells.indexOf(event.target) + step];
      if (step === undefined || !next) return;
      next.focus();
      event.preventDefault();
    });
  }

  // What a link leads to is unfolded; on paper everything is.
  const unfold = () => {
    for (let one = document.getElementById(decodeURIComponent(location.hash.slice(1))); one; one = one.parentElement) {
      if (one.localName === "details") one.open = true;
      const own = one.querySelector(":scope > details");
      if (own && one.id === decodeURIComponent(location.hash.slice(1))) own.open = true;
    }
  };
  window.addEventListener("hashchange", () => {
    unfold();
    document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  });
  unfold();

  document.querySelectorAll(".chart").forEach(chart);
  document.querySelectorAll(".cells").forEach(samples);
})();
