/* The JSON of `mixer.check` and `mixer.report`: what operators ask a Mixer, and what it answers. */

/** A value of an attribute as JSON: times are RFC 3339 text, durations `1.5s`, addresses `10.0.0.1`. */
export type AttributeJson = string | number | boolean | Readonly<Record<string, string>>;

export interface MixerCheckRequest {
  /** By reference: `request.path`, `request.headers`, `request.headers[x-user]`. */
  readonly attributes: Readonly<Record<string, AttributeJson>>;
  /** Name -> amount. Nothing is charged without them. */
  readonly quotas?: Readonly<Record<string, number>>;
  /** Equal ids are charged once. */
  readonly deduplicationId?: string;
}

export interface MixerCheckAnswer {
  /** Which replica has answered, from which configuration. */
  readonly replica: string;
  readonly revision: number;
  /** gRPC status code, its name, and the HTTP status that a caller would see. */
  readonly code: number;
  readonly status: string;
  readonly httpStatus: number;
  readonly message: string;
  readonly validMs: number;
  readonly validUses: number;
  readonly referenced: readonly { readonly attribute: string; readonly absent: boolean }[];
  /** What has been charged. */
  readonly quotas: readonly { readonly quota: string; readonly amount: number; readonly granted: number }[];
  /** Every rule that was looked at, in order. */
  readonly rules: readonly ExplainedRule[];
  /** More rules than are told. */
  readonly rulesLeftOut: number;
}

export interface ExplainedRule {
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly applies: boolean;
  /** Why it does not apply; "" when it does. */
  readonly why: string;
  readonly actions: readonly ExplainedAction[];
}

export interface ExplainedAction {
  /** `name.kind.namespace`. */
  readonly handler: string;
  readonly instance: string;
  readonly variety: "CHECK" | "QUOTA" | "REPORT";
  /** Of a check: what the handler says. A quota is not charged to explain it, a report not made. */
  readonly status?: string;
  readonly message?: string;
}

export interface MixerReportRequest {
  readonly attributes: Readonly<Record<string, AttributeJson>>;
}

export interface MixerReportAnswer {
  readonly replica: string;
  readonly revision: number;
  /** The rules that took the report. */
  readonly rules: readonly ExplainedRule[];
}
