let quiet = false;

/** From here on there are no notes and no progress; results and errors stay. */
export function beQuiet(): void {
  quiet = true;
}

export const isQuiet = (): boolean => quiet;
