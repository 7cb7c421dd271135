/** Why something is wrong and what to do about it, in words. */
export interface Explanation {
  readonly cause: string;
  readonly fix: string;
}

/**
 * What kept a request from being answered.
 *
 * @param error as thrown by undici, node:dns or node:tls
 * @param timeoutMs how long was waited
 */
export function explainFailure(error: Error, url: URL, timeoutMs: number): Explanation {
  const code = codeOf(error);
  const { hostname, host } = url;
  const known = FAILURES.find(([pattern]) => pattern.test(code));
  if (known) return known[1]({ hostname, host, seconds: timeoutMs / 1000 });
  return {
    cause: `${host} can not be talked to: ${code} ${messageOf(error)}`.slice(0, 300),
    fix: 'Try the same address from another network, and look at the log of the proxy in front.',
  };
}

interface About {
  readonly hostname: string;
  readonly host: string;
  readonly seconds: number;
}

/** By the codes of Node, undici and OpenSSL. */
const FAILURES: readonly (readonly [RegExp, (about: About) => Explanation])[] = [
  [
    /^(ENOTFOUND|ENODATA|ESERVFAIL|EAI_AGAIN)/,
    ({ hostname }) => ({
      cause: `DNS: the name ${hostname} has no address`,
      fix: 'Check the spelling; else create the A/AAAA or CNAME record and wait until it has spread.',
    }),
  ],
  [
    /^ECONNREFUSED/,
    ({ host }) => ({
      cause: `connection refused: nothing listens at ${host}`,
      fix: 'Start the server, and let the balancer or firewall forward this port to it.',
    }),
  ],
  [
    /^(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)/,
    ({ hostname }) => ({
      cause: `TLS: the certificate of ${hostname} is expired or not valid yet`,
      fix: 'Renew the certificate, reload whatever serves it, and look why it was not renewed by itself.',
    }),
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID/,
    ({ hostname }) => ({
      cause: `TLS: the certificate is for another host, not for ${hostname}`,
      fix: `Serve a certificate whose subject alternative names contain ${hostname}.`,
    }),
  ],
  [
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN)/,
    ({ hostname }) => ({
      cause: `TLS: the certificate of ${hostname} is self-signed, or signed by an authority nobody knows`,
      fix: 'Use a certificate of a public authority; no hosted client accepts any other.',
    }),
  ],
  [
    /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_GET_ISSUER_CERT_LOCALLY)/,
    ({ hostname }) => ({
      cause: `TLS: the chain of ${hostname} is incomplete; the intermediate certificate is not sent`,
      fix: 'Serve the full chain (fullchain.pem). Browsers fetch what is missing, programs do not.',
    }),
  ],
  [
    /WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH|^HPE_/,
    ({ host }) => ({
      cause: `${host} does not speak the protocol of the address (plain HTTP where TLS was expected, or the reverse)`,
      fix: 'Use the other scheme, or the port where TLS ends.',
    }),
  ],
  [
    /^ERR_SSL|^EPROTO|TLSV1_ALERT|UNSUPPORTED_PROTOCOL/,
    ({ host }) => ({
      cause: `TLS: ${host} and this program have no protocol version or cipher in common`,
      fix: 'Enable TLS 1.2 and 1.3 where TLS ends.',
    }),
  ],
  [
    /^(UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/,
    ({ host }) => ({
      cause: `no connection: ${host} does not answer (a firewall drops the packets, or the address is wrong)`,
      fix: 'Open the port for the internet; compare the address in DNS with the one of the balancer.',
    }),
  ],
  [
    /^(TimeoutError|UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT|ABORT_ERR|23)/,
    ({ host, seconds }) => ({
      cause: `timeout: ${host} took the request and did not answer within ${seconds} s`,
      fix: 'Clients give up after 10 s. Look for what the server waits for: its store, NeonPanel, a lock.',
    }),
  ],
  [
    /^(ECONNRESET|EPIPE|UND_ERR_SOCKET)/,
    ({ host }) => ({
      cause: `connection reset: ${host} closed the connection without an answer`,
      fix: 'A proxy closes it before the server answers (idle time-out, body or header limit), or the process crashed: see both logs.',
    }),
  ],
];

function codeOf(error: Error): string {
  const inner = (error as AggregateError).errors?.[0] ?? error.cause;
  const own = (error as NodeJS.ErrnoException).code;
  if (typeof own === 'string' && own !== 'UND_ERR_INFO') return own;
  if (inner instanceof Error && inner !== error) return codeOf(inner);
  return error.name;
}

const messageOf = (error: Error): string => error.message.split('\n')[0]!;
