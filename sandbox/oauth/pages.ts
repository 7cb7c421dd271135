const style = `
  body { font: 16px/1.5 system-ui, sans-serif; margin: 0; color: #1b2733; background: #f3f5f7 }
  main { max-width: 22rem; margin: 10vh auto; padding: 2rem; background: #fff; border-radius: 8px }
  h1 { font-size: 1.25rem; margin: 0 0 .25rem }
  label { display: block; margin-top: 1rem; font-weight: 600 }
  input { box-sizing: border-box; width: 100%; padding: .5rem; font: inherit; border: 1px solid #6b7780; border-radius: 4px }
  button { margin: 1.5rem .5rem 0 0; padding: .5rem 1.25rem; font: inherit; border: 1px solid #0b5c7d; border-radius: 4px }
  button:first-of-type { color: #fff; background: #0b5c7d }
  button:last-of-type { color: #0b5c7d; background: #fff }
  .error { margin: 1rem 0 0; padding: .5rem .75rem; color: #8a1c1c; background: #fdecec; border-radius: 4px }
`;

/** The sign-in form: a plain POST that works without JavaScript. */
export function loginPage(action: string, email: string, error: string | undefined): string {
  const problem = error ? `<p class="error" id="error" role="alert">${escape(error)}</p>` : '';
  const described = error ? ' aria-describedby="error" aria-invalid="true"' : '';
  return page(
    'Sign in',
    `<h1>Sign in to NeonPanel</h1>
    <p>Sandbox: invented users and data, for development.</p>
    ${problem}
    <form method="post" action="${escape(action)}">
      <label for="email">E-mail</label>
      <input id="email" name="email" type="email" autocomplete="username" required value="${escape(email)}"${described}>
      <label for="password">Password</label>
      <input id="password" name="password" type="password" autocomplete="current-password" required${described}>
      <button type="submit">Sign in</button>
      <button type="submit" name="cancel" value="1" formnovalidate>Cancel</button>
    </form>`,
  );
}

export function loggedOutPage(): string {
  return page('Signed out', '<h1>Signed out</h1><p>The sandbox has forgotten this browser.</p>');
}

export function homePage(issuer: string): string {
  return page(
    'Sandbox',
    `<h1>NeonPanel sandbox</h1>
    <p>A stand-in for NeonPanel with invented users and data. Issuer: ${escape(issuer)}</p>
    <p><a href="/.well-known/oauth-authorization-server">Metadata</a>,
    <a href="/_sandbox/faults">fault switches</a>, <a href="/logout">sign out</a></p>`,
  );
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${title} · NeonPanel sandbox</title>
  <style>${style}</style>
</head>
<body><main>${body}</main></body>
</html>`;
}

function escape(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replaceAll(/[&<>"']/g, (character) => entities[character]!);
}
