// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Chromium, and what is looked at on every page.

import { createHmac } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const input = JSON.parse(readFileSync(0, "utf8"));

// findings are what should not be. A run without any is good.
export const findings = [];
export const fail = (text) => findings.push(text);
export const check = (ok, text) => ok || fail(text);

export const launch = () => chromium.launch({ executablePath: input.chromium, args: ["--no-sandbox", "--disable-gpu", "--disable-lcd-text", "--disable-dev-shm-usage"] });

// A status that is not 200 is for the journey to judge. Browsers complain of each.
const ordinary = /^Failed to load resource: the server responded with a status of 4\d\d/;

// visitor is a person with a browser of their own. Whatever the browser complains of is a finding.
export async function visitor(browser, options = {}) {
	const { baseURL } = options = { baseURL: input.url, ...options };
	const context = await browser.newContext({ timezoneId: "Asia/Kolkata", locale: "en-GB", viewport: { width: 1280, height: 800 }, ...options });
	context.setDefaultTimeout(30_000);
	await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: baseURL });
	await context.addInitScript(() => document.addEventListener("securitypolicyviolation", (e) => console.error(`policy violated: ${e.violatedDirective} by ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`)));
	const page = await context.newPage();
	page.on("console", (m) => ["error", "warning"].includes(m.type()) && !ordinary.test(m.text()) && fail(`${page.url()}: the browser says ${m.text()}`));
	page.on("pageerror", (e) => fail(`${page.url()}: a script failed: ${e.message}`));
	page.on("requestfailed", (r) => !/ERR_ABORTED/.test(r.failure()?.errorText) && fail(`${r.url()}: ${r.failure()?.errorText}`));
	page.on("request", (r) => check(r.url().startsWith(baseURL + "/"), `a page loads ${r.url()}`));
	return page;
}

// looks reports what keeps a page from being read: by somebody whom a machine helps, in the light
// and in the dark, and on a narrow screen.
export async function looks(page, schemes = ["light", "dark"]) {
	const where = new URL(page.url()).pathname;
	for (const scheme of schemes) {
		await page.emulateMedia({ colorScheme: scheme });
		if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
		// The second time only colours differ.
		const found = await page.evaluate((only) => axe.run(document, { resultTypes: ["violations"], ...(only ? { runOnly: only } : {}) }), scheme === schemes[0] ? null : ["color-contrast", "link-in-text-block"]);
		for (const v of found.violations) {
			const at = v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 160)} (${n.failureSummary?.split("\n").slice(1, 3).join("; ").trim()})`);
			if (["serious", "critical"].includes(v.impact)) fail(`${where}, ${scheme}: ${v.id} (${v.impact}): ${at.join(" | ")}`);
		}
	}
	await page.emulateMedia({ colorScheme: schemes[0] });
}

// tooWide names what sticks out of the window.
export const tooWide = (page) => page.evaluate(() => {
	const root = document.documentElement;
	if (root.scrollWidth <= innerWidth) return "";
	const out = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, pre"));
	return `${root.scrollWidth} of ${innerWidth} px: ` + out.slice(0, 3).map((e) => e.outerHTML.slice(0, 120)).join(" | ");
});

// Authenticator is an app that shows one-time codes (RFC 6238). A code counts once, and the server
// takes those of the step before and after its own: three can be had at once.
export class Authenticator {
	#key;
	#step = 0;

	constructor(uri) {
		const bits = [...new URL(uri).searchParams.get("secret")].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
		this.#key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
	}

	async code() {
		const period = 30;
		const now = () => Date.now() / 1000;
		// Not the code of a step that leaves the server's view while the request is under way.
		this.#step = Math.max(this.#step + 1, Math.floor((now() + 2) / period) - 1);
		while (this.#step > Math.floor(now() / period) + 1) await new Promise((r) => setTimeout(r, 100));
		const counter = Buffer.alloc(8);
		counter.writeBigUInt64BE(BigInt(this.#step));
		const mac = createHmac("sha1", this.#key).update(counter).digest();
		return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1e6).padStart(6, "0");
	}
}

export async function signIn(page, who, code) {
	await page.goto("/sign-in");
	await page.getByLabel("E-mail address").fill(who.email);
	await page.getByLabel("Password").fill(who.password);
	if (code) await page.getByLabel("Code of your second factor").fill(code);
	await page.getByRole("button", { name: "Sign in" }).click();
	await page.waitForURL((u) => u.pathname !== "/sign-in");
}

// until asks again and again until the answer is yes.
export async function until(what, ask) {
	for (const end = Date.now() + 30_000; Date.now() < end; await new Promise((r) => setTimeout(r, 250))) {
		if (await ask()) return;
	}
	throw new Error(`${what}: not within 30 s`);
}

// linkFor waits for a mail to the address and returns the link in it.
export async function linkFor(address) {
	let link;
	await until(`a mail to ${address}`, () => {
		const mails = readdirSync(input.outbox).map((name) => readFileSync(`${input.outbox}/${name}`, "utf8"));
		const text = mails.find((m) => m.includes(address));
		link = text?.match(/https?:\/\/\S+/)?.[0];
		return link;
	});
	// The server was told to listen on any port, and mails name none that there is.
	const { pathname, search } = new URL(link);
	return pathname + search;
}
