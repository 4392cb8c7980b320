/** @file Who says whether a student's sample is right: an environment's checker, or a judge that reads the chosen answer. */
import type { Environment } from "../environments/environment.js";
import { answerAlone, type Judge } from "../judge.js";
import type { SampleJudge } from "./rejected-rule.js";
import { normalizedQuestion } from "./round-pairs.js";

/** Marks chosen and rejected by the checker; both verdicts are kept with the pair. */
export function checkerJudge(environment: Environment, onlyWrong: boolean): SampleJudge {
  const byText = new Map(
    environment.questions("train").map((question) => [normalizedQuestion(question.text), question]),
  );
  return {
    onlyWrong,
    judge({ question, chosen }, reply) {
      const asked = byText.get(normalizedQuestion(question));
      if (asked === undefined) throw new Error(`internal: the question is none of the environment's: ${question}`);
      const rejected = environment.check(asked, reply);
      return { right: rejected.right, record: { chosen: environment.check(asked, chosen), rejected } };
    },
  };
}

/** The chosen answer is the reference; a judge that fails leaves the sample unjudged. */
export function referenceJudge(judge: Judge, onlyWrong: boolean): SampleJudge {
  return {
    onlyWrong,
    async judge({ question, answer }, reply, signal) {
      const said = answerAlone(reply);
      const { verdict, reason } =
        said === ""
          ? ({ verdict: "wrong", reason: "the reply has no answer" } as const)
          : await judge.judgeAnswer({ question, answer: said, reference: answer }, signal);
      const right = verdict === "unjudged" ? undefined : verdict === "right";
      return { right, record: { rejected: { ...(right !== undefined && { right }), reason }, judge: judge.name } };
    },
  };
}
