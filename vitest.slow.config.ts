import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.slow.ts", "test/**/*.slow.ts"],
    reporters: ["default", "./test/reporter.ts"],
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    passWithNoTests: true,
  },
});
