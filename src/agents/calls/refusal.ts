/** @file Refusals: a model that says it will not. Recognised conservatively, by the words that such replies begin with. */

/** A refusal is short; a longer text that begins alike goes on to say something. */
const LONGEST_REFUSAL = 800;

const SORRY = "(?:i'm|i am) (?:(?:very|really|so|truly) )?sorry|sorry|(?:my )?apologies|i apologi[sz]e|unfortunately";
const MACHINE = "as an? (?:ai|(?:large )?language model)[^,.]{0,60}";
const UNABLE = "can't|cannot|can not|won't|will not|(?:am|'m) (?:not able|unable) to|(?:must|have to) decline to";
const HELP = "help|assist|comply|participate|engage";
const DO_THAT = "(?:do|provide|fulfil+|write|create|generate|discuss|continue)(?: with)? (?:that|this|your|such|any)";

const OPENING = `(?:(?:${SORRY})[,.;!: ]*(?:but )?)?(?:(?:${MACHINE}),? )?`;
const REFUSAL = new RegExp(`^${OPENING}i ?(?:${UNABLE}) (?:${HELP}|${DO_THAT})\\b`, "i");
const DECLINE = new RegExp(`^${OPENING}i (?:(?:must|have to) (?:respectfully )?|respectfully )decline\\b`, "i");

/** True for "I'm sorry, but I can't help with that." and its like; false for "I cannot find this in the passages". */
export function isRefusal(text: string): boolean {
  const plain = text
    .replaceAll("’", "'")
    .replace(/\s+/g, " ")
    .replace(/^[ "“*_>]+/, "");
  return plain.length <= LONGEST_REFUSAL && (REFUSAL.test(plain) || DECLINE.test(plain));
}
