/** @file How much may be under way at once; what is more is sent away at the door instead of waiting without end. */
import { ApiError } from "./errors.js";

export class Admission {
  #taken = 0;

  /** `limit` sequences, running or waiting. */
  constructor(readonly limit: number) {}

  get taken(): number {
    return this.#taken;
  }

  /** Runs `work` as `count` sequences; throws 429 where they have no room, 400 where they never will. */
  async run<T>(count: number, work: () => Promise<T>): Promise<T> {
    if (count > this.limit) {
      throw new ApiError(400, `the request asks for ${count} sequences, this server takes ${this.limit} at once`);
    }
    if (this.#taken + count > this.limit) {
      throw new ApiError(429, `the queue is full (${this.#taken} of ${this.limit} sequences); try again`, {
        code: "queue_full",
        headers: { "retry-after": "1" },
      });
    }
    this.#taken += count;
    try {
      return await work();
    } finally {
      this.#taken -= count;
    }
  }
}
