import { el } from "../dom.ts";
import { readState, writeState } from "../state.ts";
import { startWorker } from "../work.ts";
import { Charts } from "./charts.ts";
import { CLASSES, mnist, PIXELS, type Rows, toy } from "./data.ts";
import { digitField } from "./digit.ts";
import { COMMAND, DEATH, DEFAULTS, Form, LOSSES, NAMES, type Options, settingsOf } from "./form.ts";
import { gridOf, Surface } from "./surface.ts";
import type { Reply, Request } from "./worker.ts";

/** Builds the section's controls inside `root`. */
export function mountTrain(root: HTMLElement): void {
  let post: ((request: Request) => void) | undefined;
  let images: Rows | undefined;
  /** Points that were added by hand. */
  let own: { x: number; y: number; label: string }[] = [];
  let queue: Options[] = [];
  let running: Options | undefined;

  const form = new Form(() => changed());
  const status = el("p", { id: "train-status", role: "status" });
  const charts = new Charts();
  const runs = el("tbody");
  const drawn = el(
    "select",
    { id: "train-class" },
    ...CLASSES.map((value) => el("option", { value }, `class ${value}`)),
  );
  const surface = new Surface((x, y) => {
    own.push({ x: Math.round(1000 * x) / 1000, y: Math.round(1000 * y) / 1000, label: drawn.value });
    changed();
  });
  const digit = digitField((x) => ask({ kind: "classify", x }));
  const start = el("button", { id: "train-start", type: "button", className: "primary" }, "Train");
  const stop = el("button", { id: "train-stop", type: "button", disabled: true }, "Stop");
  const death = el("button", { id: "train-death", type: "button" }, "A real death: both losses, the same seed");
  const clear = el("button", { type: "button" }, "Remove your points");
  const toyWork = el(
    "div",
    { id: "surface" },
    surface.canvas,
    el(
      "div",
      { className: "row" },
      el("label", { className: "field", for: "train-class" }, el("span", {}, "A click adds a point of"), drawn),
      clear,
    ),
  );
  const mnistWork = el(
    "div",
    {},
    el("p", {}, "Draw a digit once the model is trained."),
    digit.root,
    el(
      "p",
      { className: "note" },
      "The same model, byte for byte, from the command line, on ",
      el("a", { href: "mnist-10000.parquet", download: "" }, "the same images"),
      ":",
    ),
    el("p", {}, el("code", { id: "train-command" }, COMMAND)),
  );

  function ask(request: Request): void {
    post ??= startWorker<Request, Reply>("train", hear);
    post(request);
  }

  /** The toy's points and those added by hand, at the input scale or at 1. */
  function points({ data, seed }: Options, scale: number): Rows {
    const { x, y } = toy(data, seed);
    const all = Float32Array.from([...x.data, ...own.flatMap((point) => [point.x, point.y])], (v) => v * scale);
    return { x: { data: all, shape: [all.length / 2, 2] }, y: [...y, ...own.map(({ label }) => label)] };
  }

  function changed(): void {
    const { options } = form;
    const isToy = options.data !== "mnist";
    toyWork.hidden = !isToy;
    mnistWork.hidden = isToy;
    if (isToy) surface.points(points(options, 1));
    const { data, loss, ...numbers } = options;
    const known = own.length > 0 ? own.map(({ x, y, label }) => `${x}_${y}_${label}`).join("~") : undefined;
    const text = Object.entries(numbers).map(([name, value]) => [
      name,
      value === DEFAULTS[name as "seed"] ? undefined : String(value),
    ]);
    writeState({
      data: data === DEFAULTS.data ? undefined : data,
      loss: loss === DEFAULTS.loss ? undefined : loss,
      points: known,
      ...Object.fromEntries(text),
    });
  }

  async function begin(options: Options): Promise<void> {
    running = options;
    root.dataset.ready = "false";
    start.disabled = death.disabled = true;
    stop.disabled = false;
    status.textContent = `${NAMES[options.loss]} on ${NAMES[options.data]} …`;
    await charts.begin();
    const settings = settingsOf(options);
    if (options.data === "mnist") {
      images ??= await mnist();
      ask({ kind: "train", rows: images, features: [{ name: "image", size: PIXELS }], settings });
    } else ask({ kind: "train", rows: points(options, options.scale), settings, grid: gridOf(options.scale) });
  }

  /** A line in the table of runs, and the next run that waits. */
  function end(outcome: string, isBad: boolean, more: readonly (Node | string)[] = []): void {
    const { data, loss, seed, rate, scale } = running ?? DEFAULTS;
    const settings = data === "mnist" ? ["lab.json"] : [`seed ${seed}, rate ${rate}, scale ${scale}`];
    const cells = [NAMES[data], NAMES[loss], ...settings].map((text) => el("td", {}, text));
    runs.prepend(el("tr", {}, ...cells, el("td", { className: isBad ? "bad" : "good" }, outcome, ...more)));
    status.textContent = outcome;
    running = undefined;
    start.disabled = death.disabled = false;
    stop.disabled = true;
    const next = queue.shift();
    if (next) {
      form.options = next;
      changed();
      void begin(next).catch((error: Error) => end(error.message, true));
    } else root.dataset.ready = "true";
  }

  function hear(reply: Reply): void {
    if (reply.kind === "point") charts.add(reply.point);
    else if (reply.kind === "surface") void surface.surface(reply.probs, reply.classes);
    else if (reply.kind === "classified") digit.show(reply.logProbs, reply.classes);
    else if (reply.kind === "died") {
      const { epoch, step, maxLogit } = reply;
      end(
        `died in epoch ${epoch}, step ${step}: the loss is no number, at a largest logit of ${maxLogit.toFixed(1)}`,
        true,
      );
    } else if (reply.kind === "error") end(reply.message, true);
    else {
      const { nll, accuracy, seconds, onnx, sha256, stopped } = reply;
      const score = `NLL ${Number(nll.toPrecision(5))}, accuracy ${(100 * accuracy).toFixed(2)} %`;
      const link = el(
        "a",
        { href: URL.createObjectURL(new Blob([onnx.slice()])), download: "model.onnx" },
        "model.onnx",
      );
      const outcome = `${stopped ? "stopped" : "lives"}: ${score}, ${seconds.toFixed(1)} s`;
      end(outcome, false, [el("br"), link, ", sha256 ", el("code", { className: "sha256" }, sha256)]);
    }
  }

  function run(options: readonly Options[]): void {
    queue = options.slice(1);
    form.options = options[0];
    changed();
    void begin(options[0]).catch((error: Error) => end(error.message, true));
  }

  start.addEventListener("click", () => run([form.options]));
  death.addEventListener("click", () => {
    own = [];
    run([DEATH, { ...DEATH, loss: "cross-entropy" }]);
  });
  stop.addEventListener("click", () => {
    queue = [];
    ask({ kind: "stop" });
  });
  clear.addEventListener("click", () => {
    own = [];
    changed();
  });

  const head = ["data", "loss", "settings", "outcome"].map((text) => el("th", { scope: "col" }, text));
  root.append(
    el(
      "p",
      {},
      "A classifier is trained here, in your browser, on the library’s kernels. Take the textbook’s loss instead of Napier’s, with the same seed, and see which of the two lives.",
    ),
    form.root,
    el("div", { className: "row" }, start, stop, death),
    status,
    el("div", { className: "work" }, el("div", {}, toyWork, mnistWork), charts.root),
    el(
      "div",
      { id: "train-runs", className: "scroll", tabIndex: 0, role: "region", "aria-label": "Runs" },
      el("table", {}, el("caption", {}, "Runs"), el("thead", {}, el("tr", {}, ...head)), runs),
    ),
  );

  const state = readState();
  const number = (name: "seed" | "rate" | "scale" | "epochs"): number => {
    const value = Number(state.get(name) ?? Number.NaN);
    return Number.isFinite(value) ? value : DEFAULTS[name];
  };
  const data = state.get("data") ?? "";
  own = (state.get("points") ?? "").split("~").flatMap((text) => {
    const [x, y, label] = text.split("_");
    return CLASSES.includes(label as "A") ? [{ x: Number(x), y: Number(y), label }] : [];
  });
  form.options = {
    data: data in NAMES ? data : DEFAULTS.data,
    loss: LOSSES.find((loss) => loss === state.get("loss")) ?? DEFAULTS.loss,
    ...{ seed: number("seed"), rate: number("rate"), scale: number("scale"), epochs: number("epochs") },
  };
  changed();
  root.dataset.ready = "true";
}
