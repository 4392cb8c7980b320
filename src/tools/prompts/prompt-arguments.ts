/** @file Arguments of prompts: strings, completed from what is there, and refused with what would be right. */
import { completable, ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import { z } from "zod";
import { RunDirectoryError } from "../../agents/index.js";
import { BUILT_IN_WORLD } from "../active-corpus.js";
import { runIds } from "../resources/run-resources.js";
import type { ToolContext } from "../tool-context.js";
import { NoSuchRunError } from "../views/index.js";

export const runArgument = ({ home }: ToolContext) =>
  completable(z.string().describe("Id of the run, as list-runs gives it"), (begun) => runIds(home, begun));

/** The built-in world, and what was ingested last. */
export const corpusArgument = (context: ToolContext) =>
  completable(
    z.string().describe("Folder, file or glob of the user's text; without it, the corpus that is active"),
    async (begun) => {
      const active = await context.activeCorpus();
      const known = [...new Set([...(active === undefined ? [] : [active.path]), BUILT_IN_WORLD])];
      return known.filter((path) => path.startsWith(begun));
    },
  );

/** What people begin with; any directory or hub id of a causal language model will do. */
const MODELS = [
  "HuggingFaceTB/SmolLM2-135M-Instruct",
  "HuggingFaceTB/SmolLM2-360M-Instruct",
  "Qwen/Qwen2.5-0.5B-Instruct",
] as const;

/** And the models of earlier runs, the latest first. */
export const modelArgument = (models: () => Promise<readonly string[]>) =>
  completable(
    z.string().describe("Model that learns: a directory or a hub id; without it, the server's own"),
    async (begun) => [...new Set([...(await models()), ...MODELS])].filter((model) => model.startsWith(begun)),
  );

export const wholeArgument = (name: string, text: string | undefined, fallback: number, most: number): number => {
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new ProtocolError(
    ProtocolErrorCode.InvalidParams,
    `${name}: expected a whole number from 1 to ${most}, found ${JSON.stringify(text.slice(0, 40))}`,
  );
};

/** A run that is not there is the caller's mistake, and the message says where the ids are. */
export async function orInvalid<T>(read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof NoSuchRunError || error instanceof RunDirectoryError)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, error.message);
    throw error;
  }
}
