import type { Filter } from "./filter.ts";

type With<Hook extends keyof Filter> = Filter & Required<Pick<Filter, Hook>>;

/** A direction's filters, sorted once by what they take part in: a request does not ask those that have nothing to say. */
export class FilterChain {
  readonly onRequest: readonly With<"onRequest">[];
  /** In reverse. */
  readonly onResponse: readonly With<"onResponse">[];
  readonly onComplete: readonly With<"onComplete">[];
  readonly onRefused: readonly With<"onRefused">[];

  constructor(filters: readonly Filter[]) {
    this.onRequest = filters.filter((filter): filter is With<"onRequest"> => filter.onRequest !== undefined);
    this.onResponse = filters
      .filter((filter): filter is With<"onResponse"> => filter.onResponse !== undefined)
      .reverse();
    this.onComplete = filters.filter((filter): filter is With<"onComplete"> => filter.onComplete !== undefined);
    this.onRefused = filters.filter((filter): filter is With<"onRefused"> => filter.onRefused !== undefined);
  }
}
