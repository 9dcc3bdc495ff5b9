import { el } from "../dom.ts";
import { readState, writeState } from "../state.ts";
import type { Analysis } from "./analysis.ts";
import { Asker } from "./asker.ts";
import { Bars } from "./bars.ts";
import { formatLogits, MOST_BARS, PRESETS, parseLogits } from "./logits.ts";
import { summary, Tables } from "./tables.ts";

/** Builds the section's controls inside `root`. */
export function mountBreak(root: HTMLElement): void {
  let logits: number[] = [];
  let chosen: number | undefined;
  let preset: string | undefined;

  const text = el("textarea", { id: "logits-text", rows: 3, spellcheck: false, autocomplete: "off" });
  const problem = el("p", { className: "bad message", role: "alert", hidden: true });
  const note = el("p", { className: "note" });
  const result = el("p", { id: "break-summary", role: "status" });
  const tables = new Tables();
  const follow = el("input", { id: "break-class", type: "number", min: "0", step: "1" });
  const bars = new Bars({
    onInput: (index, value) => {
      const next = logits.slice();
      next[index] = value;
      set(next, chosen);
      text.value = formatLogits(logits);
    },
    onChoose: (index) => set(logits, index, preset),
  });
  const buttons = PRESETS.map(({ id, label, make }) => {
    const button = el("button", { type: "button", id: `preset-${id}` }, label);
    button.addEventListener("click", () => {
      set(make(), undefined, id);
      text.value = logits.length > MOST_BARS ? "" : formatLogits(logits);
    });
    return button;
  });

  const asker = new Asker((analysis: Analysis) => {
    tables.show(analysis);
    result.textContent = summary(analysis);
    follow.value = `${analysis.chosen}`;
    if (logits.length <= MOST_BARS) bars.show(logits, analysis.chosen, analysis.winner);
    root.dataset.ready = "true";
  });

  function set(next: number[], nextChosen: number | undefined, nextPreset?: string): void {
    logits = next;
    chosen = nextChosen !== undefined && nextChosen < logits.length ? nextChosen : undefined;
    preset = nextPreset;
    root.dataset.ready = "false";
    problem.hidden = true;
    follow.max = `${logits.length - 1}`;
    bars.root.hidden = logits.length > MOST_BARS;
    const known = PRESETS.find(({ id }) => id === preset);
    note.textContent = known?.note ?? `${logits.length} logits of your own.`;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.id === `preset-${preset}`));
    writeState({ z: preset ? undefined : logits.join(","), preset, class: chosen?.toString() });
    asker.ask({ logits, chosen });
  }

  text.addEventListener("input", () => {
    const parsed = parseLogits(text.value);
    if (Array.isArray(parsed)) set(parsed, undefined);
    else {
      problem.textContent = parsed.error;
      problem.hidden = false;
    }
  });
  follow.addEventListener("change", () => {
    const index = follow.valueAsNumber;
    set(logits, Number.isInteger(index) && index >= 0 && index < logits.length ? index : undefined, preset);
  });
  const winner = el("button", { type: "button" }, "the winner");
  winner.addEventListener("click", () => set(logits, undefined, preset));

  root.append(
    el(
      "p",
      {},
      "Move a bar, type, or paste a list. Each step of the formulas below has the value that it really has in that format. Where the answer is lost, the step is marked.",
    ),
    el("div", { className: "row", role: "group", "aria-label": "Presets" }, ...buttons),
    note,
    el(
      "label",
      { className: "field", for: "logits-text" },
      el("span", {}, "Logits, with commas or spaces between them"),
      text,
    ),
    problem,
    bars.root,
    el(
      "div",
      { className: "row" },
      el("label", { className: "field", for: "break-class" }, el("span", {}, "Class to follow"), follow),
      winner,
    ),
    result,
    tables.root,
  );

  const state = readState();
  const asked = PRESETS.find(({ id }) => id === state.get("preset"));
  const own = parseLogits(state.get("z") ?? "");
  const index = state.get("class");
  const start = asked ?? (Array.isArray(own) ? undefined : PRESETS[1]);
  set(start ? start.make() : (own as number[]), index === null ? undefined : Number(index), start?.id);
  if (logits.length <= MOST_BARS) text.value = formatLogits(logits);
}
