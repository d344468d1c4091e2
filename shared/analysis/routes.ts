import type { DestinationSpec, VirtualServiceSpec } from "../model/index.ts";

/** Everything that a VirtualService sends to, copies included, with the path of the field. */
export function* destinationsOf(spec: VirtualServiceSpec): Generator<{
  readonly path: string;
  readonly destination: DestinationSpec;
  readonly weight: number;
  readonly isMirror: boolean;
}> {
  for (const [i, { destinations, mirrors }] of spec.http.entries()) {
    for (const [j, { destination, weight }] of destinations.entries())
      yield { path: `spec.http[${i}].route[${j}].destination`, destination, weight, isMirror: false };
    for (const [j, { destination }] of mirrors.entries())
      yield { path: `spec.http[${i}].mirrors[${j}].destination`, destination, weight: 0, isMirror: true };
  }
}
