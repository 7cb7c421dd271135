import type { Config } from '../config.ts';

/** What `npm start` tells a person: where the server is, who can sign in, and how to connect a client. */
export function welcome(
  { publicUrl, sandbox, loopback }: Config,
  running: { url: string; users: readonly { email: string; password: string }[] } | undefined,
): string {
  const mcp = `${publicUrl}/mcp`;
  const users = running?.users.map(({ email, password }) => `    ${email}  /  ${password}`) ?? [];
  return `
${loopback ? '' : '  WARNING: this server is reachable from outside and runs against the sandbox (ALLOW_SANDBOX=true).\n'}
  MCP server    ${mcp}
  Sign-in       ${publicUrl} (OAuth 2.1, clients register themselves)
${
  running
    ? `  Sandbox       ${running.url} stands in for NeonPanel; sign in there as\n${users.join('\n')}`
    : sandbox.enabled
      ? '  Sandbox       not started, its port is taken (see the log); if that is a sandbox too, it is used'
      : '  NeonPanel     as configured'
}

  Connect a client
    Claude Code     claude mcp add --transport http neonpanel ${mcp}
    Cursor          ~/.cursor/mcp.json:  { "mcpServers": { "neonpanel": { "url": "${mcp}" } } }
    VS Code         code --add-mcp '{"name":"neonpanel","type":"http","url":"${mcp}"}'
    MCP Inspector   npx @modelcontextprotocol/inspector   then Streamable HTTP, ${mcp}
    ChatGPT, Claude on the web: need a public https address. Run a tunnel to this port and start with
                    PUBLIC_URL=https://<tunnel> ALLOW_SANDBOX=true SQLITE_PATH=.data/neonpanel-mcp.db \\
                      MASTER_KEYS=$(cat .data/master.key) npm start
                    then add https://<tunnel>/mcp as a connector.

`;
}
