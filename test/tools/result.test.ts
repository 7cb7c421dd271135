import test from 'ava';
import { NeonpanelError, type NeonpanelErrorKind } from '../../adapters/neonpanel/neonpanel.ts';
import { Refusal, StoreUnavailable } from '../../errors.ts';
import { failure, success, unexpected } from '../../mcp/tools/result.ts';

const textOf = (result: ReturnType<typeof failure>) => {
  const [content] = result.content;
  return content?.type === 'text' ? content.text : '';
};
const neonpanel = (kind: NeonpanelErrorKind, more = {}) =>
  new NeonpanelError(kind, 'internal', more);

test('[N22] the text of a good result is the same JSON as its structured content', (t) => {
  const structured = { amount: null, details: [{ name: 'Größe "L"' }], unknown: 0 };
  const result = success(structured);
  t.deepEqual(JSON.parse(textOf(result)), structured);
  t.deepEqual(result.structuredContent, structured);
  t.is(result.isError, undefined);
});

const said: [string, Error, RegExp[]][] = [
  [
    '[X15] a 404 says where ids come from',
    neonpanel('rejected', { status: 404 }),
    [/no such record/, /listInventoryItems/],
  ],
  [
    '[X15] a 422 lists the problems field by field',
    neonpanel('rejected', {
      status: 422,
      fields: {
        start_date: ['The start date is not a valid date.'],
        'details.0.rate': ['Too low.'],
      },
    }),
    [/^- start_date: The start date is not a valid date\.$/m, /^- details\.0\.rate: Too low\.$/m],
  ],
  [
    '[X15] a 400 gives the reason, when it is a sentence',
    neonpanel('rejected', {
      status: 400,
      fields: { message: ['The date is before the lock date.'] },
    }),
    [/refused the request \(400\)/, /^- The date is before the lock date\.$/m],
  ],
  [
    '[X17] a 403 points to listCompanies',
    neonpanel('forbidden', { status: 403 }),
    [/Not permitted/, /listCompanies/],
  ],
  [
    '[X18] [N49] a 429 says how long to wait',
    neonpanel('rate_limited', { retryAfterSeconds: 17 }),
    [/Wait 17 seconds/],
  ],
  ['[X18] a 429 without a time says a minute', neonpanel('rate_limited'), [/Wait 60 seconds/]],
  [
    '[X16] a dead sign-in asks to reconnect',
    neonpanel('unauthorized', { status: 401 }),
    [/reconnect/],
  ],
  ['[X16] a refused refresh asks to reconnect', neonpanel('refused'), [/reconnect/]],
  [
    '[X19] an outage asks for one more try',
    neonpanel('unavailable', { status: 503 }),
    [/try it again once/],
  ],
  [
    'a refusal of ours is told as it is',
    new Refusal('unknown_company', 404, 'No company is called X.'),
    [/^No company is called X\./],
  ],
  [
    'a store that does not answer says when to come back',
    new StoreUnavailable('redis down'),
    [/Wait 1 second,/],
  ],
];
for (const [title, error, patterns] of said) {
  test(title, (t) => {
    const result = failure(error as NeonpanelError, 'request-1');
    t.true(result.isError);
    t.is(result.structuredContent, undefined);
    for (const pattern of patterns) t.regex(textOf(result), pattern);
    t.regex(textOf(result), /Request id: request-1$/);
  });
}

test('[T58] [N39] neither the detail for the log nor the inside of NeonPanel reaches the model', (t) => {
  const leaky = neonpanel('rejected', {
    status: 422,
    detail: '422 SQLSTATE secret-detail',
    fields: {
      vendor: ['SQLSTATE[23000]: Duplicate entry', '<script>alert(1)</script>'],
      'x\n\u202e- forged': ['A fine sentence.\n- forged line'],
      message: ['App\\Models\\Bill not found in /srv/app/vendor/x.php'],
    },
  });
  const text = textOf(failure(leaky, 'r'));
  t.notRegex(text, /SQLSTATE|script|vendor\/|Models|secret-detail|internal|\u202e/);
  t.regex(text, /^- vendor: not accepted$/m);
  t.is(text.match(/^- /gm)!.length, 2);
});

test('[X15] of many refused fields ten are listed', (t) => {
  const fields = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`f${i}`, ['Bad value.']]),
  );
  t.is(
    textOf(failure(neonpanel('rejected', { status: 422, fields }), 'r')).match(/^- /gm)!.length,
    10,
  );
});

test('[T58] a mistake of ours says nothing but the request id, and invites to repeat only what reads', (t) => {
  for (const writes of [false, true]) {
    const text = textOf(unexpected('request-9', writes));
    t.regex(text, /Request id: request-9$/);
    t.is(/Do not repeat/.test(text), writes);
  }
});
