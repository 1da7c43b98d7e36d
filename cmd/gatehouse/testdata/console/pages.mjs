// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Follows the links of the console, as its readers may, and sends its forms, and looks at every page.

import { check, fail, findings, input, launch, signIn, visitor } from "./browser.mjs";
import { fresh, holder, newcomer, operator } from "./forms.mjs";
import { look, seen } from "./look.mjs";

const mostBytes = 100_000;

// kind is what a path is a page of: ids and names in it do not make another.
const kind = (path) => path.split("/").map((part, i) => (i > 1 && /[\dA-Z@%]/.test(part) ? "id" : part)).join("/");

// weigh counts the bytes that a page loads, header fields included.
async function weigh(page) {
	const session = await page.context().newCDPSession(page);
	await session.send("Network.enable");
	await session.send("Network.setCacheDisabled", { cacheDisabled: true });
	const weight = { bytes: 0 };
	session.on("Network.loadingFinished", (e) => { weight.bytes += e.encodedDataLength; });
	return weight;
}

const report = [];

// open loads a page, looks at it and returns where it leads to.
async function open(page, weight, path, name) {
	weight.bytes = 0;
	const answer = await page.goto(path, { waitUntil: "load" });
	check(answer.status() === 200, `${path}: ${answer.status()}`);
	check(weight.bytes < mostBytes, `${path}: loads ${weight.bytes} bytes`);
	const { bytes } = weight;
	await look(page, name);
	const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
	report.push({ path: kind(path), paint: Math.round(paint), bytes });
	return page.evaluate(() => [...document.querySelectorAll("a[href^='/']")].filter((a) => !a.hasAttribute("download")).map((a) => a.getAttribute("href")));
}

// walk looks at one page of each kind that can be reached.
async function walk(browser, who, starts) {
	const page = await visitor(browser, who.options);
	if (who.email) await signIn(page, who);
	const weight = await weigh(page);
	const been = new Set(who.skip), queue = [...starts];
	while (queue.length) {
		const path = queue.shift();
		const k = kind(path.split(/[?#]/)[0]);
		if (been.has(k) || /^\/(api|v1|assets)\//.test(path)) continue;
		been.add(k);
		try {
			queue.push(...await open(page, weight, path, who.name + k.replaceAll("/", "-")));
		} catch (e) {
			fail(`${path}: ${e.message.split("\n")[0]}`);
		}
	}
	return page;
}

const browser = await launch();
const go = (name, what) => what.catch((e) => fail(`${name}: ${e.message.split("\n").slice(0, 4).join(" ")}`));
try {
	// Few at a time: how soon a page is painted is measured.
	const apart = go("the newcomer", newcomer(browser)).then(() => go("the fresh server", fresh(browser)));
	await walk(browser, { name: "stranger", skip: ["/"] }, ["/sign-in", "/register", "/register/sent", "/forgot", "/forgot/sent", "/accounts/confirmation", "/accounts/password_reset"]);
	const held = await walk(browser, { name: "holder", ...input.holder, skip: ["/"] }, ["/keys", "/account", "/service-accounts"]);
	const holding = go("the holder", holder(held));
	const operated = await walk(browser, { name: "operator", ...input.operator, skip: ["/", "/keys", "/account"] }, ["/operate", "/service-accounts"]);
	await Promise.all([apart, holding, go("the operator", operator(operated))]);
} catch (e) {
	fail(e.message);
} finally {
	await browser.close();
}
check(seen.charts, "no page has a chart");
console.log(JSON.stringify({ findings, report }));
