// Every page, light, dark and as wide as a phone: no console error, nothing that keeps people out, nothing wider than the window.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sleep } from '../lib/api.js';
import { setUp } from '../lib/authenticator.js';
import { DESKTOP, PHONE, clean, launch, none, open, overflow, picture, signIn, violations, visit } from '../lib/browser.js';
import { Demo, scratch, startEmpty } from '../lib/demo.js';

const MODES = { light: { size: DESKTOP }, dark: { size: DESKTOP, dark: true }, phone: { size: PHONE } };

let demo, browser, own, pages;
const sessions = {};

/** Brings changes into every state that a page shows differently. */
async function prepare(api) {
  const approver = demo.api('approver');
  const submit = async (id) => (await api.act(id, 'submit')).plan_hash;
  const approve = async (id) => { const plan_hash = await submit(id); await approver.act(id, 'approve', { plan_hash }); return plan_hash; };
  const apply = async (id) => approver.act(id, 'apply', { plan_hash: await approve(id) });
  const ends = (id, status) => api.until(`/optimization/recommendations/${id}`, (r) => r.status === status);

  const { items: measured } = await api.post('/benchmarks/runs', { suite: 'parser', runs: benchmarkRuns() });
  const benchmark = measured.find((b) => b.name === 'parse/large').benchmark_id;
  const savings = (await api.openSavings()).map((r) => r.recommendation_id);
  assert.ok(savings.length >= 6, `${savings.length} services can save, six are needed`);
  const [verified, waiting, approved, dismissed, observing, discussed] = savings;
  const all = (await api.get('/optimization/recommendations?view=open&limit=200')).items;
  const refused = all.find((r) => r.refusal)?.recommendation_id;
  assert.ok(refused, 'a Git-managed service has a recommendation');
  const taken = new Set(all.filter((r) => savings.slice(0, 6).includes(r.recommendation_id)).map((r) => r.service_name));
  const victim = (await api.busyServices()).find((s) => !taken.has(s.name));
  const rolledBack = (await api.starve(victim)).recommendation_id;
  await apply(verified);
  await apply(rolledBack);
  await approve(approved);
  await submit(waiting);
  await api.act(dismissed, 'dismiss', { reason: 'The team shrinks it itself next week.' });
  await api.act(discussed, 'comment', { text: 'Does this hold over the end of the quarter?' });
  await ends(verified, 'APPLIED');
  await ends(rolledBack, 'ROLLED_BACK');
  return { verified, waiting, approved, dismissed, observing, discussed, refused, rolledBack, benchmark, service: victim.name };
}

/** A benchmark that became slower half a month ago, and one that has been measured once. */
function benchmarkRuns() {
  const day = 86_400_000;
  const run = (benchmark, daysAgo, value) => ({ benchmark, unit: 'ms', values: [value, value * 1.01, value * 0.99], commit: `c0ffee${daysAgo}`, at: new Date(Date.now() - daysAgo * day).toISOString() });
  const large = Array.from({ length: 30 }, (_, i) => run('parse/large', 30 - i, (i < 15 ? 100 : 130) + (i * 7) % 3));
  return [...large, run('fresh', 0, 5)];
}

before(async () => {
  own = scratch();
  [demo, browser] = await Promise.all([Demo.start({ dir: own.dir }), launch()]);
  const ids = await prepare(await demo.analysed());
  await demo.stop();
  // From here on slowly, so that what is observed stays observed while it is looked at.
  demo = await Demo.start({ dir: own.dir, speed: 20 });
  const [engineer, approver] = [demo.api('engineer'), demo.api('approver')];
  const { plan_hash } = await engineer.act(ids.observing, 'submit');
  await approver.act(ids.observing, 'approve', { plan_hash });
  await approver.act(ids.observing, 'apply', { plan_hash });
  await engineer.until(`/optimization/recommendations/${ids.observing}`, (r) => r.substate === 'OBSERVING');
  for (const role of ['engineer', 'approver', 'admin']) {
    const page = await signIn(await open(browser, demo.address), demo.links[role]);
    sessions[role] = await page.context().storageState();
    await page.close();
  }
  const recommendation = (id) => `/recommendations/${id}`;
  pages = {
    engineer: [
      ['overview', '/'],
      ['overview-memory', '/?resource=memory'],
      ['services', '/services'],
      ['services-none', '/services?q=no-such-service'],
      ['service', `/services/${ids.service}`],
      ['inbox', '/recommendations'],
      ['inbox-done', '/recommendations?view=done'],
      ['recommendation-open', recommendation(ids.discussed)],
      ['recommendation-refused', recommendation(ids.refused)],
      ['recommendation-dismissed', recommendation(ids.dismissed)],
      ['changes', '/changes'],
      ['benchmarks', '/benchmarks'],
      ['benchmarks-worse', '/benchmarks?view=worse'],
      ['benchmark', `/benchmarks/${ids.benchmark}`],
      ['audit', '/audit'],
      ['settings-read', '/settings'],
      ['account', '/account'],
      ['not-found', '/nowhere', 404],
      ['service-unknown', '/services/nowhere', 404],
      ['recommendation-unknown', '/recommendations/nowhere', 404],
      ['benchmark-unknown', '/benchmarks/nowhere', 404],
    ],
    approver: [
      ['inbox-waiting', '/recommendations?view=waiting'],
      ['recommendation-waiting', recommendation(ids.waiting)],
      ['recommendation-approved', recommendation(ids.approved)],
      ['recommendation-observing', recommendation(ids.observing)],
      ['recommendation-verified', recommendation(ids.verified)],
      ['recommendation-rolled-back', recommendation(ids.rolledBack)],
    ],
    admin: [
      ['settings', '/settings'],
      ['settings-scope', '/settings?scope=environment:production'],
      ['users', '/settings/users'],
      ['tokens', '/settings/tokens'],
    ],
  };
});

