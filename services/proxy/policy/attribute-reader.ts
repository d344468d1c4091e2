import type { AttributeValue } from "../../../shared/model/index.ts";

/** An attribute's value as the proxy holds it, by the vocabulary's type. */
export type AttributeWireValue = AttributeValue;

/** The value of an attribute reference (`request.path`, `request.headers[x-user]`) of one request; undefined: absent. */
export type AttributeReader = (reference: string) => AttributeWireValue | undefined;
