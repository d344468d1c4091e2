import { checked, object, type Schema } from "../../model/index.ts";
import type { BusParams } from "../parameters.ts";

/** Nothing to set: where a row goes follows from its template and its destination. */
export const BUS: Schema<BusParams> = checked(object({}), () => ({}));
