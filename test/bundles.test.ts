import { cpSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "vite";
import { beforeAll, describe, expect, test } from "vitest";
import { describeChromium, EMBEDDER, ISOLATED, usePages } from "./browser.ts";
import { ROOT } from "./examples.ts";
import { describeOutside, OUTSIDE } from "./outside.ts";
import { usePacked } from "./packed.ts";

/** The part of esbuild that is used here. */
interface Esbuild {
  build(
    options: object,
  ): Promise<{ metafile: { outputs: Record<string, { inputs: Record<string, { bytesInOutput: number }> }> } }>;
}
const esbuild = async (): Promise<Esbuild> => import(pathToFileURL(join(OUTSIDE, "esbuild/lib/main.js")).href);
const ESBUILD = { bundle: true, minify: true, format: "esm", logLevel: "warning", metafile: true };

interface Bundler {
  /** Bundles the page of a folder into its folder `out`. */
  page(folder: string): Promise<void>;
  /** The files of which something is in the bundle of alone.js. */
  alone(folder: string): Promise<string[]>;
}

const VITE: Bundler = {
  async page(folder) {
    await build({ root: folder, configFile: false, logLevel: "warn", build: { outDir: "out", target: "es2022" } });
  },
  async alone(folder) {
    const rolldownOptions = { input: join(folder, "alone.js") };
    const made = await build({
      root: folder,
      configFile: false,
      logLevel: "warn",
      build: { write: false, rolldownOptions },
    });
    if (!("output" in made)) throw new Error("not one output");
    return made.output.flatMap((file) =>
      file.type === "chunk"
        ? Object.keys(file.modules).filter((name) => (file.modules[name]?.renderedLength ?? 0) > 0)
        : [],
    );
  },
};

const BY_ESBUILD: Bundler = {
  async page(folder) {
    // what the docstring of createPool asks for
    const entryPoints = { main: join(folder, "main.js"), poolworker: "napier/poolworker" };
    await (await esbuild()).build({ ...ESBUILD, entryPoints, absWorkingDir: folder, outdir: "out" });
    cpSync(join(folder, "index.html"), join(folder, "out/index.html"));
  },
  async alone(folder) {
    const entryPoints = [join(folder, "alone.js")];
    const made = await (await esbuild()).build({ ...ESBUILD, entryPoints, absWorkingDir: folder, write: false });
    return Object.values(made.metafile.outputs).flatMap(({ inputs }) =>
      Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
    );
  },
};

function testBundler(bundler: Bundler): void {
  const packed = usePacked();
  beforeAll(async () => {
    for (const file of readdirSync(join(ROOT, "test/page"))) {
      cpSync(join(ROOT, "test/page", file), join(packed.folder, file));
    }
    await bundler.page(packed.folder);
  });

  const inside = (file: string): string => file.slice(file.lastIndexOf("napier/dist/") + "napier/dist/".length);
  test("logSoftmax alone brings no other family, no threads and no trainer", async () => {
    const files = (await bundler.alone(packed.folder)).filter((file) => file.includes("napier/dist/")).map(inside);
    expect(files).toContain("softmax.js");
    expect(
      files.filter((file) => /train|pool|crew|thread|naive|shared|wide|crossentropy|nll|binary|pick/.test(file)),
    ).toEqual([]);
  });

  test("the pool's worker brings no kernels: they come from the page", () => {
    const out = join(packed.folder, "out");
    const [worker] = (readdirSync(out, { recursive: true }) as string[]).filter((file) =>
      /poolworker.*\.js$/.test(file),
    );
    expect(statSync(join(out, worker)).size).toBeLessThan(10_000);
  });

  describeChromium("in headless Chromium", () => {
    const said = usePages((path) => {
      const alone = path.startsWith("/alone/");
      const file = join(packed.folder, "out", alone ? path.slice("/alone".length) : path);
      return { body: readFileSync(file), headers: path.endsWith(".js") ? EMBEDDER : alone ? {} : ISOLATED };
    });
    const RESULTS = {
      logSoftmax: [-4.248354255291589e-18, -40],
      grad: { loss: 4.248354255291589e-18, dlogits: [-4.248354255291589e-18, 4.248354255291589e-18] },
      same: true,
      labels: ["low", "low", "high", "high"],
    };
    test("on a page that is cross-origin isolated it computes, a pool of two threads included", async () => {
      expect(JSON.parse(await said("/index.html"))).toEqual({ ...RESULTS, isolated: true, threads: 2, helped: true });
    });
    test("elsewhere it computes the same, and the pool says why it has one thread", async () => {
      expect(JSON.parse(await said("/alone/index.html"))).toEqual({
        ...{ ...RESULTS, isolated: false, threads: 1, helped: false },
        reason: expect.stringMatching(/^the page is not cross-origin isolated, /),
      });
    });
  });
}

describe("bundled by Vite", () => testBundler(VITE));
describeOutside("bundled by esbuild", () => testBundler(BY_ESBUILD));
