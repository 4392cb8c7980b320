/** @file The door of the generate room: text in, text out. */
export { openTextModel } from "./open-text-model.js";
export { TextRequestError } from "./request-error.js";
export type {
  ChatRequest,
  GeneratedToken,
  OpenTextModelOptions,
  PreparedRequest,
  RawRequest,
  RequestProblem,
  TextMessage,
  TextModel,
  TextOptions,
  TextPart,
  TextReply,
  TextRequest,
  TextSampling,
  TextUsage,
  ToolCall,
  ToolDefinition,
} from "./types.js";
