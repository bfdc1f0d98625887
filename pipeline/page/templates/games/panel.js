// The panels below the figures of three lessons: their controls, and when they move.

const WORK = 10, FRAME = 20;  // ms of steps in a frame; what a frame may take with the picture

// Plays when it is asked to. A frame has steps, the picture, or both where there is time; a picture that is late has the
// next frame for itself.
class Player {
  // `update` takes one step and says whether a round is over; `pace` is the least time between two pictures.
  constructor(update, draw, perFrame, pace, clock = () => performance.now(), ask = (frame) => requestAnimationFrame(frame)) {
    Object.assign(this, { update, draw, perFrame, pace, clock, ask });
    this.left = 0;
    this.cost = Infinity;  // unknown: the first picture has a frame for itself
    this.drawn = -Infinity;
    this.late = this.asked = false;
  }

  play(rounds) {
    this.left = rounds;
    this.request();
  }

  pause() {
    if (this.left) this.play(0);
  }

  request() {
    if (this.asked) return;
    this.asked = true;
    this.ask(() => {
      this.asked = false;
      this.frame();
      if (this.left || this.late) this.request();
    });
  }

  frame() {
    const begin = this.clock();
    if (!this.late)
      for (let i = 0; i < this.perFrame && this.left && this.clock() - begin < WORK; i++) if (this.update()) this.left--;
    const due = !this.left || begin - this.drawn >= this.pace(), started = this.clock();
    const soon = this.late || started - begin + this.cost <= FRAME;
    this.late = due && !soon;
    if (!due || !soon) return;
    this.draw();
    this.drawn = begin;
    this.cost = this.clock() - started;
  }
}

const PANELS = {
  figure_1: { make: (settings, seed) => new LineGame(settings, seed), draw: drawLine, perFrame: 8 },
  non_convergence: { make: () => new Plane(), draw: drawPlane, perFrame: 1 },
  mode_collapse: { make: (settings, seed) => new RingGame(settings, seed), draw: drawRing, perFrame: 8 },
};

function panel(root) {
  const { make, draw, perFrame } = PANELS[root.dataset.game], settings = JSON.parse(root.dataset.settings);
  const canvas = root.querySelector("canvas"), state = root.querySelector(".game-state"), choices = {};
  const still = matchMedia("(prefers-reduced-motion: reduce)"), dark = matchMedia("(prefers-color-scheme: dark)");
  let seed = settings.seed, game = null, playing = false;

  const show = () => {
    if (!canvas.clientWidth) return;  // folded
    game ??= make(settings, seed);
    state.textContent = draw(canvas, game, choices);
  };
  for (const control of root.querySelectorAll("input, select")) {
    const choose = () => {
      const { values, texts } = control.dataset;
      choices[control.name] = values ? JSON.parse(values)[control.value] : control.value;
      if (!values) return;
      const text = JSON.parse(texts)[control.value];
      control.setAttribute("aria-valuetext", text);
      root.querySelector(`output[for="${control.id}"]`).textContent = text;
    };
    control.addEventListener("input", () => {
      choose();
      show();
    });
    choose();
  }
  const player = new Player(() => game.update(choices), () => {
    show();
    if (game.over) pause();
  }, perFrame, () => still.matches ? 1000 : 0);
  const sound = (on) => {
    playing = on;
    state.setAttribute("aria-live", on ? "off" : "polite");
    root.querySelector("[data-act=play]").textContent = on ? "Pause" : "Play";
  };
  const pause = () => {
    sound(false);
    player.pause();
  };
  const begin = (from) => {
    pause();
    seed = from;
    game = null;
    show();
  };
  const acts = {
    play: () => {
      if (playing) return pause();
      sound(!game.over);
      player.play(game.over ? 0 : Infinity);
    },
    step: () => {
      sound(false);
      player.play(game.over ? 0 : 1);
    },
    reset: () => begin(seed),
    seed: () => begin(seed + 1),
  };
  for (const button of root.querySelectorAll("button")) button.addEventListener("click", acts[button.dataset.act]);

  root.hidden = false;
  root.closest("details").addEventListener("toggle", pause);
  new IntersectionObserver(([entry]) => { if (!entry.isIntersecting) pause(); }).observe(root);
  new ResizeObserver(show).observe(canvas);
  dark.addEventListener("change", show);
}

document.querySelectorAll(".game").forEach(panel);
