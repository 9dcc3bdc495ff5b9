// Prints the bytes by which this process grows in linearCrossEntropyWithGrad; the shape comes on stdin.
import { readFileSync } from "node:fs";
import { linearCall, linearProblem } from "./linear.js";
import { grown } from "./memory.js";

const shape = JSON.parse(readFileSync(0, "utf8"));
linearCall(linearProblem({ ...shape, classes: 100 })); // what is compiled and loaded once is no extra memory
const problem = linearProblem(shape);
let result; // alive until the peak is read
const bytes = await grown(() => {
  result = linearCall(problem);
});
if (!(result.loss > 0)) throw new Error("no loss");
console.log(bytes);
