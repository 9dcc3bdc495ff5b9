import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as napier from "napier";
import * as linear from "napier/linear";
import * as naive from "napier/naive";
import { beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "./examples.ts";
import { describeOutside, OUTSIDE } from "./outside.ts";
import { usePacked } from "./packed.ts";

const json = (path: string) => JSON.parse(readFileSync(join(ROOT, path), "utf8"));

describe("package.json files", () => {
  test("the library has no dependencies of any kind", () => {
    const { dependencies, peerDependencies, optionalDependencies } = json("packages/napier/package.json");
    expect([dependencies, peerDependencies, optionalDependencies]).toEqual([undefined, undefined, undefined]);
  });
  test("the root has these scripts and no others", () => {
    const scripts = ["build", "check", "test", "test:slow", "bench", "gen", "start"];
    expect(Object.keys(json("package.json").scripts).sort()).toEqual(scripts.sort());
  });
  test("dev versions are exact", () => {
    for (const path of [
      "",
      "packages/napier/",
      "packages/onnx/",
      "packages/cli/",
      "packages/lab/",
      "packages/mpi/",
      "examples/mnist/",
      "examples/head/",
      "examples/resume/",
    ]) {
      for (const [name, version] of Object.entries(json(`${path}package.json`).devDependencies ?? {})) {
        expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
      }
    }
  });
  test("every package is ESM, MIT, and asks for Node 20.19", () => {
    for (const name of ["napier", "onnx", "cli", "lab", "mpi"]) {
      const { type, license, engines } = json(`packages/${name}/package.json`);
      expect({ type, license, engines }).toEqual({ type: "module", license: "MIT", engines: { node: ">=20.19" } });
    }
  });
  test("versions of what tests and gen use from outside are exact, and CI installs it", () => {
    const versions = Object.values(json("outside/package.json").dependencies);
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(String(version)))).toEqual([]);
    expect(readFileSync(join(ROOT, ".ci/run"), "utf8")).toContain("npm ci --prefix outside");
  });
  test.each(["", "outside/", "runtimes/"])("%spackage-lock.json names no registry host", (folder) => {
    expect(readFileSync(join(ROOT, `${folder}package-lock.json`), "utf8")).not.toMatch(/"resolved": "http/);
  });
});

describe("the packed library in an empty folder", () => {
  const packed = usePacked();
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { cwd: packed.folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

  test("holds no tests, no references, no sources", () => {
    const files = run("find", "node_modules/napier", "-type", "f").split("\n");
    expect(files.filter((file) => /\.ref\.|\/test\/|\/src\/|tsbuildinfo/.test(file))).toEqual([]);
    expect(files).toContain("node_modules/napier/LICENSE");
    expect(files).toContain("node_modules/napier/README.md");
  });

  const CODE = "console.log(logSoftmax([40, 0])[0], logOfSoftmax([1000, 0], 'f32').exp[0], typeof fit)";
  const EXPECTED = "-4.248354255291589e-18 Infinity function\n";
  test("import", () => {
    writeFileSync(
      join(packed.folder, "a.mjs"),
      `import { logSoftmax } from "napier"; import { logOfSoftmax } from "napier/naive"; import { fit } from "napier/train"; ${CODE}`,
    );
    expect(run(process.execPath, "a.mjs")).toBe(EXPECTED);
  });
  test("require", () => {
    writeFileSync(
      join(packed.folder, "a.cjs"),
      `const { logSoftmax } = require("napier"); const { logOfSoftmax } = require("napier/naive"); const { fit } = require("napier/train"); ${CODE}`,
    );
    expect(run(process.execPath, "a.cjs")).toBe(EXPECTED);
  });

  describe("types", () => {
    const TYPES = join(ROOT, "test/types");
    const OURS = join(ROOT, "node_modules/typescript/bin/tsc");
    const NODE = { types: ["node"], typeRoots: [join(ROOT, "node_modules/@types")] };
    const DOM = { lib: ["es2023", "dom"] };
    let folder: string;
    beforeAll(() => {
      folder = join(packed.folder, "types");
      cpSync(TYPES, folder, { recursive: true });
      writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    });
    /** What tsc says of a file of test/types, by default without node or DOM types. */
    function complaints(file: string, options: object = {}, compiler = OURS): string {
      const strict = { noEmit: true, strict: true, module: "nodenext", target: "es2022", lib: ["es2023"], types: [] };
      const config = { compilerOptions: { ...strict, ...options }, files: [file] };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
      return spawnSync(process.execPath, [compiler, "-p", folder], { encoding: "utf8" }).stdout;
    }
    /** A package that an import of these files means. */
    function link(name: string, at: string): void {
      mkdirSync(dirname(join(packed.folder, "node_modules", name)), { recursive: true });
      symlinkSync(join(at, name), join(packed.folder, "node_modules", name));
    }
    test("what comes in comes out, without node or DOM types of the caller's", () => {
      expect(complaints("operations.ts")).toBe("");
    });
    test("every public operation is in that file", () => {
      const text = readFileSync(join(TYPES, "operations.ts"), "utf8").replace(/^import [^;]*;/gm, "");
      const names = [
        ...Object.keys({ ...napier, ...linear }),
        ...Object.keys(naive).filter((name) => !(name in napier)),
      ];
      expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
    });
    test("a model gives its labels' type, with DOM types or node's", () => {
      expect(complaints("train.ts", DOM)).toBe("");
      expect(complaints("train.ts", NODE)).toBe("");
    });
    test("tensors of onnxruntime-web are taken, whatever their type says of their data", () => {
      link("onnxruntime-web", join(ROOT, "node_modules"));
      expect(complaints("onnxruntime.ts", { ...DOM, skipLibCheck: true })).toBe("");
    });

    describeOutside("of others", () => {
      test("tensors of transformers.js are taken", () => {
        link("@huggingface/transformers", OUTSIDE);
        expect(complaints("transformers.ts", { ...DOM, skipLibCheck: true })).toBe("");
      });
      test("TypeScript 6 says the same of the operations", () => {
        expect(complaints("operations.ts", {}, join(OUTSIDE, "typescript/bin/tsc"))).toBe("");
      });
    });
  });

  describeOutside("for others' tools", () => {
    const tool = (name: string, ...args: string[]) => {
      const { status, stdout } = spawnSync(join(OUTSIDE, ".bin", name), [...args, packed.tarball], {
        encoding: "utf8",
      });
      return { status, stdout };
    };
    test("publint has nothing to say, not even a suggestion", () => {
      expect(tool("publint", "--strict", "--level", "suggestion")).toEqual({
        status: 0,
        stdout: expect.stringContaining("All good!"),
      });
    });
    test("are the types wrong? No, for ESM, which is all there is", () => {
      expect(tool("attw", "--profile", "esm-only")).toMatchObject({ status: 0 });
    });
  });
});
