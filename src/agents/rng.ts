/** @file The seeded generator of random numbers, as the agents know it; the trainer draws its order from the same one. */
export { createRng, type Rng } from "../trainer/text/rng.js";
