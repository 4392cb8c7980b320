/** @file placeholder interface until the judge lands. */
export interface Judge {
  readonly modelName: string;
  judgeAnswer(
    input: { question: string; answer: string; reference: string },
    signal?: AbortSignal,
  ): Promise<{ right: boolean | undefined; reason?: string }>;
}
