// A newcomer's walk, step by step with a picture each. It goes to end2end/out/docs, so that a test run leaves the repository as it was;
// `npm --prefix end2end run walk` then writes docs/WALK.md anew, if the walk came to its end.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { apply, approve, becomes, propose, rollBack, shownRecommendation, submit } from '../lib/acts.js';
import { sleep } from '../lib/api.js';
import { clean, launch, open, out, signIn, visit } from '../lib/browser.js';
import { Demo } from '../lib/demo.js';

const LARGEST_PICTURE = 200_000;
const folder = join(out, 'docs');
const steps = [];
let demo, browser, engineer, approver, api, saving, victim;

before(async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'walk'), { recursive: true });
  // Slow enough to see an observation on its way, fast enough not to wait for it.
  [demo, browser] = await Promise.all([Demo.start({ speed: 600 }), launch()]);
  api = await demo.analysed();
  saving = (await api.openSavings())[0];
  victim = (await api.busyServices()).find((s) => s.name !== saving.service_name);
  [engineer, approver] = await Promise.all([1, 2].map(() => open(browser, demo.address, { motion: 'no-preference' })));
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

/** One step: its picture, of the window as it stands, and what it shows. */
async function step(page, name, title, text) {
  await sleep(700);
  const file = `walk/${String(steps.length + 1).padStart(2, '0')}-${name}.png`;
  await page.screenshot({ path: join(folder, file), animations: 'disabled', caret: 'hide' });
  const { size } = statSync(join(folder, file));
  assert.ok(size < LARGEST_PICTURE, `${file} has ${size} bytes`);
  steps.push({ file, title, text });
}

const show = (page, text) => page.getByRole('heading', { name: text }).first().evaluate((e) => e.scrollIntoView({ block: 'start' }));

test('a newcomer from the start to a roll-back', async () => {
  await visit(engineer, demo.links.engineer, { door: true });
  await step(engineer, 'sign-in', 'Sign in', 'Open the engineer’s link. Looking at it uses nothing up; the button does.');
  await signIn(engineer, demo.links.engineer);
  await visit(engineer, '/');
  await step(engineer, 'overview', 'Overview', 'What the services cost, what changes have achieved so far, what is still open, and where use is far from what is asked for.');
  await visit(engineer, '/services?sort=-saving');
  await step(engineer, 'services', 'Services', 'Use (grey) against the request (dashed), the largest savings first. Filters and order are in the address.');
  await visit(engineer, `/services/${saving.service_name}`);
  await step(engineer, 'service', 'One service', `${saving.service_name}: use against request and limit with what is proposed, findings, parameters, and what it calls.`);
  await visit(engineer, '/recommendations');
  await step(engineer, 'inbox', 'Recommendations', 'Everything that is proposed, by priority. Several can be submitted at once.');
  await visit(engineer, `/recommendations/${saving.recommendation_id}`);
  await step(engineer, 'recommendation', 'One recommendation', 'What it saves, how sure that is, and the service’s own past that says so.');
  await show(engineer, 'Exactly what will change');
  await step(engineer, 'plan', 'The plan', 'Exactly what will change, line by line, and the same days replayed under other policies.');
  await submit(engineer);
  await engineer.evaluate(() => window.scrollTo(0, 0));
  await step(engineer, 'submitted', 'Submit', 'It waits for someone else: who submits does not approve.');

  await signIn(approver, demo.links.approver);
  await visit(approver, '/recommendations?view=waiting');
  await step(approver, 'waiting', 'The approver', 'In another browser, the approver’s link. What waits is counted in the navigation.');
  await visit(approver, `/recommendations/${saving.recommendation_id}`);
  await approve(approver);
  await step(approver, 'approved', 'Approve', 'The approval holds for this plan alone; any difference voids it.');
  await apply(approver);
  await becomes(approver, 'Observing');
  await approver.evaluate(() => window.scrollTo(0, 0));
  await step(approver, 'observing', 'Apply and observe', 'A worker writes the change; its guards are watched for two hours of the cluster’s time.');
  await becomes(approver, 'Verified');
  await show(approver, 'What it did');
  await step(approver, 'verified', 'Verified', 'What it did, measured at like load and like hour of the same service, beside what was promised.');

  await visit(engineer, `/services/${victim.name}`);
  const values = { [`containers.${victim.container}.requests.cpu`]: '20m', [`containers.${victim.container}.limits.cpu`]: '20m' };
  await propose(engineer, victim.name, values, 'It was idle when I looked.');
  const harmful = await shownRecommendation(engineer);
  await engineer.getByRole('list', { name: 'Where it stands' }).waitFor();
  await step(engineer, 'harmful', 'A bad idea', `The engineer asks for far too little CPU for ${victim.name}. The replay says what to expect.`);
  await submit(engineer);
  await visit(approver, `/recommendations/${harmful}`);
  await approve(approver);
  await apply(approver);
  await becomes(approver, 'Rolled back');
  await approver.evaluate(() => window.scrollTo(0, 0));
  await step(approver, 'rolled-back-by-itself', 'Rolled back by itself', 'Approved and applied all the same: the guards break, and the recorded values are written back with the reason.');

  await visit(approver, `/recommendations/${saving.recommendation_id}`);
  await rollBack(approver, 'We keep the slack until the release is out.');
  await becomes(approver, 'Rolled back');
  await approver.evaluate(() => window.scrollTo(0, 0));
  await step(approver, 'rolled-back-by-hand', 'Rolled back by hand', 'A good change can be taken back at any time, too, without an approval but with a reason.');
  await visit(approver, '/changes');
  await step(approver, 'changes', 'Changes', 'What was carried out, by whom, what it promised and what it did.');
  await visit(approver, '/audit');
  await step(approver, 'audit', 'Audit', 'Every step, on both clocks, in a chain of hashes that headroom verify-audit checks.');
  clean(engineer);
  clean(approver);
  write();
  if (process.env.WALK) publish();
});

/** Puts the whole walk into the repository, once it has come to its end. */
function publish() {
  const docs = fileURLToPath(new URL('../../docs/', import.meta.url));
  rmSync(join(docs, 'walk'), { recursive: true, force: true });
  cpSync(folder, docs, { recursive: true });
}

function write() {
  const intro = [
    '# A walk through Headroom',
    '',
    'From a clean checkout to a change that was applied, measured and taken back. This page and its pictures are written by the browser test',
    '(`npm --prefix end2end run walk`), against the real binary and its simulated cluster.',
    '',
    '## Start',
    '',
    '    make run',
    '',
    'This sets up what is missing, builds, starts Headroom with a simulated cluster at http://127.0.0.1:3000 and prints a one-time sign-in link for',
    'an engineer, a manager, an approver and an administrator. The cluster’s time runs 60 times as fast as yours, so that two hours of observation pass in',
    'two minutes; `make run ARGS="--speed 600"` makes it twelve seconds, as in these pictures.',
    '',
  ];
  const parts = steps.flatMap(({ file, title, text }, i) => [`## ${i + 1}. ${title}`, '', text, '', `![${title}](${file})`, '']);
  writeFileSync(join(folder, 'WALK.md'), [...intro, ...parts].join('\n'));
}
