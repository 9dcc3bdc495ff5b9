/** Builds the section's controls inside `root`. */
export function mountExplain(root: HTMLElement): void {
  root.dataset.ready = "true";
}
