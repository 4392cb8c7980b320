/** @file A small assistant by rules: it sees what any MCP client sees, knows no tool by name, and does what texts tell it to. */
import { setTimeout as sleep } from "node:timers/promises";
import { argumentsFor, correctedBy } from "./assistant-arguments.js";
import { type Advice, namedValues, readAdvice, type ToolListing, toolForWish } from "./assistant-reading.js";

export type Args = Readonly<Record<string, unknown>>;

/** What a client hands to its model. */
export interface Desk {
  readonly tools: readonly ToolListing[];
  call(name: string, args: Args): Promise<Answer>;
}

export interface Answer {
  readonly isError: boolean;
  readonly text: string;
  readonly structured?: Args;
}

export interface Goal {
  /** In the user's words, one after another. */
  readonly wishes: readonly string[];
  /** What the user knows, by the words that they would use, such as { folder: "/home/me/docs" }. */
  readonly facts?: Args;
  /** The tool that the assistant takes for the first wish, rightly or not. */
  readonly beginsWith?: string;
  /** Does not wait for work that goes on. */
  readonly leaves?: boolean;
  /** What the user says where a text tells the assistant to ask them; default: yes. */
  readonly consents?: boolean;
}

export interface Step {
  readonly tool: string;
  readonly args: Args;
  readonly answer: Answer;
}

export interface Work {
  readonly steps: readonly Step[];
  /** The answers that fulfilled the wishes, one each. */
  readonly results: readonly Answer[];
}

/** A call to make; those below it wait for it. */
interface Intent {
  readonly tool: string;
  /** What texts said about this call. */
  readonly hints: Args;
  /** The arguments as an error corrected them; nothing is filled in. */
  readonly exactly?: Args;
}

/** An assistant that is not done after so many calls gives up. */
const PATIENCE = 80;
/** A call that failed so often with the same arguments will fail again. */
const MOST_FAILURES = 3;
/** In the message of an assistant that is stuck. */
const SHOWN_STEPS = 8;
/** Between two looks at work that goes on. */
const LOOK_AGAIN_MS = 100;

/** Throws what it was stuck at, with every step before. */
export function assist(desk: Desk, goal: Goal): Promise<Work> {
  return new Assistant(desk, goal).work();
}

class Assistant {
  readonly #steps: Step[] = [];
  #learned: Args = {};

  constructor(
    private readonly desk: Desk,
    private readonly goal: Goal,
  ) {}

