/** @file OpenTelemetry spans around work, by the API package alone: without a registered SDK nothing is recorded. */
import { type Attributes, context, type Span, type SpanOptions, SpanStatusCode, trace } from "@opentelemetry/api";

// Asked each time: a user's SDK may be registered after this module is loaded.
const tracer = () => trace.getTracer("preflexor");

/** Runs the work in a span, which is the parent of spans begun within. An error is the span's status, and thrown on. */
export function withSpan<T>(
  name: string,
  { attributes = {}, ...options }: SpanOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  return tracer().startActiveSpan(name, { ...options, attributes }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      endWithError(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/**
 * The same around a generator: its work, but not that of whoever takes the events, belongs to the span. A generator that
 * is left early ends its span without an error.
 */
export async function* spanOver<E, T>(
  name: string,
  attributes: Attributes,
  work: (span: Span) => AsyncGenerator<E, T>,
): AsyncGenerator<E, T> {
  const span = tracer().startSpan(name, { attributes });
  const own = trace.setSpan(context.active(), span);
  const events = work(span);
  try {
    for (;;) {
      // A generator's body runs in the context of whoever asks for the next event.
      const next = await context.with(own, () => events.next());
      if (next.done === true) return next.value;
      yield next.value;
    }
  } catch (error) {
    endWithError(span, error);
    throw error;
  } finally {
    await context.with(own, () => events.return(undefined as T));
    span.end();
  }
}

/** `error.type` by the conventions: the class of the error, or its code where it has one. */
function endWithError(span: Span, error: unknown): void {
  const { name, message, code }: NodeJS.ErrnoException = error instanceof Error ? error : new Error(String(error));
  span.setAttribute("error.type", code ?? name);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
