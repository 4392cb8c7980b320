/** @file Takes secrets out of a line before it is written: those that are known, and what looks like one. */

const REDACTED = "[redacted]";

/** Shorter ones would hit ordinary words; nobody should have such a token. */
const LEAST_LENGTH = 6;

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // An authorization header, in a text or as a JSON value.
  [/\b(Bearer|Basic)\s+[\w.~+/=:-]+/gi, `$1 ${REDACTED}`],
  // A JSON web token.
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, REDACTED],
  // Keys of OpenAI, Anthropic and others, of Hugging Face, GitHub, Google and AWS.
  [/\b(?:sk|pk|rk)-[\w-]{8,}|\bhf_\w{8,}|\bgh[pousr]_\w{8,}|\bAIza[\w-]{20,}|\bAKIA[A-Z\d]{12,}/g, REDACTED],
  // In a URL: a token parameter, and a password before the host.
  [/([?&](?:token|access_token|api_key|apikey|key)=)[^&\s"'#]+/gi, `$1${REDACTED}`],
  [/(:\/\/[^\s/:@"]+:)[^\s/@"]+@/g, `$1${REDACTED}@`],
  // A field whose name says it, as JSON.
  [
    /("(?:[\w-]*(?:token|secret|password|api[_-]?key|authorization|cookie))"\s*:\s*)"(?:[^"\\]|\\.)*"/gi,
    `$1"${REDACTED}"`,
  ],
];

/** `secrets` are values that must never be written, such as this server's own token. */
export function redactor(secrets: readonly string[]): (line: string) => string {
  const known = secrets.filter((secret) => secret.length >= LEAST_LENGTH).sort((a, b) => b.length - a.length);
  // As they stand in JSON too, where quotes and backslashes are escaped.
  const forms = [...new Set(known.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]))];
  return (line) => {
    let text = line;
    for (const form of forms) text = text.replaceAll(form, REDACTED);
    for (const [pattern, replacement] of PATTERNS) text = text.replace(pattern, replacement);
    return text;
  };
}
