/** Builds the section's controls inside `root`. */
export function mountTrain(root: HTMLElement): void {
  root.dataset.ready = "true";
}
