// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// What nginx.conf keeps of Gatehouse's answer, and the field of each.
const kept = {
    gate_status: 'X-Auth-Status', gate_error: 'X-Auth-Error', gate_retry: 'Retry-After',
    gate_challenge: 'WWW-Authenticate', gate_accept: 'Accept-Signature',
    gate_limit: 'RateLimit', gate_policy: 'RateLimit-Policy', gate_deprecation: 'Deprecation', gate_sunset: 'Sunset',
    gate_jwt: 'Authorization', gate_key: 'X-Auth-Key-Id', gate_subject: 'X-Auth-Subject', gate_role: 'X-Auth-Role',
    gate_tenant: 'X-Auth-Tenant', gate_scopes: 'X-Auth-Scopes', gate_scheme: 'X-Auth-Scheme', gate_body: 'X-Auth-Body',
};

// ask asks Gatehouse about a request, with its body. An exception is a 500, which nginx.conf makes a refusal.
async function ask(r) {
    if (r.variables.request_body_file) {
        r.internalRedirect('@gatehouse_too_large'); // client_body_buffer_size is less than client_max_body_size
        return;
    }
    const body = r.requestBuffer;
    const check = await r.subrequest('/_gatehouse', { method: 'POST', body: body && body.length > 0 ? body : '' });
    for (const name in kept) {
        r.variables[name] = check.headersOut[kept[name]] || '';
    }
    const granted = check.status === 200 && r.variables.gate_status === '200';
    r.internalRedirect(granted ? '@gatehouse_service' : '@gatehouse_denied');
}

export default { ask };
