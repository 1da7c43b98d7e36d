// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Follows the links of the console, as its readers may, and looks at every page. With a folder named
// it writes pictures of them: light and dark, wide and narrow.

import { Authenticator, check, fail, findings, input, launch, looks, signIn, tooWide, visitor } from "./browser.mjs";

const mostBytes = 100_000;
const tallest = 2400; // pixels of a picture; what is longer is a list that goes on

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

async function picture(page, name) {
	if (!input.pictures) return;
	for (const colorScheme of ["light", "dark"]) {
		for (const width of [1280, 360]) {
			await page.emulateMedia({ colorScheme });
			await page.setViewportSize({ width, height: width === 360 ? 740 : 800 });
			await page.waitForTimeout(250); // charts are drawn anew
			const height = Math.min(await page.evaluate(() => document.documentElement.scrollHeight), tallest);
			await page.screenshot({ path: `${input.pictures}/${name}-${colorScheme}-${width}.png`, fullPage: true, clip: { x: 0, y: 0, width, height }, animations: "disabled" });
		}
	}
	await page.setViewportSize({ width: 1280, height: 800 });
}

const report = [];

// shift is how far the page has moved while it loaded.
const shift = (page) => page.evaluate(() => new Promise((done) => {
	let sum = 0;
	new PerformanceObserver((list) => list.getEntries().forEach((e) => { sum += e.hadRecentInput ? 0 : e.value; })).observe({ type: "layout-shift", buffered: true });
	requestAnimationFrame(() => setTimeout(() => done(sum), 50));
}));

// look looks at the page from all sides.
async function look(page, name) {
	const path = page.url().slice(input.url.length);
	const moved = await shift(page);
	check(moved < 0.01, `${path}: the page moves while it loads: ${moved.toFixed(3)}`);
	check((await page.locator("h1").count()) === 1, `${path}: ${await page.locator("h1").count()} h1`);
	const twice = await page.evaluate(() => {
		const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
		return ids.filter((id, i) => ids.indexOf(id) !== i).join(" ");
	});
	check(!twice, `${path}: id twice: ${twice}`);
	const cells = await page.evaluate(() => [...document.querySelectorAll("table:not(.chart *, details *) tbody td")]
		.filter((td) => td.colSpan === 1 && td.dataset.th !== td.closest("table").tHead?.rows[0].cells[td.cellIndex].textContent).map((td) => td.outerHTML.slice(0, 120)));
	check(!cells.length, `${path}: cells that do not name their column: ${cells.slice(0, 3).join(" | ")}`);
	await looks(page);
	await page.setViewportSize({ width: 360, height: 740 });
	const wide = await tooWide(page);
	check(!wide, `${path} at 360 px: ${wide}`);
	const cut = await page.evaluate(() => [...document.querySelectorAll(".scroll:has([data-th])")].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.ariaLabel));
	check(!cut.length, `${path} at 360 px: tables are cut: ${cut}`);
	await page.setViewportSize({ width: 1280, height: 800 });
	await picture(page, name);
}

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
	const seen = new Set(who.skip), queue = [...starts];
	while (queue.length) {
		const path = queue.shift();
		const k = kind(path.split(/[?#]/)[0]);
		if (seen.has(k) || /^\/(api|v1|assets)\//.test(path)) continue;
		seen.add(k);
		try {
			queue.push(...await open(page, weight, path, who.name + k.replaceAll("/", "-")));
		} catch (e) {
			fail(`${path}: ${e.message.split("\n")[0]}`);
		}
	}
	return page;
}

// answers looks at pages that only forms lead to, and at those that refuse.
async function answers(page) {
	const press = async (path, button, name, fill = {}) => {
		if (path) await page.goto(path);
		for (const [label, text] of Object.entries(fill)) await page.getByLabel(label, { exact: true }).fill(text);
		await page.getByRole("main").getByRole("button", { name: button }).first().click();
		await page.waitForLoadState();
		await look(page, name);
	};
	await press("/keys/new", "Make the key", "holder-key-made", { Name: "storefront, staging" });
	await press("/keys/new", "Make the key", "holder-keys-new-refused", { Name: "wrong", "Other scopes (with blanks between them)": "no/such\"scope" });
	await press("/account/factor", "Turn it on", "holder-account-factor-scan");
	const app = new Authenticator(await page.locator("#uri").textContent());
	await press("", "Turn the second factor on", "holder-account-factor-recovery", { "Code that the app shows": await app.code(), "Your password": input.holder.password });
	await page.goto("/account/factor");
	await look(page, "holder-account-factor-on");
	for (const path of ["/operate", "/keys/none"]) {
		await page.goto(path);
		await look(page, `problem${path.replaceAll("/", "-")}`);
	}
}

const browser = await launch();
try {
	await walk(browser, { name: "stranger", skip: ["/"] }, ["/setup", "/sign-in", "/register", "/register/sent", "/forgot", "/forgot/sent", "/accounts/confirmation", "/accounts/password_reset"]);
	await answers(await walk(browser, { name: "holder", ...input.holder, skip: ["/"] }, ["/keys", "/account", "/service-accounts"]));
	await walk(browser, { name: "operator", ...input.operator, skip: ["/", "/keys", "/account"] }, ["/operate", "/service-accounts"]);
} catch (e) {
	fail(e.message);
} finally {
	await browser.close();
}
console.log(JSON.stringify({ findings, report }));
