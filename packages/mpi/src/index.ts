export { type Communicator, type ConnectOptions, connect } from "./communicator.ts";
export { type Family, type Launched, launched, notConnected } from "./launched.ts";
