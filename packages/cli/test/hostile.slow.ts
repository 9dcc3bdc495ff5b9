import { beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "./command.ts";
import { ALIKE, FORMATS, fuzz, prepare } from "./hostile.ts";

const folder = temporaryFolder();
beforeAll(() => prepare(folder));

describe.concurrent("300 mutations of the formats that are alike", () => {
  test.each(ALIKE)(
    "%s",
    async (format) => {
      const [read, refused] = await fuzz(folder, format, 4, 304);
      expect([read > 0, refused > 30]).toEqual([true, true]);
    },
    900_000,
  );
});

describe.concurrent("300 mutations of each format", () => {
  test.each(FORMATS)(
    "%s",
    async (format) => {
      const [read, refused] = await fuzz(folder, format, 30, 330);
      expect([read > 0, refused > 30]).toEqual([true, true]);
    },
    900_000,
  );
});
