// The real binary with its simulated cluster, on a free loopback port and in a temporary directory.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Api } from './api.js';

const here = fileURLToPath(new URL('..', import.meta.url));

/** The binary under test. */
export const binary = resolve(here, process.env.HEADROOM_BIN ?? '../target/release/headroom');

// Headroom reads HEADROOM_* as its configuration, and a story brings its own.
const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('HEADROOM_')));

const START_MS = 120_000;
const END_MS = 20_000;

/** Ends a process in order, and hard if it does not listen. */
async function end(child, ended) {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), END_MS);
  await ended;
  clearTimeout(late);
}

/** Starts `headroom` and reads its lines until `ready` says that it can be used; returns how to end it, in order or at once. */
export async function start(args, ready, settings = {}) {
  const child = spawn(binary, args, { env: { ...env, ...settings }, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = [];
  const ended = new Promise((done) => child.once('close', done));
  await new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`headroom ${args[0]} was not ready in time:\n${log.join('\n')}`)), START_MS);
    const stop = (outcome, value) => { clearTimeout(timer); outcome(value); };
    const read = (line) => { log.push(line); if (ready(line)) stop(done); };
    createInterface(child.stdout).on('line', read);
    createInterface(child.stderr).on('line', read);
    child.once('error', (e) => stop(fail, e));
    child.once('close', (code) => stop(fail, new Error(`headroom ${args[0]} ended with ${code}:\n${log.join('\n')}`)));
  }).catch(async (e) => { if (child.pid) await end(child, ended); throw e; });
  const kill = () => { child.kill('SIGKILL'); return ended; };
  return { log, kill, stop: () => end(child, ended) };
}

/** What a `headroom` command says, once it has ended well. */
export function said(args, settings = {}) {
  const done = spawnSync(binary, args, { env: { ...env, ...settings }, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`headroom ${args.join(' ')}: ${done.stderr}`);
  return done.stdout.trim();
}

/** Creates a user; the code of their first sign-in. */
export const newUser = (name, role, where, settings) => said(['user', 'create', name, '--role', role, ...where], settings).match(/for a day: (\w+)/)[1];

/** A fresh directory, and its removal. */
export function scratch() {
  const dir = mkdtempSync(join(tmpdir(), 'headroom-end2end-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** `headroom demo`, running. */
export class Demo {
  /** Starts it; with `dir` it goes on where an earlier one ended. */
  static async start({ speed = 1800, dir = null, services = null, seed = null } = {}) {
    const demo = new Demo();
    demo.own = dir ? null : scratch();
    demo.dir = dir ?? demo.own.dir;
    demo.links = {};
    const args = ['demo', '--port', '0', '--speed', String(speed), '--data-dir', demo.dir];
    if (services) args.push('--services', String(services));
    if (seed) args.push('--seed', String(seed));
    try {
      demo.process = await start(args, (line) => demo.#read(line));
    } catch (e) {
      demo.own?.remove();
      throw e;
    }
    return demo;
  }

  #read(line) {
    this.address ??= line.match(/^Headroom is at (\S+)/)?.[1];
    const link = line.match(/^\s+(\w+)\s+(\S+\/sign-in\/code\?code=\S+)/);
    if (link) this.links[link[1]] = link[2];
    return this.address && Object.keys(this.links).length === 4;
  }

  /** REST as this user, with a token from the command line. */
  api(user) {
    return new Api(this.address, said(['token', 'create', '--user', user, '--data-dir', this.dir]));
  }

  /** What `headroom promises` prints. */
  promises() {
    return `${said(['promises', '--data-dir', this.dir])}\n`;
  }

  /** One analysis of the fleet, and then none by itself: at a high speed the next one would replace what a story looks at. */
  async analysed() {
    await this.api('admin').send('PUT', '/policy', { scope: 'fleet', key: 'analysis_interval', value: '30d' });
    const engineer = this.api('engineer');
    const { job_id } = await engineer.post('/optimization/analyze', { service_name: 'fleet' });
    await engineer.until(`/optimization/jobs/${job_id}`, (job) => job.status !== 'ANALYZING');
    return engineer;
  }

  async stop() {
    await this.process.stop();
    this.own?.remove();
  }
}

/** `headroom serve` in an empty directory: nobody can sign in yet. */
export async function startEmpty() {
  const { dir, remove } = scratch();
  const found = {};
  const read = (line) => {
    found.code ??= line.match(/administrator with the code (\w+)/)?.[1];
    found.address ??= line.match(/open (http:\S+)\/first-run/)?.[1];
    return found.code && found.address && line.includes('Headroom listens at');
  };
  try {
    const server = await start(['serve', '--bind', '127.0.0.1:0', '--data-dir', dir], read);
    return { ...found, stop: async () => { await server.stop(); remove(); } };
  } catch (e) {
    remove();
    throw e;
  }
}
