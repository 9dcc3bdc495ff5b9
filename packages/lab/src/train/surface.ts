import { el } from "../dom.ts";
import { CLASSES, type Rows } from "./data.ts";

export const SIDE = 64;
/** Red, blue, green of nearly the same lightness; shapes tell them apart too. */
const COLOURS = [
  [214, 69, 65],
  [52, 103, 214],
  [44, 143, 76],
] as const;

/** The points of the surface, row by row from the top left, times the input scale. */
export function gridOf(scale: number): Float32Array {
  return Float32Array.from({ length: SIDE * SIDE * 2 }, (_, k) => {
    const cell = k >> 1;
    const at = k % 2 === 0 ? ((cell % SIDE) + 0.5) / SIDE : 1 - (Math.floor(cell / SIDE) + 0.5) / SIDE;
    return scale * (2 * at - 1);
  });
}

function shape(context: CanvasRenderingContext2D, k: number, x: number, y: number): void {
  context.beginPath();
  if (k === 0) context.arc(x, y, 4, 0, 2 * Math.PI);
  else if (k === 1) context.rect(x - 4, y - 4, 8, 8);
  else {
    context.moveTo(x, y - 5);
    context.lineTo(x + 5, y + 4);
    context.lineTo(x - 5, y + 4);
    context.closePath();
  }
  context.fillStyle = `rgb(${COLOURS[k].join()})`;
  context.strokeStyle = "#fff";
  context.fill();
  context.stroke();
}

/** A canvas with the points, the surface behind them, and a cross that the arrow keys move. */
export class Surface {
  readonly canvas = el("canvas", {
    width: 480,
    height: 480,
    tabIndex: 0,
    role: "img",
    "aria-label":
      "Points and decision surface. Click to add a point; or move the cross by the arrow keys and press Enter.",
  });
  readonly #context = this.canvas.getContext("2d")!;
  #rows: Rows | undefined;
  #image: ImageBitmap | undefined;
  #cross: [number, number] | undefined;

  constructor(onPoint: (x: number, y: number) => void) {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      const { left, top, width, height } = canvas.getBoundingClientRect();
      onPoint((2 * (event.clientX - left)) / width - 1, 1 - (2 * (event.clientY - top)) / height);
    });
    canvas.addEventListener("keydown", (event) => {
      const [x, y] = this.#cross ?? [0, 0];
      const steps: Record<string, [number, number]> = {
        ...{ ArrowLeft: [x - 0.05, y], ArrowRight: [x + 0.05, y], ArrowUp: [x, y + 0.05], ArrowDown: [x, y - 0.05] },
      };
      if (event.key === "Enter" || event.key === " ") onPoint(x, y);
      else if (event.key in steps)
        this.#cross = steps[event.key].map((v) => Math.max(-1, Math.min(1, v))) as [number, number];
      else return;
      event.preventDefault();
      this.#draw();
    });
  }

  points(rows: Rows): void {
    this.#rows = rows;
    this.#image = undefined;
    this.#draw();
  }

  /** Probabilities of each class at each point of the grid. */
  async surface(probs: Float32Array, classes: number): Promise<void> {
    const image = new ImageData(SIDE, SIDE);
    for (let cell = 0; cell < SIDE * SIDE; cell++) {
      for (let d = 0; d < 3; d++) {
        let value = 0;
        for (let k = 0; k < classes; k++) value += probs[cell * classes + k] * COLOURS[k][d];
        image.data[4 * cell + d] = value;
      }
      image.data[4 * cell + 3] = 110;
    }
    this.#image = await createImageBitmap(image);
    this.#draw();
  }

  #draw(): void {
    const { canvas } = this;
    const context = this.#context;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (this.#image) context.drawImage(this.#image, 0, 0, canvas.width, canvas.height);
    const { x, y } = this.#rows ?? { x: { data: [] as number[] }, y: [] };
    const place = (u: number, v: number) => [((u + 1) / 2) * canvas.width, ((1 - v) / 2) * canvas.height] as const;
    y.forEach((label, i) => {
      shape(context, CLASSES.indexOf(label as "A"), ...place(x.data[2 * i], x.data[2 * i + 1]));
    });
    if (!this.#cross) return;
    const [u, v] = place(...this.#cross);
    context.fillStyle = getComputedStyle(canvas).color;
    context.fillRect(u - 8, v - 1, 17, 3);
    context.fillRect(u - 1, v - 8, 3, 17);
  }
}
