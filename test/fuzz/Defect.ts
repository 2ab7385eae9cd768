/** Something that a decoder or a member let pass, or did, that it must not. */
export class Defect extends Error {
  override readonly name = "Defect"
}
