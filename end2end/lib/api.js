// REST as one user: what stories need to find their way, never what they are about.

/** Waits. */
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class Api {
  constructor(address, token) {
    this.base = `${address}/api/v1`;
    this.token = token;
  }

  async raw(method, path, body) {
    const headers = { authorization: `Bearer ${this.token}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const answer = await fetch(this.base + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    return { status: answer.status, body: await answer.json() };
  }

  async send(method, path, body) {
    const answer = await this.raw(method, path, body);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  get(path) { return this.send('GET', path); }
  post(path, body) { return this.send('POST', path, body); }
  recommendation(id) { return this.get(`/optimization/recommendations/${id}`); }
  act(id, verb, body = {}) { return this.post(`/optimization/recommendations/${id}/${verb}`, body); }

  /** Asks again until it is as wanted. */
  async until(path, wanted, ms = 90_000) {
    for (const begin = Date.now(); ; await sleep(200)) {
      const body = await this.get(path);
      if (wanted(body)) return body;
      if (Date.now() - begin > ms) throw new Error(`${path} stays ${JSON.stringify(body).slice(0, 600)}`);
    }
  }

  /** Open recommendations that Headroom may carry out and that save money, the safest first, one per service. */
  async openSavings() {
    const all = await this.get('/optimization/recommendations?optimization_type=RESOURCE_OPTIMIZATION&view=open&limit=200');
    const risks = ['low', 'medium', 'high'];
    const rank = (r) => risks.indexOf(r.risk.toLowerCase());
    const services = new Set();
    return all.items
      .filter((r) => !r.refusal && r.substate === 'OPEN' && r.expected_improvement.cost_reduction_percent > 0)
      .sort((a, b) => rank(a) - rank(b) || b.expected_improvement.confidence - a.expected_improvement.confidence)
      .filter((r) => !services.has(r.service_name) && services.add(r.service_name));
  }

  /** Busy services that Headroom may write to, in nobody's hand, and the container that works in each. */
  async busyServices() {
    const found = [];
    for (const { service_name } of (await this.get('/services?limit=200&sort=-requests')).items) {
      const s = await this.get(`/services/${service_name}`);
      const latest = (metric) => s.latest_metrics[metric]?.value ?? 0;
      const busy = latest('cpu_usage_cores') > 0.2 && latest('latency_p99_ms') > 0;
      const [container, asked] = Object.entries(s.state.containers)[0] ?? [];
      if (busy && asked?.cpu_request && asked.cpu_limit && s.managed === 'direct' && !s.held_by && !s.state.autoscaler) found.push({ name: service_name, container });
    }
    return found;
  }

  /** A person's values that starve a busy service. */
  starve({ name, container }) {
    const fields = { [`containers.${container}.requests.cpu`]: '20m', [`containers.${container}.limits.cpu`]: '20m' };
    return this.post('/optimization/propose', { service_name: name, fields, reason: 'to see what happens' });
  }
}
