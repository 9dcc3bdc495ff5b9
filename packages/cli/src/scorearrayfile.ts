import { inputError } from "./errors.ts";
import { openNpy } from "./npy.ts";
import { indexBytes, logitBytes, scoresOf } from "./scorearray.ts";
import type { Scores, ScoresOptions } from "./scores.ts";

/** Logits of a .npy file; its size and that of its targets agree with their headers. */
export async function openScoreArray(name: string, { targets, exclude }: ScoresOptions): Promise<Scores> {
  if (exclude !== undefined) throw inputError(`--exclude: ${name} has no columns`);
  const file = await openNpy(name, (header) => logitBytes(name, header));
  try {
    return await scoresOf(file, async () => {
      if (targets === undefined) return undefined;
      if (!/\.npy$/i.test(targets)) {
        throw inputError(`--targets ${targets}: expected a .npy file, for ${name} has no columns`);
      }
      return openNpy(targets, (header) => indexBytes(targets, header));
    });
  } catch (error) {
    await file.close();
    throw error;
  }
}
