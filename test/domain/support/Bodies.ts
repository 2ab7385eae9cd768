/** Bodies made by hand. */
import * as Framing from "../../../src/domain/Framing.ts"

/** A data body of these pieces; `asks` wants an acknowledgement at once. */
export const dataBody = (number: number, pieces: Uint8Array, asks: boolean): Uint8Array => {
  const body = new Uint8Array(Framing.bodyPrefixBytes.data + pieces.length)
  body.set(pieces, Framing.bodyPrefixBytes.data)
  Framing.numberBody(body, number, asks)
  return body
}
