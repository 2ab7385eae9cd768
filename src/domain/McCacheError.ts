/**
 * The one public error. Its `reason` is tagged, so that a program can react to one kind and pass on the others; its
 * message says what was wrong, with the value and the bound, and what to do.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const message = Schema.String

/** The key is not a string or a finite number, is empty, or is too long. @since 0.1.0 @category errors */
export class InvalidKey extends Schema.TaggedError<InvalidKey>()("InvalidKey", { message }) {}
/** The value has no encoding: a function, a symbol, or not what the namespace's Schema accepts. @since 0.1.0 @category errors */
export class Unencodable extends Schema.TaggedError<Unencodable>()("Unencodable", { message }) {}
/** Key and value together are larger than `cacheSize`. @since 0.1.0 @category errors */
export class ValueTooLarge extends Schema.TaggedError<ValueTooLarge>()("ValueTooLarge", { message }) {}
/** An option, a variable or an argument is out of bounds. @since 0.1.0 @category errors */
export class InvalidConfig extends Schema.TaggedError<InvalidConfig>()("InvalidConfig", { message }) {}
/** The namespace is open with other options, here or in the cluster. @since 0.1.0 @category errors */
export class OptionsConflict extends Schema.TaggedError<OptionsConflict>()("OptionsConflict", { message }) {}
/** Not enough members acknowledged in time, or there are not that many. @since 0.1.0 @category errors */
export class AckTimeout extends Schema.TaggedError<AckTimeout>()("AckTimeout", { message }) {}
/** McCache was closed. @since 0.1.0 @category errors */
export class Closed extends Schema.TaggedError<Closed>()("Closed", { message }) {}
/** The sockets could not be opened, or the system's `ping` is missing. @since 0.1.0 @category errors */
export class NetworkFailed extends Schema.TaggedError<NetworkFailed>()("NetworkFailed", { message }) {}

/** @since 0.1.0 @category errors */
export const Reason = Schema.Union([
  InvalidKey,
  Unencodable,
  ValueTooLarge,
  InvalidConfig,
  OptionsConflict,
  AckTimeout,
  Closed,
  NetworkFailed
])

/** @since 0.1.0 @category errors */
export type Reason = typeof Reason.Type

/**
 * Every failure that a user can act on.
 *
 * @since 0.1.0
 * @category errors
 */
export class McCacheError extends Schema.TaggedError<McCacheError>()("McCacheError", { reason: Reason }) {
  override get message(): string {
    return this.reason.message
  }
}

const constructors = {
  InvalidKey,
  Unencodable,
  ValueTooLarge,
  InvalidConfig,
  OptionsConflict,
  AckTimeout,
  Closed,
  NetworkFailed
}

/** Makes the error of one reason. */
export const make = (tag: Reason["_tag"], text: string): McCacheError =>
  new McCacheError({ reason: new constructors[tag]({ message: text }) })
