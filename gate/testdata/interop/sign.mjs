// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Signs one request with a library that is not ours, sends it and prints what it sent and
// what came back. The request is JSON on standard input: {library, algorithm, keyid,
// secret | privateKey, url, method, body}.
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import { appendSignature, createSignature } from 'http-message-sig';
import { createSigner, httpbis } from 'http-message-signatures';

const q = JSON.parse(readFileSync(0, 'utf8'));
const key = q.privateKey ? crypto.createPrivateKey(q.privateKey) : Buffer.from(q.secret);
const body = q.body || undefined;
const components = ['@method', '@authority', '@path', '@query', 'x-tenant'];
const headers = { 'x-tenant': 'a' };
if (body) {
  headers['content-digest'] = `sha-256=:${crypto.createHash('sha256').update(body).digest('base64')}:`;
  components.push('content-digest');
}
const nonce = crypto.randomUUID();

async function signed() {
  if (q.library === 'http-message-signatures') {
    const message = await httpbis.signMessage({
      key: createSigner(key, q.algorithm, q.keyid),
      name: 'sig1',
      fields: components,
      params: ['created', 'keyid', 'alg', 'nonce'],
      paramValues: { nonce },
    }, { method: q.method, url: q.url, headers });
    return message.headers;
  }
  const request = new Request(q.url, { method: q.method, body, headers });
  const signer = {
    algorithm: q.algorithm,
    sign: async (base) => (q.privateKey
      ? crypto.sign(null, base, key)
      : crypto.createHmac('sha256', key).update(base).digest()),
  };
  const fields = await createSignature(request, {
    label: 'sig1',
    components,
    parameters: { created: Math.floor(Date.now() / 1000), keyid: q.keyid, alg: q.algorithm, nonce },
    signer,
  });
  return { ...headers, ...Object.fromEntries(appendSignature(new Headers(), fields)) };
}

const sent = await signed();
const answer = await fetch(q.url, { method: q.method, body, headers: sent });
console.log(JSON.stringify({ status: answer.status, body: await answer.text(), headers: sent }));
