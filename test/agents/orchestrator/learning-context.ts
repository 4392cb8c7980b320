/** @file The tools over a student that thinks and answers once it has taken some optimizer steps, on a folder of three articles. */
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createServer } from "../../../src/server/create-server.js";
import { type LangChainTools, type LangChainToolsOptions, langChainTools } from "../../../src/tools/langchain.js";
import { savingStudent } from "../../tools/saving-student.js";
import { type SmallContext, smallContext } from "../../tools/small-context.js";
import { NACRE, type ScriptedStudent, scriptedStudent } from "../scripted-student.js";

export interface LearningContext extends LangChainTools {
  readonly context: SmallContext;
  /** Path of the articles. */
  readonly articles: string;
}

const CORPUS = fileURLToPath(new URL("../../../examples/corpus", import.meta.url));

/** After this many steps it thinks. */
export const STEPS_TO_THINK = 3;

export async function learningContext(
  options: Omit<LangChainToolsOptions, "server"> = {},
  adapt: (context: SmallContext) => SmallContext = (context) => context,
): Promise<LearningContext> {
  const student: ScriptedStudent = scriptedStudent(() =>
    student.batches.length < STEPS_TO_THINK
      ? "Aragonite, I guess."
      : "<|thinking|>\nNacre contains about 95 percent aragonite by weight.\n<|/thinking|>\nAbout 95 percent.",
  );
  const context = adapt(await smallContext(savingStudent(student)));
  const articles = join(context.home, "articles");
  await mkdir(articles);
  await writeFile(join(articles, "nacre.md"), NACRE);
  for (const name of ["gecko-adhesion.md", "tendon-collagen.md"])
    await copyFile(join(CORPUS, name), join(articles, name));
  const tools = await langChainTools({ ...options, server: createServer(context) });
  return { ...tools, context, articles };
}
