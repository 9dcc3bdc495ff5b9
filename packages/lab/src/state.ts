/** What each section shows, in the address bar: a link reproduces it. Keys are of one section alone. */
export function readState(): URLSearchParams {
  return new URLSearchParams(location.hash.slice(1));
}

/** Sets these keys, or removes those that are undefined; no step back in the history is added. */
export function writeState(values: Readonly<Record<string, string | undefined>>): void {
  const state = readState();
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) state.delete(key);
    else state.set(key, value);
  }
  const text = state.toString();
  history.replaceState(null, "", text === "" ? location.pathname + location.search : `#${text}`);
}
