// The same loop with curl alone: rest.sh.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { binary } from '../lib/demo.js';

test('the loop through REST alone, with the one file in an empty directory', async () => {
  const child = spawn('bash', [fileURLToPath(new URL('../rest.sh', import.meta.url))], { env: { ...process.env, HEADROOM_BIN: binary } });
  let said = '';
  child.stdout.on('data', (d) => { said += d; });
  child.stderr.on('data', (d) => { said += d; });
  const code = await new Promise((done) => child.once('close', done));
  assert.equal(code, 0, said);
});
