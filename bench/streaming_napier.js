// Trains on a table that is streamed, as napier train does: path, threads. Prints the seconds of each pass but the first and the peak of resident bytes.
import { hold, openSource } from "@napier/cli";
import { createPool } from "napier/pool";
import { fit } from "napier/train";

const ITERATIONS = 5;
const [path, threads] = process.argv.slice(2);
const source = await hold(await openSource(path, { target: "label" }), { random: false });
const pool = createPool({ threads: Number(threads) });
const ends = [];
const onProgress = ({ kind }) => {
  if (kind === "iteration") ends.push(performance.now());
};
const { features } = source;
await fit({ source, features, optimizer: "lbfgs", maxIterations: ITERATIONS, pool, onProgress });
await pool.close();
await source.close();
const passes = ends.slice(1).map((end, k) => (end - ends[k]) / 1000);
console.log(JSON.stringify({ passes, resident: process.resourceUsage().maxRSS * 1024 }));