after(async () => {
  await browser?.close();
  await demo?.stop();
  own?.remove();
});

/** Looks at a page as it stands; returns what is wrong with it. */
async function look(page, name) {
  await sleep(250);
  await picture(page, name);
  const wide = await overflow(page);
  const faults = [...page.faults.splice(0), ...(await violations(page))];
  if (wide > 0) faults.push(`${wide} px wider than the window`);
  return faults.map((fault) => `${name}: ${fault}`);
}

for (const [mode, options] of Object.entries(MODES)) {
  test(`every page, ${mode}`, async () => {
    const faults = [];
    for (const [role, list] of Object.entries(pages)) {
      const page = await open(browser, demo.address, { ...options, session: sessions[role], allow: [404] });
      for (const [name, path, status = 200] of list) {
        const plain = name === 'not-found';
        const answer = await visit(page, path, { door: plain });
        if (answer.status() !== status) faults.push(`${mode}-${name}: status ${answer.status()}, not ${status}`);
        faults.push(...(await look(page, `${mode}-${name}`)));
      }
      await page.close();
    }
    const page = await open(browser, demo.address, options);
    for (const [name, path] of [['sign-in', '/sign-in'], ['sign-in-refused', '/sign-in?error=credentials&name=ann'], ['sign-in-code', '/sign-in/code?code=abc']]) {
      await visit(page, path, { door: true });
      faults.push(...(await look(page, `${mode}-${name}`)));
    }
    await page.close();
    none(faults);
  });
}

