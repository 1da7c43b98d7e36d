// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// The pages that no link leads to: answers to forms, links in mails, refusals, and lists that are empty.

import { Authenticator, check, input, linkFor, signIn, until, visitor } from "./browser.mjs";
import { look, still } from "./look.mjs";

// see looks at a page, which shows some words. Without a name it only waits for them.
async function see(page, { at, shows, name }) {
	if (at) await page.goto(at);
	await page.getByRole("main").getByText(shows).first().waitFor();
	if (name) await look(page, name);
}

// press fills a form and sends it, where the browser would hold it back, too, and looks at the answer.
async function press(page, { at, fill = {}, button, shows, name }) {
	if (at) await page.goto(at);
	for (const [label, text] of Object.entries(fill)) await page.getByLabel(label, { exact: true }).fill(text);
	const found = page.getByRole("main").getByRole("button", { name: button, exact: true }).first();
	await found.evaluate((b) => { b.disabled = false; b.form.noValidate = true; });
	await found.click();
	await see(page, { shows, name });
}

export async function newcomer(browser) {
	const page = await visitor(browser), email = "newcomer@example.com", password = input.holder.password;
	const account = (password) => ({ "E-mail address": email, Password: password });
	await press(page, { at: "/register", fill: account("weak"), button: "Register", shows: /still needs/, name: "stranger-register-refused" });
	await press(page, { fill: account(password), button: "Register", shows: /on its way|does not send mail/ });
	await press(page, { at: "/sign-in", fill: account("weak"), button: "Sign in", shows: /password is wrong/, name: "stranger-sign-in-refused" });
	await press(page, { fill: account(password), button: "Sign in", shows: "Confirm your address first", name: "pending-keys" });
	await see(page, { at: "/account", shows: "is not confirmed yet", name: "pending-account" });
	const confirm = { fill: { Password: "weak" }, button: "Confirm my address" };
	await see(page, { at: await linkFor(email), shows: "Enter the password that you chose", name: "stranger-confirm" });
	await press(page, { ...confirm, shows: "The password is not that", name: "stranger-confirm-refused" });
	await press(page, { ...confirm, fill: { Password: password }, shows: "The e-mail address is confirmed", name: "holder-account-confirmed" });
	await see(page, { at: "/keys", shows: "No keys yet", name: "holder-keys-empty" });
	await see(page, { at: "/service-accounts", shows: /service account/, name: "holder-service-accounts-empty" });

	const forgetful = await visitor(browser);
	await press(forgetful, { at: "/forgot", fill: { "E-mail address": input.holder.email }, button: "Send the link", shows: /mail/ });
	await see(forgetful, { at: await linkFor(input.holder.email), shows: "Every session of your account ends", name: "stranger-reset" });
	await press(forgetful, { fill: { "New password": "weak" }, button: "Set the password", shows: /still needs/, name: "stranger-reset-refused" });
}

export async function holder(page) {
	await page.goto("/keys");
	check(await page.locator("time", { hasText: /^20\d\d-02-01 01:30$/ }).count(), "the evening of 31 January in UTC is not the next morning in Kolkata");
	await press(page, { at: "/keys/new", fill: { Name: "storefront, staging" }, button: "Make the key", shows: "Copy it now", name: "holder-key-made" });
	await page.reload();
	await see(page, { shows: "This was done already", name: "holder-key-made-already" });
	await press(page, { at: "/keys/new", fill: { Name: "wrong", "Other scopes (with blanks or commas between them)": 'no/such"scope' }, button: "Make the key", shows: /scope/, name: "holder-keys-new-refused" });

	await page.goto("/keys?text=asleep");
	const key = await page.getByRole("link", { name: "asleep", exact: true }).getAttribute("href");
	await see(page, { at: `${key}/enable`, shows: "Requests with this key pass again", name: "holder-keys-id-enable" });
	await press(page, { button: "Enable the key", shows: "The key is active again" });
	await see(page, { at: `${key}/rotation`, shows: "No rotation is under way", name: "holder-keys-id-rotation-none" });
	await press(page, { at: `${key}/rotate`, button: "Make the new secret", shows: "The new secret of", name: "holder-keys-id-rotated" });
	await press(page, { at: `${key}/revoke`, button: "Revoke the key for good", shows: "Type the last characters", name: "holder-keys-id-revoke-refused" });
	await press(page, { at: "/account", fill: { "Present password": "wrong", "New password": "weak" }, button: "Change the password", shows: /wrong/, name: "holder-account-refused" });

	await press(page, { at: "/account/factor", button: "Turn it on", shows: "Scan this", name: "holder-account-factor-scan" });
	const app = new Authenticator(await page.locator("#uri").textContent());
	const factor = (code) => ({ fill: { "Code that the app shows": code, "Your password": input.holder.password }, button: "Turn the second factor on" });
	await press(page, { ...factor("000000"), shows: "The code is wrong", name: "holder-account-factor-refused" });
	await press(page, { ...factor(await app.code()), shows: "Recovery codes", name: "holder-account-factor-recovery" });
	await see(page, { at: "/account/factor", shows: "A new phone", name: "holder-account-factor-on" });
	for (const [at, shows] of [["/operate", "may not see"], ["/keys/none", "no such thing"]]) await see(page, { at, shows, name: `problem${at.replaceAll("/", "-")}` });
}

