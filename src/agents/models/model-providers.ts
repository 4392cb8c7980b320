/** @file The providers of chat models that LangChain opens by name: their packages, and where text goes that they are given. */

export interface Provider {
  /** What has to be installed beside this project. */
  readonly package: string;
  /** Host, or what to call the place where it is not one host. */
  readonly to: string;
  /** Where it listens unless a base URL says otherwise, for providers whose base URL can be set. */
  readonly baseUrl?: string;
}

const provider = (name: string, to: string, baseUrl?: string): Provider => ({
  package: `@langchain/${name}`,
  to,
  ...(baseUrl !== undefined && { baseUrl }),
});

/** The same names as LangChain's `initChatModel` has; a test holds the two lists together. */
export const PROVIDERS = {
  openai: provider("openai", "api.openai.com", "https://api.openai.com/v1"),
  anthropic: provider("anthropic", "api.anthropic.com"),
  azure_openai: provider("openai", "your Azure OpenAI resource"),
  langsmith: provider("openai", "gateway.smith.langchain.com"),
  cohere: provider("cohere", "api.cohere.com"),
  google: provider("google", "Google's Gemini service"),
  "google-vertexai": provider("google-vertexai", "Google's Vertex AI"),
  "google-vertexai-web": provider("google-vertexai-web", "Google's Vertex AI"),
  "google-genai": provider("google-genai", "generativelanguage.googleapis.com"),
  ollama: provider("ollama", "127.0.0.1", "http://127.0.0.1:11434"),
  mistralai: provider("mistralai", "api.mistral.ai"),
  mistral: provider("mistralai", "api.mistral.ai"),
  groq: provider("groq", "api.groq.com"),
  bedrock: provider("aws", "Amazon Bedrock"),
  aws: provider("aws", "Amazon Bedrock"),
  deepseek: provider("deepseek", "api.deepseek.com"),
  xai: provider("xai", "api.x.ai"),
  cerebras: provider("cerebras", "api.cerebras.ai"),
  fireworks: provider("fireworks", "api.fireworks.ai"),
  together: provider("together-ai", "api.together.xyz"),
  perplexity: provider("perplexity", "api.perplexity.ai"),
} as const satisfies Readonly<Record<string, Provider>>;

export type ProviderName = keyof typeof PROVIDERS;

export const providerOf = (name: ProviderName): Provider => PROVIDERS[name];

export const isProvider = (name: string): name is ProviderName => Object.hasOwn(PROVIDERS, name);
