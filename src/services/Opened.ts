/** A namespace that is open, and what else may be asked of it. */
import type { Configuration } from "../domain/Configuration.ts"
import * as McCacheError from "../domain/McCacheError.ts"
import * as NamespaceOptions from "../domain/NamespaceOptions.ts"
import type { CacheCore } from "./CacheCore.ts"
import type { CacheOptions } from "./Member.ts"

/** An open namespace, with what it was asked for and what that came to. */
export interface Opened {
  readonly core: CacheCore<never>
  readonly options: CacheOptions<never>
  readonly settings: NamespaceOptions.NamespaceSettings
}

/** Asking again for an open namespace must ask for the same; what is not asked for may be anything. */
export const requireSame = <V>(
  configuration: Configuration,
  name: string,
  known: Opened,
  asked: CacheOptions<V>
): void => {
  const { onChange, value } = asked
  const option = value !== undefined && !Object.is(value, known.options.value)
    ? "value"
    : onChange !== undefined && onChange !== known.options.onChange
    ? "onChange"
    : NamespaceOptions.differing(configuration, known.settings, asked, name)
  if (option === undefined) return
  throw McCacheError.make(
    "OptionsConflict",
    `Cache ${JSON.stringify(name)} is open with another ${option}: open it once with its options, and then by name.`
  )
}
