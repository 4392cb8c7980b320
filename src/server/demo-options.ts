/** @file What the demo can be told on the command line. */

export interface DemoOptions {
  readonly json: boolean;
  readonly seed: number;
  readonly verbose: boolean;
  readonly model?: string;
  readonly corpus?: string;
  readonly rounds?: number;
  readonly pairs?: number;
  readonly home?: string;
  readonly threads?: number;
  readonly resume?: string;
}
