/** @file The door of the runtime room. */
export { CallProcess, toldError } from "./call-process.js";
export { type ChosenDevice, type Device, type DeviceChoice, resolveDevice } from "./device.js";
export { type DeviceReport, type DeviceStatus, deviceReport } from "./device-report.js";
export { type ChosenPrecision, choosePrecision, type Precision, type PrecisionChoice } from "./precision.js";
export { stepNoise, uniform, uniforms } from "./random.js";
export { type Feed, type FeedData, type Feeds, openSession, type Program, type SessionOptions } from "./session.js";
