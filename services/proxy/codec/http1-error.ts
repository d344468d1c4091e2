import type { ResponseDetail } from "../stream/response-detail.ts";

/** A message that cannot be read, or may not be; `status` is what a client gets for it. */
export class Http1Error extends Error {
  readonly status: number;
  readonly detail: ResponseDetail;
  /** The refused request was HEAD: its answer has no body. */
  bodiless = false;

  constructor(status: number, detail: ResponseDetail, message: string) {
    super(message);
    this.name = new.target.name;
    this.status = status;
    this.detail = detail;
  }
}
