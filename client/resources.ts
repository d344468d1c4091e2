import type { FieldError, Resource } from "../shared/model/index.ts";

/** What a program hands in: like a resource, with what Pilot can fill in left out. */
export interface ResourceInput {
  /** Such as `networking.istio.io/v1`. */
  readonly apiVersion: string;
  /** Such as `VirtualService`. */
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    /** Default: that of the kind, mostly `default`. */
    readonly namespace?: string;
    /** The revision that is to be replaced; `"0"`: there must be none. */
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: object;
}

/** One document or many: YAML, JSON, or objects. */
export type Documents = string | ResourceInput | readonly ResourceInput[];

/** What Pilot says of one submitted document. */
export interface ApplyResult {
  /** Position in the submission, from 0. */
  readonly document: number;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly outcome: "created" | "configured" | "unchanged" | "rejected" | "pending";
  /** Of the resource as it is now; 0 when there is none. */
  readonly revision: number;
  readonly errors: readonly FieldError[];
  /** What is accepted but worth knowing, such as why a rule is pending. */
  readonly warnings: readonly FieldError[];
}

export interface ApplyOptions {
  /** Judge only. */
  readonly dryRun?: boolean;
  /** Refuse what exists. */
  readonly create?: boolean;
  /** The revision that is expected now, 0 for none; for one document only. */
  readonly expectRevision?: number;
}

export interface ResourceQuery {
  /** In any spelling that `lateen get` takes. Every kind when absent. */
  readonly kind?: string;
  /** Every namespace when absent. */
  readonly namespace?: string;
}

/** One resource. */
export interface ResourceName {
  readonly kind: string;
  /** Default: that of the kind, mostly `default`. */
  readonly namespace?: string;
  readonly name: string;
}

/** A deletion, which is a revision like any other. */
export interface Tombstone {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly resourceVersion: string;
    readonly updateTimestamp?: string;
  };
  readonly deleted: true;
}

/** One revision of a resource. */
export type ResourceVersion = Resource | Tombstone;

export function isTombstone(version: ResourceVersion): version is Tombstone {
  return "deleted" in version && version.deleted;
}

/** What the submission stream says: the documents are stored, and will be judged. */
export interface SubmitReceipt {
  readonly stream: string;
  readonly sequence: number;
}
