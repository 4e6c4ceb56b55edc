import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import ip from "ipaddr.js"
import { isNobodys, isPublic } from "../../src/platform/egress/Addresses.ts"
import { check, type GuardOptions, Refused } from "../../src/platform/egress/Guard.ts"
import { allowance, isEntry } from "../../src/platform/egress/HostRules.ts"

const v4 = fc.ipV4()
const bytes = (text: string) => ip.parse(text).toByteArray()
const hex = (text: string) => bytes(text).reduce((all, byte) => all + byte.toString(16).padStart(2, "0"), "")

/** The ranges of IANA's registries of special-purpose addresses that are not reachable by everybody. */
const special = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "::1/128",
  "::/128",
  "::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
  "5f00::/16",
  "fc00::/7",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8"
]

/** Any address of a range. */
const within = (cidr: string) => {
  const [network, length] = ip.parseCIDR(cidr)
  const base = network.toByteArray()
  return fc.uint8Array({ minLength: base.length, maxLength: base.length }).map((random) =>
    ip
      .fromByteArray(
        base.map((byte, at) => {
          const kept = Math.min(8, Math.max(0, length - at * 8))
          const mask = (0xff << (8 - kept)) & 0xff
          return (byte & mask) | ((random[at] ?? 0) & ~mask & 0xff)
        })
      )
      .toString()
  )
}

describe("an address", () => {
  it("of a special-purpose range is not public", () => {
    for (const cidr of special) {
      fc.assert(
        fc.property(within(cidr), (address) => {
          expect(isPublic(address), address).toBe(false)
        }),
        { numRuns: 60 }
      )
    }
  })

  it("within an IPv6 address is as public as by itself, or less", () => {
    fc.assert(
      fc.property(v4, (address) => {
        const digits = hex(address)
        const tail = `${digits.slice(0, 4)}:${digits.slice(4)}`
        expect(isPublic(`::ffff:${address}`)).toBe(isPublic(address))
        expect(isPublic(`::ffff:${tail}`)).toBe(isPublic(address))
        expect(isPublic(`64:ff9b::${tail}`)).toBe(isPublic(address))
        expect(isPublic(`::${tail}`)).toBe(false)
        expect(isPublic(`2002:${tail}::1`)).toBe(false)
        expect(isNobodys(`::ffff:${tail}`)).toBe(isNobodys(address))
      })
    )
  })

  it("of the internet is public; what is none is not", () => {
    for (const address of ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::200e", "172.32.0.1", "11.0.0.1"]) {
      expect(isPublic(address), address).toBe(true)
    }
    for (const text of ["", "localhost", "fe80::1%eth0", "2606:4700::1111%eth0", "1.1.1", "300.1.1.1", "1.1.1.1 "]) {
      expect(isPublic(text), text).toBe(false)
    }
  })
})

const open: GuardOptions = { allowed_hosts: [], operator_hosts: [], any_public_host: true, https_only: false }

/** What the guard says of an address, in a world where every name is at these addresses. */
const checked = (url: string, options: Partial<GuardOptions> = {}, at: ReadonlyArray<string> = ["93.184.216.34"]) =>
  check(new URL(url), { ...open, ...options }, async () => at).then(
    () => "allowed",
    (cause) => (cause instanceof Refused ? cause.message : Promise.reject(cause))
  )

const closed = { any_public_host: false }

