import { grpcStatusName } from "../../../shared/base/index.ts";

/** The body of a refused request: `PERMISSION_DENIED:handler.default:Not allowed.` */
export function denialBody(code: number, message: string): string {
  return `${grpcStatusName(code)}:${message}`;
}
