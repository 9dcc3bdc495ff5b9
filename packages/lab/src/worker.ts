/** The work of all sections, each in a worker of its own: one script, so that the kernels are fetched once. */
const SECTIONS: Record<string, () => Promise<{ handle: (data: never) => unknown }>> = {
  break: () => import("./break/worker.ts"),
  train: () => import("./train/worker.ts"),
  check: () => import("./check/worker.ts"),
};

const section = SECTIONS[self.name]();

addEventListener("message", async (event) => {
  (await section).handle((event as MessageEvent<never>).data);
});
