// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// What people do in the console, from the first start on. The journeys go on at the same time, each
// with a person of its own.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { Authenticator, check, fail, findings, input, launch, linkFor, looks, signIn, until, visitor } from "./browser.mjs";

const run = promisify(execFile);
const schemes = ["bearer", "barong", "shield", "httpsig"];

// shell runs what a page tells people to paste. It returns the status that the server answered with.
async function shell(command) {
	const { stdout } = await run("sh", ["-c", command.replaceAll(/\bcurl /g, "curl --silent --write-out '\\n%{http_code}' ")], { env: { PATH: input.path, HOME: "/nonexistent" } });
	return Number(stdout.trim().split("\n").pop());
}

const press = (page, name) => page.getByRole("main").getByRole("button", { name, exact: true }).click();
const follow = (page, name) => page.getByRole("main").getByRole("link", { name, exact: true }).first().click();
const problem = (page) => page.locator(".problem").first().innerText();

async function firstRun(browser) {
	const page = await visitor(browser);
	await page.goto(input.setup);
	await looks(page);
	await page.getByLabel("E-mail address").fill(input.operator.email);
	await page.getByLabel("Password").fill("weak");
	await page.getByLabel("Password").evaluate((e) => e.removeAttribute("minlength"));
	await press(page, "Make administrator");
	check(/still needs/.test(await problem(page)), `a weak password: ${await problem(page)}`);
	await page.getByLabel("Password").fill(input.operator.password);
	await press(page, "Make administrator");
	await looks(page);
	await page.goto(input.setup);
	await looks(page);
	check((await page.getByRole("button", { name: "Make administrator" }).count()) === 0, "the link, again: there is a form");
	await page.getByText("This server is set up").waitFor();
	await signIn(page, input.operator);
	await page.waitForURL("**/operate");
	await looks(page);
}

// enrol turns the second factor on, and keeps the recovery codes.
async function enrol(page) {
	await page.goto("/account/factor");
	await looks(page);
	await press(page, "Turn it on");
	const app = new Authenticator(await page.locator("#uri").textContent());
	await looks(page);
	for (const [password, what] of [["Wrong-8472-kings", "password is wrong"], [input.holder.password, "code is wrong"]]) {
		await page.getByLabel("Code that the app shows").fill("000000");
		await page.getByLabel("Your password").fill(password);
		await press(page, "Turn the second factor on");
		await page.locator(".problem", { hasText: what }).waitFor();
	}
	await page.getByLabel("Code that the app shows").fill(await app.code());
	await page.getByLabel("Your password").fill(input.holder.password);
	await press(page, "Turn the second factor on");
	await looks(page);
	const codes = (await page.locator("#codes").textContent()).trim().split(/\s+/);
	const [file] = await Promise.all([page.waitForEvent("download"), follow(page, "Download as a file")]);
	const text = readFileSync(await file.path(), "utf8");
	check(codes.length >= 8 && codes.every((c) => text.includes(c)), `the file of recovery codes has ${text.length} bytes, the page ${codes.length} codes`);
	await press(page, "Copy");
	await page.getByRole("button", { name: "Copied" }).waitFor();
	check((await page.evaluate(() => navigator.clipboard.readText())).includes(codes[0]), "the recovery codes are not copied");
	return { app, codes };
}

// ask fills the form of a new key, from the list on.
async function ask(page, name, scheme) {
	await page.goto("/keys");
	await page.getByRole("main").getByRole("link", { name: /^(New|Make the first) key$/ }).first().click();
	await page.getByLabel("Name", { exact: true }).fill(name);
	await page.locator(`[name=scheme][value=${scheme}]`).check();
	if (scheme === "shield") await page.locator("#scopes").fill("orders:read"); // it wants some named
}

// made reads the page that shows a new secret.
async function made(page, scheme) {
	const sample = page.locator(`#sample-${scheme}sh`);
	await sample.waitFor();
	const command = await sample.textContent();
	const path = await page.getByRole("link", { name: /I have copied it/ }).getAttribute("href");
	return { command, path, id: decodeURIComponent(path.split("/").pop()) };
}

// nextSecond passes when the clock shows another second: a nonce of Barong's command is one, and counts once.
const nextSecond = (now = Math.floor(Date.now() / 1000)) => until("the next second", () => Date.now() / 1000 > now + 1);

// works checks what the server says to the command that the page shows.
async function works(command, status, what) {
	if (command.includes("NONCE=")) await nextSecond();
	const got = await shell(command);
	check(got === status, `${what}: ${got}, want ${status}`);
}

