import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "examples/*/test/**/*.test.ts", "test/**/*.test.ts"],
    reporters: ["default", "./test/reporter.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Vitest's default leaves a core to itself: on 2 cores the suite took 12 minutes
    maxWorkers: "100%",
  },
});
