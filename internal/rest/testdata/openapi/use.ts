// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// A client as somebody would write it on types made of docs/openapi.json. It is compiled, not
// run: a member that the document loses, or one that changes its type, ends the compilation.
import type { paths } from "./schema";

type Body<O> = O extends { requestBody: { content: { "application/json": infer B } } } ? B : O extends { requestBody?: { content: { "application/json": infer B } } } ? B : never;
type Answer<O, S extends number> = O extends { responses: { [K in S]: { content: { "application/json": infer B } } } } ? B : never;
type Query<O> = O extends { parameters: { query?: infer Q } } ? Q : never;

const server = "https://keys.example.com";

async function call<T>(method: string, path: string, token: string, body?: unknown): Promise<T> {
  const answer = await fetch(server + path, {
    method,
    headers: { Authorization: "Bearer " + token, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(String(answer.status));
  return (await answer.json()) as T;
}

type Create = paths["/v1/keys"]["post"];
type List = paths["/v1/keys"]["get"];
type Rotate = paths["/v1/keys/{kid}/rotate"]["post"];
type Rotation = paths["/v1/keys/{kid}/rotation"]["get"];
type Verify = paths["/v1/verify"]["post"];

export async function life(token: string): Promise<string> {
  const wanted: Body<Create> = { owner: "you@example.com", schemes: ["bearer"], limits: [{ name: "calls", count: 100, period_ms: 60000 }] };
  // @ts-expect-error an owner is demanded
  const without: Body<Create> = { schemes: ["bearer"] };
  // @ts-expect-error a list of words
  const wrong: Body<Create> = { owner: "you@example.com", schemes: "bearer" };
  const key = await call<Answer<Create, 201>>("POST", "/v1/keys", token, wanted);
  const secret: string = key.secret;
  const scopes: string[] = key.scopes;

  const query: Query<List> = { state: ["active"], scheme: "bearer", limit: 10 };
  const page = await call<Answer<List, 200>>("GET", "/v1/keys?limit=" + query?.limit, token);
  const first: string | undefined = page.keys[0]?.kid;
  const next: string | undefined = page.next;

  const grace: Body<Rotate> = { grace_s: 3600 };
  const fresh = await call<Answer<Rotate, 200>>("POST", "/v1/keys/" + key.kid + "/rotate", token, grace);
  const where = await call<Answer<Rotation, 200>>("GET", "/v1/keys/" + key.kid + "/rotation", token);
  const safe: boolean = where.safe_to_finish;

  const asked: Body<Verify> = { method: "GET", target: "/", headers: { Authorization: ["Bearer " + fresh.token] } };
  const decision = await call<Answer<Verify, 200>>("POST", "/v1/verify", token, asked);
  const granted: boolean = decision.granted;
  // @ts-expect-error there is no such member
  decision.allowed;
  return [secret, scopes, first, next, safe, granted, without, wrong].join();
}