for (const [mode, options] of Object.entries(MODES)) {
  test(`what is seen in a service, ${mode}`, async () => {
    const page = await open(browser, demo.address, { ...options, session: sessions.engineer });
    await visit(page, pages.engineer.find(([name]) => name === 'service')[1]);
    const panel = (title) => page.locator('section.panel', { has: page.getByRole('heading', { level: 2, name: title, exact: true }) });
    const ahead = panel('The days ahead');
    await ahead.getByText(/^Highest around .*\(95 %/).first().waitFor();
    assert.ok((await ahead.locator('.chart-host svg').count()) >= 3, 'CPU, memory and requests are drawn');
    assert.match(await panel('Among its like').innerText(), /behaves? like it/);
    const odd = panel('Anomalies');
    const links = odd.locator('tbody a');
    assert.ok((await links.count()) >= 1, 'a service that was starved has anomalies');
    await links.last().click();
    await page.waitForURL(/[?&]at=\d+/);
    await odd.getByRole('heading', { name: 'What began it' }).waitFor();
    await odd.locator('tr.on').waitFor();
    none(await look(page, `${mode}-insights`));
    await page.close();
  });
}

test('a recommendation shows what it stands on, and so does its service', async () => {
  const page = await open(browser, demo.address, { session: sessions.engineer });
  const sized = (await demo.api('engineer').openSavings()).find((r) => /^(CPU|Memory) /i.test(r.title));
  await visit(page, `/recommendations/${sized.recommendation_id}`);
  const panel = (title) => page.locator('section.panel', { has: page.getByRole('heading', { level: 2, name: title }) });
  const standsOn = async (where) => {
    const replay = where.getByRole('region', { name: /^Replay of / }).first();
    await replay.waitFor();
    const policies = await replay.locator('tbody th').allInnerTexts();
    for (const policy of ['Headroom', 'Today', 'VPA']) assert.ok(policies.includes(policy), `${policy} is not among ${policies}`);
    const drivers = where.getByRole('list', { name: 'What drives the confidence' }).first().getByRole('listitem');
    assert.match((await drivers.allInnerTexts()).join('\n'), /[+−][\d.]+/);
  };
  await standsOn(page);
  await panel(/the days ahead$/).locator('.chart-host svg').first().waitFor();
  await page.getByRole('heading', { level: 2, name: 'What else is known of this service' }).waitFor();
  await panel('Anomalies').getByText(/UTC|Nothing odd/).first().waitFor();
  await panel('Among its like').getByText(/behaves? like it/).waitFor();
  await page.locator('h1 a').click();
  await page.waitForURL('**/services/*');
  await standsOn(panel(`Behind ${sized.title}`));
  clean(page);
  await page.close();
});

test('benchmarks: what has stepped comes first, and a step is told', async () => {
  const page = await open(browser, demo.address, { session: sessions.engineer });
  await visit(page, '/benchmarks');
  const rows = page.locator('tbody tr');
  assert.deepEqual(await rows.locator('a.strong').allInnerTexts(), ['parse/large', 'fresh']);
  await rows.getByRole('link', { name: 'parse/large' }).click();
  await page.getByRole('heading', { level: 1, name: 'parse/large' }).waitFor();
  assert.match(await page.getByRole('navigation', { name: 'Where you are' }).innerText(), /BM-/);
  await page.getByRole('region', { name: 'Steps' }).getByText('worse').waitFor();
  const against = page.locator('.fig', { hasText: 'Against the baseline' });
  assert.match(await against.innerText(), /Cannot be told[^]*fewer than four values[^]*the baseline is the 10 runs from/);
  clean(page);
  await page.close();
});

test('a phone finds its way to the benchmarks', async () => {
  const page = await open(browser, demo.address, { ...MODES.phone, session: sessions.engineer });
  await visit(page, '/');
  await page.getByRole('link', { name: 'More' }).click();
  await page.getByRole('navigation', { name: 'Settings' }).getByRole('link', { name: 'Benchmarks' }).click();
  await page.getByRole('heading', { level: 1, name: 'Benchmarks' }).waitFor();
  clean(page);
  await page.close();
});

test('menus and dialogs', async () => {
  const page = await open(browser, demo.address, { session: sessions.approver });
  const faults = [];
  await visit(page, '/recommendations');
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  faults.push(...(await look(page, 'dialog-keys')));
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+k');
  const field = page.getByRole('combobox', { name: 'Find a page or a service' });
  await field.fill('audit');
  await page.getByRole('option', { name: 'Audit', exact: true }).waitFor();
  faults.push(...(await look(page, 'dialog-palette')));
  await field.press('Enter');
  await page.waitForURL('**/audit');
  await page.locator('summary.avatar').click();
  faults.push(...(await look(page, 'menu-account')));
  await visit(page, pages.approver.find(([name]) => name.endsWith('verified'))[1]);
  await page.locator('.bar summary', { hasText: 'Roll back' }).click();
  faults.push(...(await look(page, 'menu-roll-back')));
  await page.close();
  none(faults);
});

test('rows are moved through and ticked by keyboard', async () => {
  const page = await open(browser, demo.address, { session: sessions.engineer });
  await visit(page, '/recommendations');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  assert.match(await page.locator('#batch tbody tr').first().getAttribute('class'), /\bat\b/);
  await page.keyboard.press('x');
  await page.getByText('1 selected').waitFor();
  clean(page);
  await page.close();
});

test('the first run', async () => {
  const server = await startEmpty();
  try {
    const faults = [];
    for (const [mode, options] of Object.entries(MODES)) {
      const page = await open(browser, server.address, options);
      await visit(page, '/', { door: true });
      assert.equal(new URL(page.url()).pathname, '/first-run');
      faults.push(...(await look(page, `${mode}-first-run`)));
      await page.close();
    }
    const page = await open(browser, server.address);
    await visit(page, '/first-run', { door: true });
    const enter = async (code, name, password) => {
      await page.getByLabel('Code from the log').fill(code);
      await page.getByLabel('Your name').fill(name);
      await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: 'Create and sign in' }).click();
    };
    await enter('not-the-code', 'root', 'correct horse battery');
    await page.getByText('This is not the code in the log').waitFor();
    assert.equal(await page.getByLabel('Your name').inputValue(), 'root');
    await enter(server.code, 'root', 'correct horse battery');
    await page.getByRole('heading', { name: 'Second factor' }).waitFor();
    faults.push(...(await look(page, 'second-factor-begin')));
    await setUp(page);
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    faults.push(...(await look(page, 'empty-overview')));
    for (const path of ['/services', '/recommendations', '/changes']) {
      await visit(page, path);
      faults.push(...(await look(page, `empty-${path.slice(1)}`)));
    }
    await page.close();
    none(faults);
  } finally {
    await server.stop();
  }
});
