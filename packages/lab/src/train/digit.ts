import { el } from "../dom.ts";
import { PIXELS } from "./data.ts";

const SIDE = 28;
const SIZE = 280;
const BOX = 20; // as MNIST has it: a digit is 20 pixels large, its mass in the middle of 28

/** Ink of a canvas as an image of MNIST; undefined where nothing is drawn. */
function imageOf(canvas: HTMLCanvasElement): Float32Array | undefined {
  const { data } = canvas.getContext("2d")!.getImageData(0, 0, SIZE, SIZE);
  let [left, top, right, bottom] = [SIZE, SIZE, -1, -1];
  for (let k = 0; k < SIZE * SIZE; k++) {
    if (data[4 * k + 3] === 0) continue;
    const [x, y] = [k % SIZE, Math.floor(k / SIZE)];
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
  }
  if (right < 0) return undefined;
  const scale = BOX / Math.max(right - left + 1, bottom - top + 1);
  const small = new OffscreenCanvas(SIDE, SIDE).getContext("2d", { willReadFrequently: true })!;
  const paint = (dx: number, dy: number): Float32Array => {
    small.clearRect(0, 0, SIDE, SIDE);
    small.imageSmoothingQuality = "high";
    const [width, height] = [(right - left + 1) * scale, (bottom - top + 1) * scale];
    const at = [(SIDE - width) / 2 + dx, (SIDE - height) / 2 + dy] as const;
    small.drawImage(canvas, left, top, right - left + 1, bottom - top + 1, ...at, width, height);
    const { data: pixels } = small.getImageData(0, 0, SIDE, SIDE);
    return Float32Array.from({ length: PIXELS }, (_, k) => pixels[4 * k + 3]);
  };
  const first = paint(0, 0);
  let [mass, x, y] = [0, 0, 0];
  first.forEach((ink, k) => {
    mass += ink;
    x += ink * ((k % SIDE) + 0.5);
    y += ink * (Math.floor(k / SIDE) + 0.5);
  });
  return paint(SIDE / 2 - x / mass, SIDE / 2 - y / mass);
}

/** A field to draw a digit in, by mouse or finger. */
export function digitField(onImage: (image: Float32Array) => void): {
  root: HTMLElement;
  show: (logProbs: ArrayLike<number>, classes: readonly (string | number)[]) => void;
} {
  const canvas = el("canvas", {
    id: "digit",
    width: SIZE,
    height: SIZE,
    role: "img",
    "aria-label": "A field to draw a digit in, by mouse or finger",
  });
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  const answer = el("div", { id: "digit-answer", role: "status" });
  const clear = el("button", { type: "button" }, "Clear");
  let last: [number, number] | undefined;
  const place = (event: PointerEvent): [number, number] => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [((event.clientX - left) / width) * SIZE, ((event.clientY - top) / height) * SIZE];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const next = place(event);
    context.strokeStyle = getComputedStyle(canvas).color;
    context.lineWidth = 22;
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(...next);
    context.stroke();
    last = next;
  });
  const end = (): void => {
    if (!last) return;
    last = undefined;
    const image = imageOf(canvas);
    if (image) onImage(image);
  };
  for (const kind of ["pointerup", "pointercancel"] as const) canvas.addEventListener(kind, end);
  clear.addEventListener("click", () => {
    context.clearRect(0, 0, SIZE, SIZE);
    answer.replaceChildren();
  });
  return {
    root: el("div", { className: "digit" }, el("div", {}, canvas, el("div", { className: "row" }, clear)), answer),
    show: (logProbs, classes) => {
      const order = Array.from(logProbs, (value, k) => ({ value, label: classes[k] })).sort(
        (a, b) => b.value - a.value,
      );
      const rows = order
        .slice(0, 5)
        .map(({ value, label }) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, String(label)),
            el("td", { className: "number" }, String(Number(value.toPrecision(5))).replace("-", "−")),
          ),
        );
      const head = el(
        "tr",
        {},
        el("th", { scope: "col" }, "digit"),
        el("th", { scope: "col", className: "number" }, "log-probability"),
      );
      answer.replaceChildren(
        el(
          "table",
          {},
          el("caption", {}, `It is a ${order[0].label}`),
          el("thead", {}, head),
          el("tbody", {}, ...rows),
        ),
      );
    },
  };
}