  async work(): Promise<Work> {
    const results: Answer[] = [];
    for (const [i, wish] of this.goal.wishes.entries()) {
      const first = i === 0 ? this.goal.beginsWith : undefined;
      const tool = first ?? toolForWish(this.desk, wish);
      // The last answer may have said how to make this call.
      const said = results.length === 0 ? [] : readAdvice(results.at(-1) as Answer, []).texts;
      results.push(await this.#fulfil(wish, { tool, hints: { ...this.#trial(tool), ...this.#named(tool, said) } }));
    }
    return { steps: this.#steps, results };
  }

  async #fulfil(wish: string, first: Intent): Promise<Answer> {
    const agenda: Intent[] = [first];
    for (;;) {
      const intent = agenda.at(-1) as Intent;
      const step = await this.#call(intent, wish);
      const advice = readAdvice(step.answer, this.desk.tools);
      if (step.answer.isError || advice.wentWrong) this.#recover(agenda, intent, step, advice);
      else if (step.args["dry_run"] === true) agenda[agenda.length - 1] = this.#inEarnest(intent, advice);
      else if (advice.goesOn && this.goal.leaves !== true) await this.#follow(agenda, intent, advice);
      else if (agenda.length === 1) return step.answer;
      else this.#goBack(agenda, advice);
    }
  }

  async #call({ tool, hints, exactly }: Intent, wish: string): Promise<Step> {
    if (this.#steps.length >= PATIENCE) throw this.#stuck(`not done after ${PATIENCE} calls`);
    const { facts = {} } = this.goal;
    const args = exactly ?? argumentsFor(this.#listing(tool), { facts, learned: this.#learned, hints, wish });
    const step = { tool, args, answer: await this.desk.call(tool, args) };
    this.#steps.push(step);
    if (!step.answer.isError) this.#learned = { ...this.#learned, ...readAdvice(step.answer, []).facts };
    return step;
  }

  /** Does what a failure says: corrects the call, or makes another one first. */
  #recover(agenda: Intent[], intent: Intent, { args, answer }: Step, { tools, texts }: Advice): void {
    const { text } = answer;
    if (/\bask the user\b/i.test(text) && this.goal.consents === false)
      throw this.#stuck(`the user says no to "${text}"`);
    const failures = this.#steps.filter((step) => step.answer.isError && isSameCall(step, intent.tool, args)).length;
    if (failures >= MOST_FAILURES) throw this.#stuck(`${intent.tool} says "${text}"`);
    if (/\bthe user (?:said no|put the question away)\b/.test(text)) throw this.#stuck(text);
    const fixed = correctedBy(this.#listing(intent.tool), args, text);
    if (fixed !== undefined && !this.#wasCalled(intent.tool, fixed)) {
      agenda[agenda.length - 1] = { tool: intent.tool, hints: intent.hints, exactly: fixed };
      return;
    }
    const other = tools.find((name) => name !== intent.tool && !agenda.some(({ tool }) => tool === name));
    if (other !== undefined)
      agenda.push({ tool: other, hints: { ...this.#trial(other), ...this.#named(other, texts) } });
    else throw this.#stuck(`${intent.tool} says "${text}"`);
  }

  /** To the call that waited, with what was just said about it. */
  #goBack(agenda: Intent[], { texts }: Advice): void {
    agenda.pop();
    const { tool, hints, exactly } = agenda.at(-1) as Intent;
    const said = this.#named(tool, texts);
    agenda[agenda.length - 1] = {
      tool,
      hints: { ...hints, ...said },
      ...(exactly && { exactly: { ...exactly, ...said } }),
    };
  }

  /** Looks again at work that goes on, with the tool that the text names. */
  async #follow(agenda: Intent[], intent: Intent, { tools, texts }: Advice): Promise<void> {
    await sleep(LOOK_AGAIN_MS);
    const tool = tools[0] ?? intent.tool;
    agenda[agenda.length - 1] = { tool, hints: this.#named(tool, texts) };
  }

  /** A call is tried first where its description says so. */
  #trial(tool: string): Args {
    return namedValues(this.#listing(tool), [
      /[^.]*\bdry_run: true first\b/.exec(this.#listing(tool).description ?? "")?.[0] ?? "",
    ]);
  }

  #inEarnest({ tool, hints, exactly }: Intent, { texts }: Advice): Intent {
    const earnest = { ...this.#named(tool, texts), dry_run: false };
    return { tool, hints: { ...hints, ...earnest }, ...(exactly && { exactly: { ...exactly, ...earnest } }) };
  }

  #named(tool: string, texts: readonly string[]): Args {
    return namedValues(this.#listing(tool), texts);
  }

  #wasCalled(tool: string, args: Args): boolean {
    return this.#steps.some((step) => isSameCall(step, tool, args));
  }

  #listing(tool: string): ToolListing {
    const listing = this.desk.tools.find(({ name }) => name === tool);
    if (listing === undefined) throw this.#stuck(`told to call ${tool}, which is not listed`);
    return listing;
  }

  #stuck(why: string): Error {
    const steps = this.#steps
      .slice(-SHOWN_STEPS)
      .map(({ tool, args, answer }) => `${tool} ${JSON.stringify(args)}\n  -> ${answer.text.slice(0, 300)}`);
    return new Error(`the assistant is stuck: ${why}\n${steps.join("\n")}`);
  }
}

const isSameCall = (step: Step, tool: string, args: Args): boolean =>
  step.tool === tool && JSON.stringify(step.args) === JSON.stringify(args);
