import { isMembers } from "./formats/Values.ts"

export const REDACTED = "[redacted]"

export type RedactionKind = "password" | "header" | "card" | "secret" | "pattern"

const headers = [
  "authorization",
  "proxyauthorization",
  "cookie",
  "cookies",
  "setcookie",
  "xapikey",
  "xauthtoken",
  "xcsrftoken"
]

const passwords = [
  "password",
  "passwd",
  "passphrase",
  "pwd",
  "passcode",
  "currentpassword",
  "newpassword",
  "oldpassword"
]

const secrets = [
  "token",
  "accesstoken",
  "refreshtoken",
  "idtoken",
  "authtoken",
  "sessiontoken",
  "csrftoken",
  "bearertoken",
  "secret",
  "clientsecret",
  "secretkey",
  "secretaccesskey",
  "apikey",
  "apitoken",
  "apisecret",
  "accesskey",
  "privatekey",
  "cvv",
  "cvc",
  "otp"
]

const kinds: ReadonlyMap<string, RedactionKind> = new Map([
  ...headers.map((name) => [name, "header"] as const),
  ...passwords.map((name) => [name, "password"] as const),
  ...secrets.map((name) => [name, "secret"] as const)
])

/** Says at a glance that a text has neither the name of a secret nor a scheme of credentials in it. */
export const mayNameSecret = (text: string): boolean =>
  /pass|pwd|secret|token|api|auth|cookie|access|private|cvv|cvc|otp|bearer|basic/i.test(text)

/** Recordings have the same few names over and over. */
const MAX_REMEMBERED = 5000
const remembered = new Map<string, RedactionKind | undefined>()

/** What kind of secret stands under a name: `X-Api-Key`, `user[password]`, `access_token`, `passwordConfirmation`. */
export const secretKind = (name: string): RedactionKind | undefined => {
  if (name.length > 200) return undefined
  const known = remembered.get(name)
  if (known !== undefined || remembered.has(name)) return known
  const kind = kindOf(name)
  if (remembered.size < MAX_REMEMBERED) remembered.set(name, kind)
  return kind
}

const kindOf = (name: string): RedactionKind | undefined => {
  if (!mayNameSecret(name)) return undefined
  // The last part of `user[password]`, `data.password` and their percent-encoded forms.
  const parts = name
    .replaceAll(/%5[bd]/gi, ".")
    .split(/[^\w-]+/)
    .filter((part) => part !== "")
  const plain = (parts.at(-1) ?? "").replaceAll(/[-_]/g, "").toLowerCase()
  return kinds.get(plain) ?? (/password|passwd/.test(plain) ? "password" : undefined)
}

/** Whether an input's target takes a password: by its type, or where it is called so. */
export const isPasswordTarget = (target: unknown): boolean => {
  if (!isMembers(target)) return false
  if (target.input_type === "password") return true
  return ["selector", "name", "text"].some((key) => {
    const text = target[key]
    return (
      typeof text === "string" &&
      /passw(?:or)?d|passphrase|passcode|passwort|\bpwd\b|contraseña|mot de passe/i.test(text)
    )
  })
}

/** Issuers' prefixes: what Luhn alone would take for a card is often a time or an id. */
const issuers =
  /^(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}|6(?:011|5\d\d|4[4-9]\d)\d{12,15}|62\d{14,17}|(?:50|5[6-9]|6\d)\d{10,17})$/

/** Whether these digits are a payment card's: an issuer's prefix and length, and the check digit of ISO/IEC 7812. */
export const isCardNumber = (digits: string): boolean => {
  if (!issuers.test(digits)) return false
  let sum = 0
  for (let index = 0; index < digits.length; index++) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 48
    const doubled = index % 2 === 0 ? digit : digit * 2
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}
