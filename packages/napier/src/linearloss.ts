export { linearCrossEntropy, linearCrossEntropyWithGrad } from "./linearcrossentropy.ts";
