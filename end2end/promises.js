// Carries out whatever the demonstration recommends, round after round, and prints how far the engine's word could be trusted:
// promised against measured, by strategy, as `headroom promises` tells it. `node end2end/promises.js [SEED …]`, one table per seed.

import { sleep } from './lib/api.js';
import { Demo } from './lib/demo.js';

/** Cluster seconds per second. */
const SPEED = 43_200;
/** What is promised is a mean over the hours of a week, so that is how long every change is watched: fourteen seconds. */
const WATCHED = '7d';
/** Most rounds of analysing and carrying out. */
const ROUNDS = 4;

/** Submits, approves and applies one; says nothing where a rule stands against it: its service is in other hands, its plan is stale. */
async function carryOut(engineer, approver, { recommendation_id: id }) {
  const of = `/optimization/recommendations/${id}`;
  const submitted = await engineer.raw('POST', `${of}/submit`, {});
  if (submitted.status !== 200) return null;
  const seen = { plan_hash: submitted.body.plan_hash };
  await approver.raw('POST', `${of}/approve`, seen);
  return (await approver.raw('POST', `${of}/apply`, seen)).status === 202 ? id : null;
}

async function round(demo, approver) {
  const engineer = await demo.analysed();
  const { items } = await engineer.get('/optimization/recommendations?view=open&limit=200');
  const started = [];
  for (const r of items.filter((r) => !r.refusal)) started.push(await carryOut(engineer, approver, r));
  const ids = started.filter(Boolean);
  // What waits for a worker is, coarsely, still a recommendation: it has not ended.
  const ended = (r) => r.status !== 'APPLYING' && !['SCHEDULED', 'HELD_BY_FREEZE'].includes(r.substate);
  for (const id of ids) await approver.until(`/optimization/recommendations/${id}`, ended, 180_000);
  return ids.length;
}

for (const seed of process.argv.length > 2 ? process.argv.slice(2) : [null]) {
  const demo = await Demo.start({ speed: SPEED, seed });
  try {
    const approver = demo.api('approver');
    await demo.api('admin').send('PUT', '/policy', { scope: 'fleet', key: 'observation_max', value: WATCHED });
    await demo.api('admin').send('PUT', '/policy', { scope: 'fleet', key: 'observation', value: WATCHED });
    for (let i = 0; i < ROUNDS && await round(demo, approver) > 0; i += 1) await sleep(1000);
    console.log(`${seed ? `seed ${seed}\n` : ''}${demo.promises()}`);
  } finally {
    await demo.stop();
  }
}
