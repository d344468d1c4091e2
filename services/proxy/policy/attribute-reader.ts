import type { AttributeValue } from "../../../shared/model/index.ts";

/** The value of an attribute reference (`request.path`, `request.headers[x-user]`) of one request; undefined: absent. */
export type AttributeReader = (reference: string) => AttributeValue | undefined;
