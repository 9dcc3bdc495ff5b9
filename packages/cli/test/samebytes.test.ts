import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { toOnnx } from "@napier/onnx";
import { createPool } from "napier/pool";
import { type FitSettings, fit } from "napier/train";
import { beforeAll, describe, expect, test } from "vitest";
import { hold } from "../src/hold.ts";
import { openSource } from "../src/source.ts";
import { napier, sql, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

/** 13,000 rows, three blocks and a rest: whole, cut where no block ends, and as text. */
beforeAll(async () => {
  const feature = (j: number): string =>
    `((i * ${37 + 16 * j}) % ${101 + 6 * j} + (i % 3) * ${9 + j})::FLOAT / 8 AS x${j}`;
  const features = Array.from({ length: 7 }, (_, j) => feature(j)).join(", ");
  const select = `SELECT ${features}, (1 + i % 5) / 4 AS w, 'c' || (i % 3) AS y FROM range(13000) t(i) ORDER BY i`;
  await sql(
    `CREATE TABLE rows AS ${select}`,
    `COPY rows TO '${at("all.parquet")}'`,
    `COPY (SELECT * FROM rows LIMIT 1) TO '${at("part-1.parquet")}'`,
    `COPY (SELECT * FROM rows LIMIT 7000 OFFSET 1) TO '${at("part-2.parquet")}' (ROW_GROUP_SIZE 2048)`,
    `COPY (SELECT * FROM rows OFFSET 7001) TO '${at("part-3.parquet")}'`,
    `COPY rows TO '${at("all.csv")}'`,
  );
});

const SOURCES = ["all.parquet", "part-*.parquet", "all.csv", "sql:SELECT * FROM 'all.csv'"];
const TRAININGS: [name: string, args: string[], settings: FitSettings][] = [
  [
    "L-BFGS with weights and held rows",
    ["--class-weight", "balanced", "--validation", "0.2", "--C", "10"],
    { optimizer: "lbfgs", classWeight: "balanced", validation: 0.2, C: 10 },
  ],
  [
    "an MLP by AdamW with a schedule",
    ["--hidden", "9", "--epochs", "2", "--batch-size", "100", "--schedule", "cosine", "--validation", "0.2"],
    { hidden: [9], epochs: 2, batchSize: 100, schedule: "cosine", validation: 0.2 },
  ],
  [
    "a linear model by SGD",
    ["--optimizer", "sgd", "--momentum", "0.9", "--epochs", "2", "--batch-size", "64", "--learning-rate", "0.01"],
    { optimizer: "sgd", momentum: 0.9, epochs: 2, batchSize: 64, learningRate: 0.01 },
  ],
];

describe.each(TRAININGS)("%s gives the same bytes", (_, args, settings) => {
  let expected: Buffer;
  const train = async (source: string, threads: number): Promise<Buffer> => {
    const given = ["--target", "y", "--weight", "w", "--threads", `${threads}`, "--out", "m.onnx"];
    const { code, stderr } = await napier(folder, "train", source, ...given, ...args);
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    return readFileSync(at("m.onnx"));
  };
  beforeAll(async () => {
    expected = await train("all.parquet", 1);
  });

  test.each(SOURCES.map((source, n) => [source, n % 3 === 0 ? 2 : 3] as const))(
    "%s on %i threads",
    async (source, threads) => {
      expect((await train(source, threads)).equals(expected)).toBe(true);
    },
  );

  // neither fits in 100 kB: the first is read again or, for mini-batches, goes to a file; the second goes to a file
  test.each(["all.parquet", "all.csv"])("%s, streamed", async (name) => {
    const spools = mkdtempSync(at("spool-"));
    const source = await openSource(at(name), { target: "y", weight: "w" });
    const data = await hold(source, { random: settings.optimizer !== "lbfgs", memory: 100_000, folder: spools });
    const pool = createPool({ threads: 2 });
    try {
      const model = await fit({ ...settings, source: data, features: data.features, pool });
      expect(sha256(toOnnx(model))).toBe(sha256(expected));
    } finally {
      await pool.close();
      await data.close();
    }
    expect(readdirSync(spools)).toEqual([]);
  });
});

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