async function revoke(page, key, code) {
	await page.goto(key.path);
	await follow(page, "Revoke");
	const button = page.getByRole("button", { name: "Revoke the key for good" });
	check(await button.isDisabled(), "the button to revoke does not wait for the text");
	const word = await page.locator("[data-confirm]").getAttribute("data-confirm");
	await page.locator("[data-confirm]").fill(word.slice(1));
	check(await button.isDisabled(), "the button to revoke takes half a text");
	await page.locator("[data-confirm]").fill(word);
	if (code) await page.getByLabel("Code of your second factor").fill(code);
	await button.click();
	await page.getByText("This key has ended for good").waitFor();
}

async function rotate(page, key) {
	await page.goto(key.path);
	await follow(page, "Rotate");
	await press(page, "Make the new secret");
}

// lastUsed waits until the page of the key tells of a use.
async function lastUsed(page, key) {
	await until(`the use of ${key.id} is told`, async () => {
		await page.goto(key.path);
		return /just now|minute/.test(await page.locator("dt:text-is('Last used') + dd").first().innerText());
	});
}

const journeys = {
	async "the newcomer"(browser) {
		const who = { email: "newcomer@example.com", password: "Correct-horse-7-battery" };
		const page = await visitor(browser);
		await page.goto("/sign-in");
		await follow(page, "Register");
		await page.getByLabel("E-mail address").fill(who.email);
		await page.getByLabel("Password").fill(who.password);
		await press(page, "Register");
		await looks(page);
		await page.goto(await linkFor(who.email));
		await looks(page);
		await page.getByLabel("Password").fill(who.password);
		await press(page, "Confirm my address");
		await page.waitForURL("**/sign-in*");

		await page.getByLabel("E-mail address").fill(who.email);
		await page.getByLabel("Password").fill("Wrong-horse-7-battery");
		await press(page, "Sign in");
		check(/password is wrong/.test(await problem(page)), `a wrong password: ${await problem(page)}`);
		await looks(page);
		await page.getByLabel("Password").fill(who.password);
		await press(page, "Sign in");
		await page.waitForURL("**/keys");
		await looks(page);
		const { app, codes } = await enrol(page);

		await page.getByRole("button", { name: "Sign out" }).click();
		await page.getByText("You are signed out").waitFor();
		await page.getByLabel("E-mail address").fill(who.email);
		await page.getByLabel("Password").fill(who.password);
		await press(page, "Sign in");
		check(/second factor/.test(await problem(page)), `a missing code: ${await problem(page)}`);
		await signIn(page, who, codes[0]);

		await ask(page, "with a second factor", "bearer");
		await page.getByLabel("Code of your second factor").fill("000000");
		await press(page, "Make the key");
		check(/code/i.test(await problem(page)), `a wrong code: ${await problem(page)}`);
		check((await page.getByLabel("Name", { exact: true }).inputValue()) === "with a second factor", "what was typed is lost with a wrong code");
		await looks(page);
		await page.getByLabel("Code of your second factor").fill(await app.code());
		await press(page, "Make the key");
		const key = await made(page, "bearer");
		await looks(page);
		await works(key.command, 200, "a new key");
		await revoke(page, key, await app.code());
		await looks(page);
		await works(key.command, 401, "a revoked key");
	},

	// One key of each scheme, from the making to the end.
	async "the schemes"(browser) {
		const page = await visitor(browser);
		await signIn(page, input.holder);
		const keys = [];
		for (const scheme of schemes) {
			await ask(page, `by ${scheme}`, scheme);
			await press(page, "Make the key");
			const key = await made(page, scheme);
			await looks(page, ["light"]);
			await works(key.command, 200, scheme);
			keys.push({ ...key, scheme });
		}
		for (const key of keys) {
			await lastUsed(page, key);
			await rotate(page, key);
			const fresh = await made(page, key.scheme);
			check(fresh.command !== key.command && fresh.path === key.path, `${key.scheme}: rotated into ${fresh.path}`);
			await works(fresh.command, 200, `${key.scheme}, the new secret`);
			await works(key.command, 200, `${key.scheme}, the old secret`);
			await revoke(page, key);
			await works(fresh.command, 401, `${key.scheme}, revoked`);
			await works(key.command, 401, `${key.scheme}, revoked, the old secret`);
		}
	},

	async "the operator"(browser) {
		const holder = await visitor(browser), page = await visitor(browser);
		await signIn(holder, input.holder);
		await ask(holder, "lost laptop", "bearer");
		await press(holder, "Make the key");
		const key = await made(holder, "bearer");
		await works(key.command, 200, "a key, before it is lost");
		await holder.goto("/operate");
		check((await holder.locator("h1").innerText()) === "Not allowed", "a holder sees what is the operators'");

		await signIn(page, input.operator);
		await page.goto("/operate/keys");
		await page.getByLabel("Name or key id").pressSequentially("lost lap");
		const rows = page.locator("#list tbody tr");
		await until("the list is narrowed", async () => (await rows.count()) === 1);
		check(/text=lost/.test(page.url()), `the search is not in the address: ${page.url()}`);
		await looks(page);
		await follow(page, "lost laptop");
		await looks(page);
		await revoke(page, key);
		await works(key.command, 401, "a key that the operator revoked");
		await holder.goto(key.path);
		check(/revoked/.test(await holder.locator("h1").innerText()), "the holder does not see that the key is revoked");
	},

	async "what goes wrong"(browser) {
		const page = await visitor(browser), elsewhere = await visitor(browser), who = input.unlucky;
		const called = async (name) => {
			await page.goto("/keys");
			return page.getByRole("link", { name, exact: true }).count();
		};
		await signIn(page, who);
		await signIn(elsewhere, who);

		await ask(page, "too late", "bearer");
		await elsewhere.goto("/account");
		await press(elsewhere, "Sign out everywhere");
		await elsewhere.waitForURL("**/sign-in*");
		await press(page, "Make the key");
		await page.waitForURL("**/sign-in*");
		check(await page.locator(".notice").count(), "nobody says that the session has ended");
		await page.goto("/keys/new");
		await page.getByLabel("E-mail address").fill(who.email);
		await page.getByLabel("Password").fill(who.password);
		await press(page, "Sign in");
		await page.waitForURL("**/keys/new");
		check((await called("too late")) === 0, "a form of an ended session made a key");

		await ask(page, "pressed twice", "bearer");
		await page.getByRole("button", { name: "Make the key" }).dblclick();
		const key = await made(page, "bearer");
		await works(key.command, 200, "the key of a button that was pressed twice");
		await page.reload();
		check((await page.locator("h1").innerText()) === "This was done already", `the answer, loaded again: ${await page.locator("h1").innerText()}`);
		check(!(await page.content()).includes(key.command.match(/Bearer (\S+)/)[1]), "the secret is shown again");
		await looks(page);
		check((await called("pressed twice")) === 1, "a button that was pressed twice made two keys");
		await ask(page, "then back", "bearer");
		await press(page, "Make the key");
		await made(page, "bearer");
		await page.goBack();
		await page.getByRole("button", { name: "Make the key" }).waitFor();
		check((await called("then back")) === 1, "the way back made another key");

		await page.getByRole("button", { name: "Sign out" }).click();
		await page.waitForURL("**/sign-in*");
		await page.goBack();
		await page.waitForURL("**/sign-in*");

		await follow(page, "Forgotten password");
		await page.getByLabel("E-mail address").fill(who.email);
		await press(page, "Send the link");
		await looks(page);
		await page.goto(await linkFor(who.email));
		await looks(page);
		const password = "Another-horse-8-battery";
		await page.getByLabel("New password").fill(password);
		await press(page, "Set the password");
		await page.waitForURL("**/sign-in*");
		await signIn(page, { ...who, password });
	},

	async "without scripts"(browser) {
		const page = await visitor(browser, { javaScriptEnabled: false });
		await signIn(page, input.holder);
		await ask(page, "by hand", "bearer");
		await press(page, "Make the key");
		const key = await made(page, "bearer");
		await works(key.command, 200, "a key, without scripts");
		await page.goto(key.path);
		await follow(page, "Revoke");
		await press(page, "Revoke the key for good").catch(() => {});
		await page.getByLabel(/to confirm/).fill(key.id.slice(-4));
		await press(page, "Revoke the key for good");
		await page.getByText("This key has ended for good").waitFor();
		await works(key.command, 401, "a key that was revoked without scripts");
		await page.getByRole("button", { name: "Sign out" }).click();
		await page.waitForURL("**/sign-in*");
	},
};

const browser = await launch();
const took = {};
const go = async (name, walk) => {
	const began = Date.now();
	await walk(browser).catch((e) => fail(`${name}: ${e.message.split("\n").slice(0, 4).join(" ")}`));
	took[name] = Date.now() - began;
};
try {
	await go("the first run", firstRun);
	await Promise.all(Object.entries(journeys).map(([name, walk]) => go(name, walk)));
} finally {
	await browser.close();
}
console.log(JSON.stringify({ findings, took }));