describe("the guard", () => {
  it("refuses this machine and its neighbours, however they are written", async () => {
    for (const host of [
      "127.0.0.1",
      "127.1",
      "2130706433",
      "0x7f000001",
      "0x7f.1",
      "017700000001",
      "0177.0.0.1",
      "①②⑦.⓪.⓪.①",
      "127.0.0.1.",
      "0",
      "0.0.0.0",
      "10.0.0.1",
      "172.16.0.1",
      "192.168.1.1",
      "169.254.169.254",
      "0xa9fea9fe",
      "2852039166",
      "100.64.0.1",
      "224.0.0.1",
      "255.255.255.255",
      "[::]",
      "[::1]",
      "[0:0:0:0:0:0:0:1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:7f00:1]",
      "[::127.0.0.1]",
      "[::ffff:169.254.169.254]",
      "[64:ff9b::7f00:1]",
      "[2002:7f00:1::]",
      "[fe80::1]",
      "[fc00::1]",
      "[fd00:ec2::254]",
      "[ff02::1]",
      "[fec0::1]"
    ]) {
      expect(await checked(`http://${host}/`), host).toMatch(/not a public address/)
      expect(await checked(`http://${host}/`, closed), host).toMatch(/ALLOWED_EGRESS_HOSTS/)
    }
    expect(URL.canParse("http://[fe80::1%25eth0]/")).toBe(false)
  })

  it("refuses a name with any address that is not public", async () => {
    for (const bad of [
      "127.0.0.1",
      "10.1.2.3",
      "::1",
      "::ffff:10.0.0.1",
      "fd00::1",
      "169.254.169.254",
      "fe80::1%eth0"
    ]) {
      expect(await checked("https://a.example/", {}, [bad]), bad).toMatch(/not a public address/)
      for (const mixed of [
        ["93.184.216.34", bad],
        [bad, "93.184.216.34"]
      ]) {
        expect(await checked("https://a.example/", {}, mixed), bad).toMatch(/not a public address/)
        expect(await checked("https://a.b.example/", { ...closed, allowed_hosts: ["*.b.example"] }, mixed)).toMatch(
          /not a public address/
        )
      }
    }
    expect(await checked("https://a.example/", {}, ["93.184.216.34", "2606:4700::1111"])).toBe("allowed")
  })

  it("lets a host that is named whole be private, but no name lead to a cloud's credentials", async () => {
    const named = { ...closed, allowed_hosts: ["db.inner.example", "10.0.0.5", "[fd00::5]"] }
    expect(await checked("http://db.inner.example/", named, ["10.0.0.1"])).toBe("allowed")
    expect(await checked("http://DB.inner.example./", named, ["10.0.0.1"])).toBe("allowed")
    expect(await checked("http://10.0.0.5:8080/", named)).toBe("allowed")
    expect(await checked("http://[fd00:0::5]/", named)).toBe("allowed")
    expect(await checked("http://10.0.0.6/", named)).toMatch(/ALLOWED_EGRESS_HOSTS/)
    for (const bad of ["169.254.169.254", "0.0.0.0", "::", "fe80::1", "224.0.0.1", "::ffff:169.254.169.254"]) {
      expect(await checked("http://db.inner.example/", named, [bad]), bad).toMatch(/no host's/)
      expect(await checked("http://op.example/", { ...closed, operator_hosts: ["op.example"] }, [bad])).toMatch(
        /no host's/
      )
    }
    expect(await checked("http://169.254.169.254/", { ...closed, allowed_hosts: ["169.254.169.254"] })).toBe("allowed")
  })

  it("refuses other schemes, credentials in the address, and ports of other protocols", async () => {
    for (const url of [
      "file:///etc/passwd",
      "ftp://a.example/",
      "gopher://a.example/",
      "data:text/plain,x",
      "ws://a.example/"
    ]) {
      expect(await checked(url), url).toMatch(/only http and https/)
    }
    expect(await checked("https://user@a.example/")).toMatch(/credentials/)
    expect(await checked("https://:pass@a.example/")).toMatch(/credentials/)
    for (const port of [1, 22, 25, 53, 110, 587, 993]) {
      expect(await checked(`https://a.example:${port}/`), String(port)).toMatch(/another protocol/)
      const named = { ...closed, allowed_hosts: ["a.example"] }
      expect(await checked(`https://a.example:${port}/`, named)).toMatch(/ALLOWED_EGRESS_HOSTS/)
      expect(await checked(`https://a.example:${port}/`, { ...closed, allowed_hosts: [`a.example:${port}`] })).toBe(
        "allowed"
      )
    }
    expect(await checked("https://a.example:8443/")).toBe("allowed")
  })

  it("wants https in production, but of hosts that the operator named", async () => {
    const https_only = true
    expect(await checked("http://a.example/", { https_only })).toBe("https is needed")
    expect(await checked("http://a.b.example/", { ...closed, https_only, allowed_hosts: ["*.b.example"] })).toBe(
      "https is needed"
    )
    expect(await checked("https://a.example/", { https_only })).toBe("allowed")
    expect(
      await checked("http://vault:8200/", { ...closed, https_only, operator_hosts: ["vault:8200"] }, ["10.0.0.9"])
    ).toBe("allowed")
    expect(await checked("http://vault:8201/", { ...closed, https_only, operator_hosts: ["vault:8200"] })).toMatch(
      /ALLOWED_EGRESS/
    )
  })
})

describe("an entry of the allowed hosts", () => {
  const of = (url: string, ...entries: ReadonlyArray<string>) => allowance(new URL(url), entries)

  it("is a host, one with its port, or a suffix", () => {
    expect(of("https://a.example/", "a.example")).toBe("named")
    expect(of("https://A.EXAMPLE/", "a.Example")).toBe("named")
    expect(of("https://b.a.example/", "a.example")).toBeUndefined()
    expect(of("https://b.a.example/", "*.a.example")).toBe("suffix")
    expect(of("https://c.b.a.example/", "*.a.example")).toBe("suffix")
    expect(of("https://a.example/", "*.a.example")).toBeUndefined()
    expect(of("https://evila.example/", "*.a.example")).toBeUndefined()
    expect(of("https://a.example.evil.example/", "a.example", "*.a.example")).toBeUndefined()
    expect(of("https://b.a.example/", "*.a.example", "b.a.example")).toBe("named")
    expect(of("https://a.example:444/", "a.example:443")).toBeUndefined()
    expect(of("https://a.example/", "a.example:443")).toBe("named")
    expect(of("http://a.example/", "a.example:443")).toBeUndefined()
    expect(of("https://bücher.example/", "xn--bcher-kva.example")).toBe("named")
    expect(of("https://xn--bcher-kva.example/", "bücher.example")).toBe("named")
    expect(of("http://[::1]:8080/", "[::1]")).toBe("named")
    expect(of("http://[::1]:8080/", "[0::1]:8080")).toBe("named")
  })

  it("is nothing else", () => {
    for (const text of [
      "https://a.example",
      "a.example/x",
      "*",
      "a b",
      "user@a.example",
      "a.*.example",
      "::1",
      "a:x",
      ""
    ]) {
      expect(isEntry(text), text).toBe(false)
    }
  })
})
