/** Tests send more than a caller may; those of the limits set their own. */
export const unlimited = { RATE_LIMIT_REQUESTS_PER_MINUTE: "off", AUTH_BACKOFF_AFTER: "off" }
