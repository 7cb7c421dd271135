import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';

/**
 * A certificate authority of our own and a certificate of it for loopback, made anew for each run: no key is kept in
 * the repository.
 */
export interface Certificates {
  /** The authority's certificate, PEM: whoever trusts it trusts the server. */
  readonly ca: string;
  /** The same as a file, for NODE_EXTRA_CA_CERTS. */
  readonly caFile: string;
  /** What makes a redis-server speak TLS on this port as well. */
  redisArgs(port: number): string[];
  /** The same as lines of a configuration file. */
  redisConfig(port: number): string[];
  remove(): void;
}

export async function makeCertificates(): Promise<Certificates> {
  const authority = await generate([{ name: 'commonName', value: 'Test authority' }], {
    ...KIND,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  const server = await generate([{ name: 'commonName', value: 'localhost' }], {
    ...KIND,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: DNS, value: 'localhost' },
          { type: IP, ip: '127.0.0.1' },
          { type: IP, ip: '::1' },
        ],
      },
    ],
  });

  const folder = mkdtempSync(join(tmpdir(), 'certificates-test-'));
  const save = (name: string, pem: string): string => {
    const path = join(folder, name);
    writeFileSync(path, pem, { mode: 0o600 });
    return path;
  };
  const caFile = save('ca.pem', authority.cert);
  const settings = (port: number): [string, string][] => [
    ['tls-port', String(port)],
    ['tls-cert-file', certFile],
    ['tls-key-file', keyFile],
    ['tls-ca-cert-file', caFile],
    // The client shows no certificate.
    ['tls-auth-clients', 'no'],
  ];
  const certFile = save('server.pem', server.cert);
  const keyFile = save('server.key', server.private);
  return {
    ca: authority.cert,
    caFile,
    redisArgs: (port) => settings(port).flatMap(([name, value]) => [`--${name}`, value]),
    redisConfig: (port) => settings(port).map(([name, value]) => `${name} ${value}`),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const KIND = { keyType: 'ec', algorithm: 'sha256' } as const;
/** Kinds of names in a certificate (RFC 5280 §4.2.1.6). */
const DNS = 2;
const IP = 7;
