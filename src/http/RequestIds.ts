// A caller's id is kept when it can stand in a log line and a header as it is.
const acceptable = /^[\w.:+/=-]{1,128}$/

/** The id that a caller gave its request, or a new one. */
export const requestId = (given: string | null | undefined, next: () => string): string =>
  given !== null && given !== undefined && acceptable.test(given) ? given : next()
