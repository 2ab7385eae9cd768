/** What `mccache doctor` knows of a host and of what it heard. Gathered by `HostFacts` and `Doctor`, judged by the checks. */
import type { MemberId } from "../../domain/Stamp.ts"
import type { MemberInfo } from "../../services/Gather.ts"
import type { Family, Interface, Resolved } from "../Interfaces.ts"

/** What is configured. */
export interface SettingsFacts {
  readonly cluster: string
  readonly group: string
  readonly port: number
  readonly family: Family
  readonly hops: number
  /** As it was written: `auto`, a name or an address. */
  readonly interface: string
  readonly keys: number
  readonly insecure: boolean
  /** The whole UDP payload in bytes. */
  readonly packetBytes: number
  readonly receiveBufferBytes: number
  readonly clockKeepMillis: number
  readonly clockAheadMillisMax: number
  readonly dropPercent: number
  readonly warnings: ReadonlyArray<string>
}

/** What the system tells of the chosen interface. Absent: this system does not tell it. */
export interface DeviceFacts {
  readonly up?: boolean | undefined
  readonly multicast?: boolean | undefined
  /** The bridge that it is, or is a port of, with snooping of IGMP and whether the bridge asks who listens. */
  readonly bridge?: { readonly name: string; readonly snooping: boolean; readonly querier: boolean } | undefined
  /** Whether datagrams are dropped whose sender would be answered by another interface. */
  readonly strictReversePath?: boolean | undefined
}

export interface HostFacts {
  readonly platform: string
  readonly interfaces: ReadonlyArray<Interface>
  readonly device: DeviceFacts
  /** Where the routing table sends the group: devices, the one that is taken first. Absent: it cannot be read. */
  readonly routes?: ReadonlyArray<{ readonly device: string; readonly rejects: boolean }> | undefined
  /** Devices on which the kernel has joined the group, while McCache was open. */
  readonly joined?: ReadonlyArray<string> | undefined
  readonly receiveBufferBytesMax?: number | undefined
  /** What the machine says that it is made by, where that is a cloud. */
  readonly cloud?: string | undefined
  readonly container?: "container" | "Kubernetes" | undefined
}

/** Who was heard in the group. Times are milliseconds since the listening began. */
export interface Sender {
  /** Of the datagram's header; absent: it is none of McCache. */
  readonly id?: MemberId | undefined
  readonly address: string
  /** Of another version of the protocol. */
  readonly otherVersion: boolean
  readonly sealed: boolean
  /** Whether it names a key and a cluster that are ours. */
  readonly ours: boolean
  readonly datagrams: number
  readonly firstMillis: number
  readonly lastMillis: number
}

export interface Heard {
  readonly listenedMillis: number
  readonly self: MemberId
  readonly senders: ReadonlyArray<Sender>
  /** The members at the end, without this one. */
  readonly members: ReadonlyArray<MemberInfo>
  /** All that were members at some time, and those of them that said farewell. */
  readonly met: ReadonlySet<MemberId>
  readonly left: ReadonlySet<MemberId>
  /** What other members refuse of ours, and why. */
  readonly refusals: ReadonlyArray<string>
  /** Datagrams that claim a key of ours and do not open with it. */
  readonly unauthentic: number
}

export interface Facts {
  readonly host: HostFacts
  /** Absent with why not. */
  readonly settings?: SettingsFacts | undefined
  readonly settingsProblem?: string | undefined
  readonly interface?: Resolved | undefined
  readonly interfaceProblem?: string | undefined
  /** What the sockets got to receive in. */
  readonly receiveBufferBytes?: number | undefined
  readonly openProblem?: string | undefined
  readonly heard?: Heard | undefined
}

export interface Finding {
  readonly check: string
  /** `unchecked`: it cannot be seen from here, or not in that time. */
  readonly status: "ok" | "warning" | "problem" | "unchecked"
  readonly measured: string
  readonly advice?: string | undefined
}
