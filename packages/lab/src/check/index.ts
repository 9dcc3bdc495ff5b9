import { count } from "../../../cli/src/words.ts";
import { el } from "../dom.ts";
import { startWorker } from "../work.ts";
import { factsTable, formatsTable, verdict } from "./report.ts";
import type { Reply, Request } from "./worker.ts";

/** Builds the section's controls inside `root`. */
export function mountCheck(root: HTMLElement): void {
  let file: File | undefined;
  let post: ((request: Request) => void) | undefined;

  const input = el("input", { id: "check-file", type: "file", accept: ".npy,.csv,.onnx" });
  const drop = el(
    "label",
    { className: "drop", for: "check-file" },
    el(
      "span",
      {},
      "Drop a .npy or .csv file of logits here, or choose one: a row for each sample, a column for each class. Or a model.onnx that Napier has written",
    ),
    input,
  );
  const target = el("select", { id: "check-target" });
  const choice = el(
    "label",
    { className: "field", for: "check-target", hidden: true },
    el("span", {}, "The column with the true classes"),
    target,
  );
  const status = el("p", { id: "check-status", role: "status" });
  const problem = el("p", { id: "check-problem", className: "bad message", role: "alert", hidden: true });
  const result = el("div", { id: "check-result" });

  function show(reply: Reply): void {
    if (reply.kind === "rows") {
      status.textContent = `${count(reply.rows)} rows are checked …`;
      return;
    }
    root.dataset.ready = "true";
    if (reply.kind === "error") {
      status.textContent = "";
      problem.textContent = `${reply.message}${reply.hint ? `; ${reply.hint}` : ""}`;
      problem.hidden = false;
      return;
    }
    if (reply.kind === "model") {
      status.textContent = "A model that Napier has written.";
      choice.hidden = true;
      result.replaceChildren(factsTable(reply.facts));
      return;
    }
    const { findings, text, columns } = reply;
    status.textContent = verdict(findings);
    const chosen = target.value;
    target.replaceChildren(
      el("option", { value: "" }, "none"),
      ...columns.map((name) => el("option", { value: name }, name)),
    );
    target.value = columns.includes(chosen) ? chosen : "";
    choice.hidden = columns.length === 0;
    result.replaceChildren(
      el(
        "div",
        { className: "scroll", tabIndex: 0, role: "region", "aria-label": "What the formulas would break" },
        formatsTable(findings),
      ),
      el(
        "details",
        {},
        el("summary", {}, "As napier check prints it"),
        el("pre", { className: "scroll", tabIndex: 0 }, text),
      ),
    );
  }

  function check(): void {
    if (file === undefined) return;
    root.dataset.ready = "false";
    problem.hidden = true;
    result.replaceChildren();
    status.textContent = "reading …";
    post ??= startWorker<Request, Reply>("check", show);
    const request: Request = { file, target: target.value === "" ? undefined : target.value };
    post(request);
  }

  function take(files: FileList | null | undefined): void {
    if (!files || files.length === 0) return;
    file = files[0];
    target.replaceChildren(el("option", { value: "" }, "none"));
    check();
  }

  input.addEventListener("change", () => take(input.files));
  target.addEventListener("change", check);
  for (const kind of ["dragover", "drop"] as const) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop") take(event.dataTransfer?.files);
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));

  root.append(
    el(
      "p",
      {},
      "Have logits of your own? See which rows are broken, which ones log(softmax(x)) would break, and whose winner it or the usual formula loses. The file is read by this page alone: nothing leaves your machine.",
    ),
    drop,
    choice,
    problem,
    status,
    result,
  );
}
