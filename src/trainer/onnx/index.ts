/** @file The door of the onnx room. */
export { encodeModel, opsOf } from "./encode-model.js";
export { MessageWriter } from "./protobuf.js";
