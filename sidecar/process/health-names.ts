/**
 * Services of the health protocol that stand for no service of ours. Apart from the app, so that
 * asking is quick.
 */

/** The process answers: it must not be restarted because it is still recovering, or stopping. */
export const LIVENESS = "liveness";

/** The sidecar should get calls. */
export const READINESS = "readiness";
