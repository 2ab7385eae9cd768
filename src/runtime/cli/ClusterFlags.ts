/** The flags of commands that join a cluster: which one, and where. A key comes from the environment, never from a flag. */
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import type { Options } from "../../domain/Configuration.ts"

export const flags = {
  cluster: Flag.String("cluster").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("The cluster's name, in place of MCCACHE_CLUSTER"),
    Flag.optional
  ),
  interface: Flag.String("interface").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("An interface's name or address, in place of MCCACHE_INTERFACE"),
    Flag.optional
  ),
  multicastIp: Flag.String("multicast-ip").pipe(
    Flag.withMetavar("ADDRESS:PORT"),
    Flag.withDescription("The group, in place of MCCACHE_MULTICAST_IP"),
    Flag.optional
  )
}

export interface Given {
  readonly cluster: Option.Option<string>
  readonly interface: Option.Option<string>
  readonly multicastIp: Option.Option<string>
}

/** What was given, as options of a member. */
export const options = (given: Given): Options => ({
  cluster: Option.getOrUndefined(given.cluster),
  interface: Option.getOrUndefined(given.interface),
  multicastIp: Option.getOrUndefined(given.multicastIp)
})
