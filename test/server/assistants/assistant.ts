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
}

/** An assistant that is not done after so many calls gives up. */
const PATIENCE = 80;
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
      results.push(await this.#fulfil(wish, first ?? toolForWish(this.desk, wish)));
    }
    return { steps: this.#steps, results };
  }

  async #fulfil(wish: string, tool: string): Promise<Answer> {
    const agenda: Intent[] = [{ tool, hints: this.#trial(tool) }];
    for (;;) {
      const intent = agenda.at(-1) as Intent;
      const step = await this.#call(intent, wish);
      const advice = readAdvice(step.answer, this.desk.tools);
      if (step.answer.isError || advice.wentWrong) this.#recover(agenda, intent, step, advice);
      else if (intent.hints["dry_run"] === true) agenda[agenda.length - 1] = this.#inEarnest(intent, advice);
      else if (advice.goesOn) await this.#follow(agenda, intent, advice);
      else if (agenda.length === 1) return step.answer;
      else agenda.pop();
    }
  }

  async #call({ tool, hints }: Intent, wish: string): Promise<Step> {
    if (this.#steps.length >= PATIENCE) throw this.#stuck(`not done after ${PATIENCE} calls`);
    const args = argumentsFor(this.#listing(tool), {
      facts: this.goal.facts ?? {},
      learned: this.#learned,
      hints,
      wish,
    });
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
    const fixed = correctedBy(this.#listing(intent.tool), args, text);
    if (fixed !== undefined && !this.#wasCalled(intent.tool, fixed)) {
      agenda[agenda.length - 1] = { tool: intent.tool, hints: fixed };
      return;
    }
    const other = tools.find((name) => name !== intent.tool && !agenda.some(({ tool }) => tool === name));
    if (other !== undefined)
      agenda.push({ tool: other, hints: { ...this.#trial(other), ...this.#named(other, texts) } });
    else throw this.#stuck(`${intent.tool} says "${text}"`);
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

  #inEarnest({ tool, hints }: Intent, { texts }: Advice): Intent {
    const { dry_run: _, ...others } = hints;
    return { tool, hints: { ...others, ...this.#named(tool, texts), dry_run: false } };
  }

  #named(tool: string, texts: readonly string[]): Args {
    return namedValues(this.#listing(tool), texts);
  }

  #wasCalled(tool: string, args: Args): boolean {
    return this.#steps.some((step) => step.tool === tool && JSON.stringify(step.args) === JSON.stringify(args));
  }

  #listing(tool: string): ToolListing {
    const listing = this.desk.tools.find(({ name }) => name === tool);
    if (listing === undefined) throw this.#stuck(`told to call ${tool}, which is not listed`);
    return listing;
  }

  #stuck(why: string): Error {
    const steps = this.#steps.map(
      ({ tool, args, answer }) => `${tool} ${JSON.stringify(args)}\n  -> ${answer.text.slice(0, 300)}`,
    );
    return new Error(`the assistant is stuck: ${why}\n${steps.join("\n")}`);
  }
}
