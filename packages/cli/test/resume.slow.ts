import { beforeAll, test } from "vitest";
import { temporaryFolder } from "./command.ts";
import { killAndResume, SEED, TRAININGS, writeRows } from "./killed.ts";

const folder = temporaryFolder();
beforeAll(() => writeRows(folder));

test.each(TRAININGS)(`%s, killed 25 times, seed ${SEED}`, async (_, args) => {
  await killAndResume(folder, args, 25, SEED);
});
