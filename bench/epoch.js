// An epoch of an MLP 784-128-10 on MNIST, batch 128, AdamW: the second of two, because the first warms up.
import { fit } from "napier/train";
import { median, min } from "./clock.js";
import { mnist, mnistFiles } from "./data.js";

const JOB = { hidden: 128, epochs: 2, batchSize: 128 };

async function ours(train, test) {
  const { hidden, epochs, batchSize } = JOB;
  let seconds = 0;
  const onProgress = (progress) => {
    if (progress.kind === "epoch") seconds = progress.seconds;
  };
  const model = await fit({ ...train, hidden: [hidden], epochs, batchSize, scale: "none", seed: 1, onProgress });
  const right = model.predict(test.x).filter((label, i) => label === test.y[i]).length;
  return { seconds, accuracy: right / test.y.length };
}

/** @returns by name { min, median, accuracy }: seconds, and the share of the test images after both epochs */
export async function raceEpochs(peers, rounds) {
  const train = mnist("train");
  const test = mnist("test");
  const runners = {
    Napier: () => ours(train, test),
    ...Object.fromEntries(
      peers
        .filter(({ name }) => name.startsWith("PyTorch"))
        .map(({ name, ask }) => [
          name,
          async () => {
            const { seconds, accuracy } = await ask({ work: "epochs", ...JOB, files: mnistFiles() });
            return { seconds: seconds.at(-1), accuracy };
          },
        ]),
    ),
  };
  const runs = {};
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(runners)) {
      runs[name] ??= [];
      runs[name].push(await run());
    }
  }
  return Object.fromEntries(
    Object.entries(runs).map(([name, list]) => {
      const seconds = list.map((run) => run.seconds);
      return [name, { min: min(seconds), median: median(seconds), accuracy: list[0].accuracy }];
    }),
  );
}
