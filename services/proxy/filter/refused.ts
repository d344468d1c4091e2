import type { Http1Error } from "../codec/http1-error.ts";
import { HeaderList } from "../stream/header-list.ts";
import { type Peer, RequestRecord, type Side } from "../stream/record.ts";
import { RESPONSE_DETAILS } from "../stream/response-detail.ts";
import type { FilterChain } from "./filter-chain.ts";

/** Tells the filters of a request that could not be read, and that the codec has answered, so that it is counted too. */
export function tellRefused(
  stack: FilterChain,
  error: Http1Error,
  side: Side,
  source: Peer,
  destination: Peer,
  downstream: RequestRecord["downstream"],
): void {
  const head = { method: "-", authority: "", scheme: "http", path: "-", headers: new HeaderList() } as const;
  const record = new RequestRecord(side, { ...head }, source, destination, side === "inbound");
  record.downstream = downstream;
  record.status = error.status;
  record.detail = error.detail;
  const { flag } = RESPONSE_DETAILS[error.detail];
  if (flag !== "") record.addFlag(flag);
  for (const filter of stack.onRefused) filter.onRefused(record);
}
