// `headroom serve` and `headroom simulator` as they run in production: processes of their own, on SQLite or PostgreSQL. Headroom can be
// killed and started again; the simulator goes on and keeps the evidence.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Api } from './api.js';
import { newUser, said, scratch, start } from './demo.js';

const script = fileURLToPath(new URL('../../scripts/postgres.sh', import.meta.url));

/** A PostgreSQL that ends with this process, or earlier. */
async function postgres() {
  const child = spawn(script, { stdio: ['pipe', 'pipe', 'inherit'] });
  const url = await new Promise((done, fail) => {
    createInterface(child.stdout).once('line', done);
    child.once('close', () => fail(new Error('PostgreSQL did not start')));
  });
  return { url, stop: () => new Promise((done) => { child.once('close', done); child.stdin.end(); }) };
}

export class House {
  static async start({ database, speed = 1800 }) {
    const house = new House();
    house.place = scratch();
    house.postgres = database === 'postgres' ? await postgres() : null;
    const listening = /^simulator listening on (\S+)/;
    house.simulator = await start(
      ['simulator', '--listen', '127.0.0.1:0', '--speed', String(speed), '--data-dir', join(house.place.dir, 'simulator')],
      (line) => { house.cluster ??= line.match(listening)?.[1]; return house.cluster; },
    );
    house.settings = { HEADROOM_DATA_DIR: house.place.dir, HEADROOM_SIMULATOR__URL: house.cluster };
    if (house.postgres) house.settings.HEADROOM_DATABASE__URL = house.postgres.url;
    house.codes = {};
    for (const [name, role] of [['engineer', 'engineer'], ['approver', 'approver'], ['second', 'approver'], ['admin', 'administrator']]) {
      house.codes[name] = newUser(name, role, [], house.settings);
    }
    await house.serve('127.0.0.1:0');
    return house;
  }

  /** Starts Headroom, at the address that it had before if there was one. */
  async serve(bind = new URL(this.address).host) {
    this.headroom = await start(['serve', '--bind', bind], (line) => { this.address ??= line.match(/Headroom listens at (\S+)/)?.[1]; return line.includes('Headroom listens at'); }, this.settings);
  }

  link(name) { return `${this.address}/sign-in/code?code=${this.codes[name]}`; }
  api(name) { return new Api(this.address, said(['token', 'create', '--user', name], this.settings)); }
  said(...args) { return said(args, this.settings); }

  async stop() {
    await this.headroom?.stop();
    await this.simulator?.stop();
    await this.postgres?.stop();
    this.place.remove();
  }
}
