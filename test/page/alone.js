// One function; bundles.test.ts looks at what comes with it.
import { logSoftmax } from "napier";

console.log(logSoftmax([40, 0])[0]);