export async function operator(page) {
	await page.goto(`/operate/accounts?find=${input.holder.email}`); // leads to the one that there is
	await page.locator("#state").selectOption("banned");
	await press(page, { button: "Change state…", shows: "From then on it cannot sign in", name: "operator-operate-accounts-id-state" });
	await press(page, { at: "/operate/accounts/new", fill: { "E-mail address": "nobody", Role: "member" }, button: "Make the account", shows: /^Email: /, name: "operator-operate-accounts-new-refused" });

	const rules = { "GET /orders/{id}": "orders:read", "POST /orders": ["orders:read", "orders:write"], "/admin/": { roles: ["admin"], signed: true } };
	const sheet = (text) => ({ fill: { "Rules, in JSON: patterns, and what each demands": text }, button: "Save rules" });
	await press(page, { at: "/operate/rules", ...sheet('{"/orders" 1}'), shows: "Line 1 is no JSON", name: "operator-operate-rules-refused" });
	await press(page, { at: "/operate/rules", ...sheet(JSON.stringify(rules, null, "\t")), shows: "The rules are in force" });
	await press(page, { fill: { Method: "GET", "URL or path": "/orders/7?page=2" }, button: "Explain", shows: "All scopes of", name: "operator-operate-rules-explained" });
	await press(page, { fill: { Method: "PUT", "URL or path": "/orders" }, button: "Explain", shows: "Rules that come near", name: "operator-operate-rules-denied" });

	await press(page, { at: "/operate/audit", button: "Check the chain", shows: "none is missing", name: "operator-operate-audit-sound" });
	await see(page, { at: "/operate/audit?verb=nothing", shows: "No event fits", name: "operator-operate-audit-empty" });
	await see(page, { at: "/operate/accounts?find=nobody", shows: "No account fits", name: "operator-operate-accounts-empty" });
	await press(page, { at: "/operate/tenants/acme", button: "Disable", shows: "Its keys work again", name: "operator-operate-tenants-disabled" });
	// Uses are written down some seconds after they were made.
	await until("denials are drawn", async () => {
		await page.goto("/operate?span=hour");
		return page.locator(".u-legend", { hasText: "Denied: key_revoked" }).count();
	});
	await look(page, "operator-operate-chart");
	await page.setViewportSize({ width: 360, height: 740 });
	await page.route(/uPlot.*js/, async (route) => { // on a slow line: the page is painted before
		await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length);
		await route.continue();
	});
	await page.goto("/operate?span=day#usage"); // where all of the chart is in the window
	await still(page, "the chart at 360 px");
}

// fresh is a server that nobody has set up. Somebody has changed its audit log.
export async function fresh(browser) {
	const page = await visitor(browser, { baseURL: input.fresh });
	const { email, password } = input.operator;
	await see(page, { at: "/sign-in", shows: "no administrator yet", name: "fresh-sign-in" });
	await see(page, { at: "/setup?token=0", shows: "This link has been used", name: "fresh-setup-dead" });
	await see(page, { at: input.setup, shows: "Make the first administrator", name: "stranger-setup" });
	await press(page, { fill: { "E-mail address": email, Password: "weak" }, button: "Make administrator", shows: /still needs/, name: "stranger-setup-refused" });
	await press(page, { fill: { Password: password }, button: "Make administrator", shows: "This page has done its work", name: "stranger-setup-done" });
	await see(page, { at: "/setup", shows: "This server is set up", name: "stranger-setup-over" });
	await signIn(page, input.operator);
	for (const [at, shows] of [
		["/operate", "Nothing was verified"], ["/operate/keys", /No key/], ["/operate/hygiene", "There is no active key"], ["/keys", "No keys yet"],
	]) await see(page, { at, shows, name: `fresh${at.replaceAll("/", "-")}` });
	await press(page, { at: "/operate/audit", button: "Check the chain", shows: "The log was changed", name: "fresh-operate-audit-unsound" });
}
