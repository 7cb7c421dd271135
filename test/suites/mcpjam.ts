import { connect } from '../support/oauth.ts';
import type { Suite } from './suite.ts';

/** What is used of `@mcpjam/sdk`; its own types want packages that are not there. */
interface Sdk {
  OAuthConformanceTest: new (config: object) => { run(): Promise<Result> };
  MCPConformanceTest: new (config: object) => { run(): Promise<Result> };
}

interface Result {
  readonly passed: boolean;
  readonly summary: string;
  readonly steps?: readonly Step[];
  readonly checks?: readonly Step[];
}

interface Step {
  readonly title: string;
  readonly status: string;
  readonly error?: { readonly message: string };
}

const PACKAGE: string = '@mcpjam/sdk';
const load = async () => (await import(PACKAGE)) as Sdk;

/** The whole sign-in as each revision has it, and then wrong on purpose. */
const oauth = (protocolVersion: string): Suite => ({
  name: `mcpjam: OAuth, ${protocolVersion}`,
  async run({ harness, signIn }) {
    const { OAuthConformanceTest } = await load();
    const test = new OAuthConformanceTest({
      serverUrl: `${harness.url}/mcp`,
      protocolVersion,
      registrationStrategy: 'dcr',
      auth: { mode: 'interactive', openUrl: signIn },
      oauthConformanceChecks: true,
      verification: { listTools: true, callTool: { name: 'listCompanies' } },
    });
    check(await test.run());
  },
});

const protocol: Suite = {
  name: 'mcpjam: protocol',
  async run({ harness }) {
    const { MCPConformanceTest } = await load();
    const { tokens } = await connect(harness);
    const serverUrl = `${harness.url}/mcp`;
    check(await new MCPConformanceTest({ serverUrl, accessToken: tokens.access_token }).run());
  },
};

function check({ passed, summary, steps, checks }: Result): void {
  if (passed) return;
  const failed = [...(steps ?? []), ...(checks ?? [])].filter(({ status }) => status === 'failed');
  const lines = failed.map(({ title, error }) => `${title}: ${error?.message}`);
  throw new Error([summary, ...lines].join('\n'));
}

export const mcpjam = [oauth('2025-03-26'), oauth('2025-06-18'), oauth('2025-11-25'), protocol];
