// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// What is looked at on each page of the console. With a folder named, pictures are written: light and
// dark, wide and narrow.

import { check, input, looks, tooWide } from "./browser.mjs";

const tallest = 2400; // pixels of a picture; what is longer is a list that goes on

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

// shift is how far the page has moved while it loaded.
const shift = (page) => page.evaluate(() => new Promise((done) => {
	let sum = 0;
	new PerformanceObserver((list) => list.getEntries().forEach((e) => { sum += e.hadRecentInput ? 0 : e.value; })).observe({ type: "layout-shift", buffered: true });
	requestAnimationFrame(() => setTimeout(() => done(sum), 50));
}));

// still reports whether the page has moved while it loaded.
export async function still(page, path) {
	const moved = await shift(page);
	check(moved < 0.01, `${path}: the page moves while it loads: ${moved.toFixed(3)}`);
}

// dressed reports what scripts should have done to the page: times in the visitor's zone, the exact one
// where one points at it, and charts drawn.
async function dressed(page, path) {
	const { times, charts } = await page.evaluate(() => {
		const there = (e) => new Date(Date.parse(e.dateTime) + 330 * 60_000).toISOString().slice(0, 16).replace("T", " "); // Asia/Kolkata
		const inked = (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte);
		return {
			times: [...document.querySelectorAll("time[datetime]")].filter((e) => !/ GMT\+5:30$/.test(e.title) || !("relative" in e.dataset) && e.textContent !== there(e)).map((e) => e.outerHTML),
			charts: [...document.querySelectorAll("[data-chart]")].map((e) => {
				const canvas = e.querySelector("canvas"), lines = JSON.parse(e.dataset.chart).series.length;
				return canvas && inked(canvas) && e.querySelectorAll(".u-legend .u-series").length === lines + 1;
			}),
		};
	});
	check(!times.length, `${path}: times that are not the reader's: ${times.slice(0, 3).join(" | ")}`);
	check(charts.every(Boolean), `${path}: a chart is not drawn`);
	seen.charts += charts.length;
}

// seen counts what was looked at.
export const seen = { charts: 0 };

// look looks at the page from all sides.
export async function look(page, name) {
	const { pathname, search } = new URL(page.url()), path = `${name}, ${pathname}${search.replace(/token=.*/, "token=…")}`;
	await still(page, path);
	check((await page.locator("h1").count()) === 1, `${path}: ${await page.locator("h1").count()} h1`);
	const twice = await page.evaluate(() => {
		const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
		return ids.filter((id, i) => ids.indexOf(id) !== i).join(" ");
	});
	check(!twice, `${path}: id twice: ${twice}`);
	const cells = await page.evaluate(() => [...document.querySelectorAll("table:not(.chart *, details *) tbody td")]
		.filter((td) => td.colSpan === 1 && td.dataset.th !== td.closest("table").tHead?.rows[0].cells[td.cellIndex].textContent).map((td) => td.outerHTML.slice(0, 120)));
	check(!cells.length, `${path}: cells that do not name their column: ${cells.slice(0, 3).join(" | ")}`);
	await dressed(page, path);
	await looks(page);
	await page.setViewportSize({ width: 360, height: 740 });
	const wide = await tooWide(page);
	check(!wide, `${path} at 360 px: ${wide}`);
	const cut = await page.evaluate(() => [...document.querySelectorAll(".scroll:has([data-th])")].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.ariaLabel));
	check(!cut.length, `${path} at 360 px: tables are cut: ${cut}`);
	await page.setViewportSize({ width: 1280, height: 800 });
	await picture(page, name);
}
