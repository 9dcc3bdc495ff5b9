import { el } from "../dom.ts";

export interface BarsOptions {
  onInput(index: number, value: number): void;
  onChoose(index: number): void;
}

interface Bar {
  readonly slider: HTMLElement;
  readonly fill: HTMLElement;
  readonly number: HTMLInputElement;
  readonly name: HTMLButtonElement;
}

/** A third digit after the point is below what a hand can aim at. */
const rounded = (value: number): number => Math.round(value * 100) / 100;

/** A bar for each logit: dragged by mouse or finger, moved by arrow keys, or typed. */
export class Bars {
  readonly root = el("div", { id: "logits-bars", role: "group", "aria-label": "Logits as bars" });
  readonly #options: BarsOptions;
  #range = 10;
  #bars: Bar[] = [];

  constructor(options: BarsOptions) {
    this.#options = options;
  }

  show(logits: readonly number[], chosen: number, winner: number): void {
    if (logits.length !== this.#bars.length) this.#make(logits.length);
    if (!this.root.querySelector(".dragged")) {
      this.#range = Math.max(10, ...logits.map((z) => Math.abs(z) * 1.25));
    }
    logits.forEach((value, index) => {
      const { slider, fill, number, name } = this.#bars[index];
      slider.setAttribute("aria-valuenow", `${value}`);
      slider.setAttribute("aria-valuemin", `${-this.#range}`);
      slider.setAttribute("aria-valuemax", `${this.#range}`);
      const part = Math.min(1, Math.abs(value) / this.#range) * 50;
      fill.style.left = `${value < 0 ? 50 - part : 50}%`;
      fill.style.width = `${part}%`;
      if (document.activeElement !== number) number.value = `${value}`;
      name.textContent = `class ${index}${index === winner ? ", the winner" : ""}`;
      name.setAttribute("aria-pressed", String(index === chosen));
    });
  }

  #make(count: number): void {
    this.#bars = Array.from({ length: count }, (_, index) => this.#bar(index));
    this.root.replaceChildren(
      ...this.#bars.map(({ slider, number, name }) => el("div", { className: "bar" }, name, slider, number)),
    );
  }

  #bar(index: number): Bar {
    const fill = el("span", { className: "fill" });
    const slider = el(
      "div",
      { className: "slider", role: "slider", tabIndex: 0, "aria-label": `logit of class ${index}` },
      fill,
    );
    const number = el("input", { type: "number", step: "any", "aria-label": `logit of class ${index}, as a number` });
    const name = el("button", { type: "button", title: "follow this class through the formulas" });
    name.addEventListener("click", () => this.#options.onChoose(index));
    number.addEventListener("input", () => {
      if (Number.isFinite(number.valueAsNumber)) this.#options.onInput(index, number.valueAsNumber);
    });
    slider.addEventListener("keydown", (event) => {
      const now = Number(slider.getAttribute("aria-valuenow"));
      const steps: Record<string, number> = {
        ...{ ArrowRight: now + 1, ArrowUp: now + 1, ArrowLeft: now - 1, ArrowDown: now - 1 },
        ...{ PageUp: now + 10, PageDown: now - 10, Home: -this.#range, End: this.#range },
      };
      if (!(event.key in steps)) return;
      event.preventDefault();
      this.#options.onInput(index, rounded(steps[event.key]));
    });
    const follow = (event: PointerEvent): void => {
      const { left, width } = slider.getBoundingClientRect();
      const part = Math.max(-1, Math.min(1, ((event.clientX - left) / width) * 2 - 1));
      this.#options.onInput(index, rounded(part * this.#range));
    };
    slider.addEventListener("pointerdown", (event) => {
      slider.setPointerCapture(event.pointerId);
      slider.classList.add("dragged");
      follow(event);
    });
    slider.addEventListener("pointermove", (event) => {
      if (slider.classList.contains("dragged")) follow(event);
    });
    for (const end of ["pointerup", "pointercancel"] as const) {
      slider.addEventListener(end, () => slider.classList.remove("dragged"));
    }
    return { slider, fill, number, name };
  }
}
