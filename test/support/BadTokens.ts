import { createSecretKey, type KeyObject } from "node:crypto"
import { Effect } from "effect"
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from "jose"

/** The key that an issuer signs with. */
export interface IssuerKey {
  readonly private_key: CryptoKey | KeyObject | Uint8Array
  readonly alg: string
  readonly kid: string
}

type Claims = Readonly<Record<string, unknown>>

/** A token with these claims, signed as its issuer would. */
export const signed = ({ private_key, alg, kid }: IssuerKey, claims: Claims, header: Claims = {}) =>
  Effect.promise(() => new SignJWT({ ...claims }).setProtectedHeader({ alg, kid, ...header }).sign(private_key))

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")

const publicJwk = async (key: IssuerKey["private_key"]): Promise<JWK> => {
  const { d: _d, ...jwk } = await exportJWK(key)
  return jwk
}

/**
 * Every way in which a token of an issuer can be wrong, by its name; `good` are claims that it would be
 * taken with. The key must be extractable: its public half serves as an HMAC's secret.
 */
export const badTokens = (key: IssuerKey, good: Claims, header: Claims = {}) =>
  Effect.gen(function* () {
    const now = Math.floor(Date.now() / 1000)
    const token = yield* signed(key, good, header)
    const [head = "", body = "", signature = ""] = token.split(".")
    const jwk = yield* Effect.promise(() => publicJwk(key.private_key))
    const imported = yield* Effect.promise(async () => {
      const { importJWK } = await import("jose")
      return exportSPKI((await importJWK(jwk, key.alg, { extractable: true })) as CryptoKey)
    })
    const another = yield* Effect.promise(() => generateKeyPair(key.alg))
    const hmac = (secret: string) =>
      signed({ ...key, alg: "HS256", private_key: createSecretKey(Buffer.from(secret)) }, good, header)
    return {
      "has expired, beyond the clock's skew": yield* signed(key, { ...good, exp: now - 61 }, header),
      "is made in the future, beyond the clock's skew": yield* signed(key, { ...good, iat: now + 120 }, header),
      "is not valid before the future, beyond the clock's skew": yield* signed(
        key,
        { ...good, nbf: now + 120 },
        header
      ),
      "never expires": yield* signed(key, { ...good, exp: undefined }, header),
      "is for another audience": yield* signed(key, { ...good, aud: "https://elsewhere.example" }, header),
      "is for no audience": yield* signed(key, { ...good, aud: undefined }, header),
      "is of another issuer": yield* signed(key, { ...good, iss: "https://elsewhere.example" }, header),
      "is of no issuer": yield* signed(key, { ...good, iss: undefined }, header),
      "is for nobody": yield* signed(key, { ...good, sub: undefined }, header),
      "has the algorithm none": `${part({ ...JSON.parse(Buffer.from(head, "base64url").toString()), alg: "none" })}.${body}.`,
      "is signed with the public key as an HMAC's secret (PEM)": yield* hmac(imported),
      "is signed with the public key as an HMAC's secret (x)": yield* hmac(String(jwk.x)),
      "is signed with another key": yield* signed({ ...key, private_key: another.privateKey }, good, header),
      "is signed with a key that nobody published": yield* signed({ ...key, kid: "unknown" }, good, header),
      "brings its own key along": yield* signed({ ...key, private_key: another.privateKey }, good, {
        ...header,
        jwk: yield* Effect.promise(() => exportJWK(another.publicKey))
      }),
      "was tampered with": `${head}.${part({ ...good, sub: "somebody else" })}.${signature}`,
      "lost its signature": `${head}.${body}.`,
      "has half a signature": `${head}.${body}.${signature.slice(0, 20)}`
    }
  })
